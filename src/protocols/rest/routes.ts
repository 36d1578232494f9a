/** Every route there is: this table is the whole of the REST API. */

import type { Route } from './route.ts'
import { accessRoutes } from './routes/access.ts'
import { aliasRoutes } from './routes/aliases.ts'
import { attestationRoutes } from './routes/attestation.ts'
import { certificateRequestRoutes } from './routes/certificate-requests.ts'
import { domainRoutes } from './routes/domain.ts'
import { epochRoutes } from './routes/epochs.ts'
import { identityRoutes } from './routes/identities.ts'
import { keyRoutes } from './routes/keys.ts'
import { logRoutes } from './routes/logs.ts'
import { openingRoutes } from './routes/opening.ts'
import { recordSearchRoutes } from './routes/record-search.ts'
import { systemRoutes } from './routes/system.ts'
import { useRoutes } from './routes/use.ts'

export const routes: readonly Route[] = [
  ...systemRoutes,
  ...recordSearchRoutes,
  ...logRoutes,
  ...attestationRoutes,
  ...domainRoutes,
  ...epochRoutes,
  ...openingRoutes,
  ...identityRoutes,
  ...accessRoutes,
  ...keyRoutes,
  ...aliasRoutes,
  ...useRoutes,
  ...certificateRequestRoutes,
]
