/**
 * Starting the module by the host itself, below security level 3: the release is checked each time,
 * before the process is started. In a checkout there is no signed manifest: the module is started as it
 * stands, and the log says so once.
 */

import { checkReleaseIfThere, uncheckedCode } from '../launcher/release.ts'
import { ModuleProcess, type StartModule } from './module-process.ts'
import type { HostOptions } from './options.ts'

export function startOwnModule({
  release,
  entry,
  log,
}: Pick<HostOptions, 'release' | 'entry' | 'log'>): StartModule {
  let warned = false
  return async () => {
    if (release === undefined) return new ModuleProcess({ entry })
    const checked = await checkReleaseIfThere(release)
    if (checked === undefined && !warned) {
      warned = true
      const message = 'there is no signed manifest: the module is started as it stands, unchecked'
      log({ level: 'warn', message })
    }
    return new ModuleProcess({ entry, code: checked?.code ?? uncheckedCode() })
  }
}
