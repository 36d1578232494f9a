/**
 * Stage one of the wall. Node opens io_uring rings when it starts, and a ring opens files that a filter
 * refuses: so this small program has the kernel answer that there is no io_uring (ENOSYS), and executes
 * Node again. Stage two, with the code of the module, never has a ring and raises the rest (`wall.ts`).
 *
 * The host starts it with the permission model, native functions and this folder to read, and the door
 * as descriptor 3. Arguments: the entry of stage two (default: the module), flags for Node, which tests
 * use, and `--source-manifest=` with the digest of the manifest that the source was checked against, which
 * goes on to the module (attestation.ts). Whoever starts the module decides what code it is; this program adds no trust.
 */

import { allocatorSetting } from './allocator.ts'
import { execute, filterSystemCalls, forbidNewPrivileges } from './native.ts'
import { ioUringFilter } from './wall-filter.ts'

const moduleFolder = import.meta.dirname
/** A release runs with its types stripped beforehand. */
const extension = import.meta.filename.endsWith('.js') ? 'js' : 'ts'
const isForModule = (argument: string) => argument.startsWith('--source-manifest=')
const given = process.argv.slice(2)
const [entry = `${moduleFolder}/main.${extension}`, ...furtherFlags] = given.filter(
  (argument) => !isForModule(argument),
)

/** 64 MiB: half for one Argon2id of 32 MiB, half for private keys. */
const secureHeapBytes = 64 * 1024 * 1024

if (process.platform === 'linux') {
  forbidNewPrivileges()
  filterSystemCalls(ioUringFilter(process.arch))
}
const nodeArguments = [
  '--permission',
  '--allow-ffi',
  '--allow-worker',
  `--allow-fs-read=${moduleFolder}`,
  `--allow-fs-read=${entry.slice(0, entry.lastIndexOf('/'))}`,
  `--secure-heap=${secureHeapBytes}`,
  // What is destroyed is freed when it is answered, not some time later (collect.ts).
  '--expose-gc',
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  // No thread that waits for SIGUSR1 to open the inspector.
  '--disable-sigusr1',
  // Both warn of what the wall then takes away.
  '--disable-warning=ExperimentalWarning',
  '--disable-warning=SecurityWarning',
  ...furtherFlags,
  entry,
  ...given.filter(isForModule),
]

execute(process.execPath, nodeArguments, [allocatorSetting])
