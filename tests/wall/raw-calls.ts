/**
 * System calls as an attacker inside the module would make them, by number (x86-64) and past all of
 * Node's checks. The address is that of a page with the name of a readable file at its start.
 */

const atCwd = 0xffff_ffff_ffff_ff9cn
/** SIGCHLD, as fork() has it. */
const forkFlags = 17n
const ownProcess = BigInt(process.pid)
const parentProcess = BigInt(process.ppid)

type RawCall = (address: bigint) => readonly [number: bigint, ...given: bigint[]]

export const rawCalls: Readonly<Record<string, RawCall>> = {
  open: (address) => [2n, address, 0n],
  openat: (address) => [257n, atCwd, address, 0n],
  openat2: (address) => [437n, atCwd, address, address + 2048n, 24n],
  creat: (address) => [85n, address, 0o600n],
  stat: (address) => [4n, address, address + 2048n],
  statx: (address) => [332n, atCwd, address, 0n, 0xfffn, address + 2048n],
  newfstatat: (address) => [262n, atCwd, address, address + 2048n, 0n],
  readlink: (address) => [89n, address, address + 2048n, 1024n],
  clone: () => [56n, forkFlags],
  clone3: (address) => [435n, address + 2048n, 88n],
  fork: () => [57n],
  vfork: () => [58n],
  execve: (address) => [59n, address, 0n, 0n],
  socket: () => [41n, 2n, 1n, 0n],
  socketpair: (address) => [53n, 1n, 1n, 0n, address + 2048n],
  ptrace: () => [101n, 16n, parentProcess],
  process_vm_readv: () => [310n, parentProcess, 0n, 0n, 0n, 0n, 0n],
  memfd_create: (address) => [319n, address, 0n],
  io_uring_setup: (address) => [425n, 8n, address + 2048n],
  io_uring_enter: () => [426n, 5n, 1n, 0n, 0n],
  io_uring_register: () => [427n, 5n, 0n, 0n, 0n],
  kill: () => [62n, parentProcess, 0n],
  tgkill: () => [234n, parentProcess, parentProcess, 0n],
  prctl: () => [157n, 4n, 1n],
  ioctl: (address) => [16n, 1n, 0x5412n, address],
  fcntl: () => [72n, 3n, 8n, ownProcess],
  unlink: (address) => [87n, address],
  bpf: () => [321n, 0n, 0n, 0n],
  /** open by the numbers of the x32 interface. */
  x32open: (address) => [0x4000_0002n, address, 0n],
}
