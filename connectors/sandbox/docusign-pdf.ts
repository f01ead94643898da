/** The files of an envelope: what was sent with its signatures, and the certificate. */

import type { Envelope } from './docusign-people.ts'

/** The file that was sent, with its signatures in words behind its end, where readers of PDF look no further. */
export function signedPdf(envelope: Envelope, sent: Buffer): Buffer {
  const lines = envelope.signers.map(({ roleName, status }) => `%% ${roleName}: ${status}`)
  return Buffer.concat([sent, Buffer.from(`\n%% envelope ${envelope.envelopeId}\n${lines.join('\n')}\n%%EOF\n`)])
}

/** One page that says which envelope it belongs to, and how it stands. */
export function certificatePdf(envelope: Envelope): Buffer {
  const words = [
    'Certificate of completion (sandbox)',
    `Envelope ${envelope.envelopeId}`,
    `Status ${envelope.status}`,
    ...envelope.signers.map(({ roleName, status }) => `Signer ${roleName}: ${status}`),
  ]
  const shown = words.map((line) => `(${line.replace(/[^ -~]/g, '?').replace(/[\\()]/g, '\\$&')}) Tj T*`)
  const content = `BT /F1 12 Tf 16 TL 72 760 Td ${shown.join(' ')} ET`
  return pdfOf([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ])
}

/** Objects, numbered from 1, as a file with its cross-reference table (ISO 32000-1, 7.5). */
function pdfOf(objects: readonly string[]): Buffer {
  let file = '%PDF-1.4\n'
  const places = objects.map((object, n) => {
    const place = file.length
    file += `${n + 1} 0 obj\n${object}\nendobj\n`
    return `${String(place).padStart(10, '0')} 00000 n \n`
  })
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.join('')}`
  const trailer = `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
  return Buffer.from(file + table + trailer, 'latin1')
}
