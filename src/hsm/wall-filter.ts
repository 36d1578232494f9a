/**
 * The filters as BPF programs (seccomp(2), linux/filter.h): which system calls the kernel still carries
 * out for the module. A call of the allow list goes through, for some only with the arguments named
 * here; what would open or look for a file, or make a thread, is answered with EPERM, because Node
 * copes with that; everything else ends the process with SIGSYS, which the host takes for an attack.
 *
 * The list was found with strace under mixed load on x86-64. The numbers of arm64 come from the kernel's
 * headers and have not run there. io_uring is in no list.
 */

import assert from 'node:assert/strict'

/** Numbers on x86-64 (asm/unistd_64.h) and arm64 (asm-generic/unistd.h); null where there is none. */
type Numbers = readonly [x64: number | null, arm64: number | null]

/** The most frequent first: the kernel reads the list from the top. */
const allowed: Readonly<Record<string, Numbers>> = {
  futex: [202, 98],
  read: [0, 63],
  write: [1, 64],
  epoll_pwait: [281, 22],
  epoll_wait: [232, null],
  epoll_pwait2: [441, 441],
  getpid: [39, 172],
  munmap: [11, 215],
  mmap: [9, 222],
  madvise: [28, 233],
  brk: [12, 214],
  mprotect: [10, 226],
  mremap: [25, 216],
  pkey_mprotect: [329, 288],
  membarrier: [324, 283],
  writev: [20, 66],
  epoll_ctl: [233, 21],
  getrandom: [318, 278],
  getrusage: [98, 165],
  clock_gettime: [228, 113],
  clock_getres: [229, 114],
  clock_nanosleep: [230, 115],
  nanosleep: [35, 101],
  gettimeofday: [96, 169],
  time: [201, null],
  sched_yield: [24, 124],
  sched_getaffinity: [204, 123],
  sched_getparam: [143, 121],
  sched_getscheduler: [145, 120],
  sysinfo: [99, 179],
  gettid: [186, 178],
  poll: [7, null],
  ppoll: [271, 73],
  close: [3, 57],
  fstat: [5, 80],
  getsockname: [51, 204],
  getsockopt: [55, 209],
  shutdown: [48, 210],
  rt_sigaction: [13, 134],
  rt_sigprocmask: [14, 135],
  rt_sigreturn: [15, 139],
  sigaltstack: [131, 132],
  restart_syscall: [219, 128],
  exit: [60, 93],
  exit_group: [231, 94],
}

/** Answered with EPERM: Node asks for a time zone, a thread or /dev/null and goes on without. */
const refused: Readonly<Record<string, Numbers>> = {
  open: [2, null],
  openat: [257, 56],
  openat2: [437, 437],
  creat: [85, null],
  clone: [56, 220],
  clone3: [435, 435],
  access: [21, null],
  faccessat: [269, 48],
  faccessat2: [439, 439],
  stat: [4, null],
  lstat: [6, null],
  statx: [332, 291],
  readlink: [89, null],
  readlinkat: [267, 78],
  getcwd: [79, 17],
  prlimit64: [302, 261],
}

interface ArgumentRule {
  readonly numbers: Numbers
  /** Which argument, from 0; all of these are 32 bits wide in the kernel. */
  readonly argument: number
  readonly values: readonly number[]
  readonly otherwise: number
}

const ioUringSetup = 425
const ioUringRegister = 427
/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 (linux/audit.h). */
const auditArchitectures = [0xc000003e, 0xc00000b7] as const
/** Numbers from here on are those of the x32 interface, by which x86-64 has every call twice. */
const x32Bit = 0x40000000

const killProcess = 0x80000000
const allow = 0x7fff0000
const errno = (code: number) => 0x00050000 + code
const eperm = errno(1)
const enosys = errno(38)

function argumentRules(pid: number): Readonly<Record<string, ArgumentRule>> {
  return {
    /** FIONBIO for the door, TCGETS to find that it is no terminal. */
    ioctl: { numbers: [16, 29], argument: 1, values: [0x5421, 0x5401], otherwise: killProcess },
    /** F_GETFD, F_SETFD, F_GETFL, F_SETFL. */
    fcntl: { numbers: [72, 25], argument: 1, values: [1, 2, 3, 4], otherwise: killProcess },
    /** AT_EMPTY_PATH: what glibc makes of fstat. */
    newfstatat: { numbers: [262, 79], argument: 3, values: [0x1000], otherwise: eperm },
    /** Signals to this process alone: abort() sends itself one. */
    tgkill: { numbers: [234, 131], argument: 0, values: [pid], otherwise: killProcess },
  }
}

/** BPF instructions (linux/bpf_common.h): load a word, jump if equal or not below, return. */
const load = (offset: number) => instruction(0x20, 0, 0, offset)
const unlessEqual = (value: number, skip: number) => instruction(0x15, 0, skip, value)
const unlessAtLeast = (value: number, skip: number) => instruction(0x35, 0, skip, value)
const answer = (action: number) => instruction(0x06, 0, 0, action)

/** struct seccomp_data (linux/seccomp.h), little-endian: number, architecture, six arguments. */
const numberOffset = 0
const architectureOffset = 4
const argumentOffset = (index: number) => 16 + 8 * index

/**
 * Stage one's filter: there is no io_uring, by whatever name; everything else goes on.
 * @param architecture process.arch
 */
export function ioUringFilter(architecture: string): Buffer {
  return Buffer.concat([
    ...onlyOn(column(architecture)),
    unlessAtLeast(x32Bit, 1),
    answer(enosys),
    unlessAtLeast(ioUringRegister + 1, 1),
    answer(allow),
    unlessAtLeast(ioUringSetup, 1),
    answer(enosys),
    answer(allow),
  ])
}

/**
 * The full filter, of the module as it serves.
 * @param architecture process.arch
 * @param pid of this process, the only one that it may signal
 */
export function wallFilter(architecture: string, pid: number): Buffer {
  const index = column(architecture)
  const program = onlyOn(index)
  const match = (numbers: Numbers, actions: readonly Buffer[]) => {
    const number = numbers[index]
    if (number !== null) program.push(unlessEqual(number, actions.length), ...actions)
  }
  for (const numbers of Object.values(allowed)) match(numbers, [answer(allow)])
  for (const numbers of Object.values(refused)) match(numbers, [answer(eperm)])
  for (const { numbers, argument, values, otherwise } of Object.values(argumentRules(pid))) {
    const permitted = values.flatMap((value) => [unlessEqual(value, 1), answer(allow)])
    match(numbers, [load(argumentOffset(argument)), ...permitted, answer(otherwise)])
  }
  return Buffer.concat([...program, answer(killProcess)])
}

function column(architecture: string): 0 | 1 {
  assert(architecture === 'x64' || architecture === 'arm64', 'no filter for this processor')
  return architecture === 'x64' ? 0 : 1
}

/** The same number means another call in another interface of the same processor. */
function onlyOn(index: 0 | 1): Buffer[] {
  return [
    load(architectureOffset),
    instruction(0x15, 1, 0, auditArchitectures[index]),
    answer(killProcess),
    load(numberOffset),
  ]
}

/** struct sock_filter. */
function instruction(code: number, jumpTrue: number, jumpFalse: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(code, 0)
  bytes.writeUInt8(jumpTrue, 2)
  bytes.writeUInt8(jumpFalse, 3)
  bytes.writeUInt32LE(value, 4)
  return bytes
}
