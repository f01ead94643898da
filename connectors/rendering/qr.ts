/** A QR code as SVG: level M, a quiet zone of four modules, black on white whatever the page's colours. */

import { toString as drawn } from 'qrcode'

/** @param text an address, as a rule; at most some 2,000 characters @throws Error when it does not fit */
export function qrSvg(text: string): Promise<string> {
  return drawn(text, {
    type: 'svg',
    errorCorrectionLevel: 'M',
    margin: 4,
    color: { dark: '#000000', light: '#ffffff' },
  })
}
