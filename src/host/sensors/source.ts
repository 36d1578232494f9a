/**
 * Whether what was started is still what is on the disk: the check of the release (launcher/release.ts)
 * again and again, so that a change is known before the next start meets it. It reads 150 MB each time.
 * A checkout has no manifest; one that is removed is met by the next start.
 */

import { LauncherError } from '../../launcher/errors.ts'
import { checkReleaseIfThere, type ReleaseOptions } from '../../launcher/release.ts'
import type { Sensor } from './sensor.ts'

export function sourceSensor(release: ReleaseOptions, everyMs = 10 * 60_000): Sensor {
  // The module was started a moment ago, behind the same check.
  let isFirst = true
  return {
    name: 'source',
    everyMs,
    look: async () => {
      const isJustChecked = isFirst
      isFirst = false
      if (isJustChecked) return []
      try {
        await checkReleaseIfThere(release)
        return []
      } catch (error) {
        if (!(error instanceof LauncherError)) throw error
        const detail = `${error.code}: ${error.message}`
        return [{ signal: 'source-changed', about: 'source', detail }]
      }
    },
  }
}
