/** Whom a sink trusts and what it shows of itself; read anew for each connection, as files are renewed. */

import { readFile } from 'node:fs/promises'
import type { SyslogSettings } from './configuration.ts'
import { assertPrivate } from './configuration.ts'

type TlsFiles = Pick<SyslogSettings, 'ca' | 'certificate' | 'key'>

/** For node:tls and node:https, which verify the name by default. */
export interface TlsOptions {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly minVersion: 'TLSv1.2'
  readonly rejectUnauthorized: true
}

export async function tlsOptions({ ca, certificate, key }: TlsFiles): Promise<TlsOptions> {
  if (key !== undefined) await assertPrivate(key)
  return {
    ...(ca === undefined ? {} : { ca: await readFile(ca) }),
    ...(certificate === undefined ? {} : { cert: await readFile(certificate) }),
    ...(key === undefined ? {} : { key: await readFile(key) }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  }
}
