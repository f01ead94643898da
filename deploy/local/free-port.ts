/** Ports on loopback. */

import { createServer } from 'node:net'

export const portIsFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const probe = createServer()
    probe.once('error', () => done(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)))
  })

/** For a person. */
export const portTaken = (port: number): string => `port ${port} is taken; choose another, or end what listens there`

/** One that the system chooses. */
export const freePort = (): Promise<number> =>
  new Promise((done, failed) => {
    const probe = createServer()
    probe.once('error', failed)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        address !== null && typeof address === 'object' ? done(address.port) : failed(new Error('no free port')),
      )
    })
  })
