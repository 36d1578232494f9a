/**
 * The filters, run by an interpreter of BPF as the kernel would run them, over every number that a system
 * call can have. What the kernel then does is tried for real in tests/wall.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ioUringFilter, wallFilter } from './wall-filter.ts'

const x64 = 0xc000003e
const arm64 = 0xc00000b7
const i386 = 0x40000003
const pid = 4321

type Verdict = 'allow' | 'kill' | `errno ${number}`

interface Call {
  readonly architecture: number
  readonly number: number
  readonly given?: readonly bigint[]
}

/** linux/filter.h over struct seccomp_data. */
function run(program: Buffer, { architecture, number, given = [] }: Call): Verdict {
  const call = Buffer.alloc(64)
  call.writeUInt32LE(number, 0)
  call.writeUInt32LE(architecture, 4)
  for (const [index, value] of given.entries()) call.writeBigUInt64LE(value, 16 + 8 * index)
  let accumulator = 0
  for (let at = 0; at < program.length; at += 8) {
    const value = program.readUInt32LE(at + 4)
    const [whenTrue, whenFalse] = [program.readUInt8(at + 2), program.readUInt8(at + 3)]
    switch (program.readUInt16LE(at)) {
      case 0x20:
        accumulator = call.readUInt32LE(value)
        break
      case 0x15:
        at += 8 * (accumulator === value ? whenTrue : whenFalse)
        break
      case 0x35:
        at += 8 * (accumulator >= value ? whenTrue : whenFalse)
        break
      case 0x06:
        return verdict(value)
      default:
        assert.fail('an instruction that the filters do not use')
    }
  }
  assert.fail('the program has no end')
}

function verdict(value: number): Verdict {
  if (value === 0x7fff0000) return 'allow'
  if (value === 0x80000000) return 'kill'
  assert.equal(value >>> 16, 5)
  return `errno ${value & 0xffff}`
}

const numbers = Array.from({ length: 700 }, (_, number) => number)

suite('the full filter', () => {
  const program = wallFilter('x64', pid)
  const on = (number: number, ...given: bigint[]) =>
    run(program, { architecture: x64, number, given })

  test('is this list, on x86-64', () => {
    const by = (wanted: Verdict) => numbers.filter((number) => on(number) === wanted)
    assert.deepEqual(
      by('allow'),
      [
        0, 1, 3, 5, 7, 9, 10, 11, 12, 13, 14, 15, 20, 24, 25, 28, 35, 39, 48, 51, 55, 60, 96, 98,
        99, 131, 143, 145, 186, 201, 202, 204, 219, 228, 229, 230, 231, 232, 233, 271, 281, 318,
        324, 329, 441,
      ],
    )
    assert.deepEqual(
      by('errno 1'),
      [2, 4, 6, 21, 56, 79, 85, 89, 257, 262, 267, 269, 302, 332, 435, 437, 439],
    )
    assert.equal(by('kill').length, numbers.length - 45 - 17)
  })

  test('some calls go through with the arguments that the module needs, and no others', () => {
    const other = 0x5412n
    assert.deepEqual([on(16, 3n, 0x5421n), on(16, 1n, 0x5401n)], ['allow', 'allow'])
    assert.equal(on(16, 1n, other), 'kill')
    assert.deepEqual([on(72, 3n, 3n), on(72, 3n, 4n)], ['allow', 'allow'])
    assert.deepEqual([on(72, 3n, 0n), on(72, 3n, 8n)], ['kill', 'kill'])
    assert.deepEqual(
      [on(262, 3n, 1n, 1n, 0x1000n), on(262, 3n, 1n, 1n, 0x1100n)],
      ['allow', 'errno 1'],
    )
    assert.deepEqual([on(234, BigInt(pid), 7n, 6n), on(234, 1n, 1n, 9n)], ['allow', 'kill'])
  })

  test('the other interfaces of the same processor are closed', () => {
    for (const number of numbers) {
      assert.equal(run(program, { architecture: i386, number }), 'kill')
      assert.equal(on(0x40000000 + number), 'kill')
    }
  })

  test('on arm64 the same calls go by their own numbers', () => {
    const other = wallFilter('arm64', pid)
    const has = (number: number) => run(other, { architecture: arm64, number })
    const named = { read: 63, write: 64, futex: 98, mmap: 222, exit_group: 94, getrandom: 278 }
    for (const number of Object.values(named)) assert.equal(has(number), 'allow')
    for (const number of [56, 220, 435]) assert.equal(has(number), 'errno 1')
    for (const number of [198, 203, 221, 117, 270, 277, 425, 426]) assert.equal(has(number), 'kill')
    assert.equal(run(other, { architecture: x64, number: 0 }), 'kill')
  })
})

suite('the filter of stage one', () => {
  test('takes io_uring away and nothing else', () => {
    for (const [name, architecture] of [
      ['x64', x64],
      ['arm64', arm64],
    ] as const) {
      const program = ioUringFilter(name)
      for (const number of numbers) {
        const expected = number >= 425 && number <= 427 ? 'errno 38' : 'allow'
        assert.equal(run(program, { architecture, number }), expected)
        assert.equal(run(program, { architecture, number: 0x40000000 + number }), 'errno 38')
        assert.equal(run(program, { architecture: i386, number }), 'kill')
      }
    }
  })
})

test('no filter is guessed for another processor', () => {
  assert.throws(() => wallFilter('riscv64', pid), { code: 'ERR_ASSERTION' })
})
