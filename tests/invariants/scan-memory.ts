/**
 * Looks for byte strings in the memory of other processes, by /proc/<pid>/mem. Run as a process of its
 * own, as root: `scan-memory.ts` reads {"pids":[…],"needles":{"name":"hex"}} from standard input and
 * prints [{"pid","needle","region"}], so that the needles never stand in the memory of those scanned.
 * Pages that were never touched, most of what a process has mapped, hold nothing and are not read.
 */

import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

interface Orders {
  readonly pids: readonly number[]
  readonly needles: Readonly<Record<string, string>>
}

export interface Finding {
  readonly pid: number
  readonly needle: string
  /** What /proc/<pid>/maps calls the place. */
  readonly region: string
}

type Range = readonly [from: number, to: number]

const pieceBytes = 8 * 1024 * 1024
const pageBytes = 4096
/** proc_pid_pagemap(5): eight bytes a page; bit 63 is "present", bit 62 "swapped out". */
const entryBytes = 8
const touchedBits = 0xc0

function scan(pid: number, needles: readonly (readonly [string, Buffer])[]): Finding[] {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const pages = openSync(`/proc/${pid}/pagemap`, 'r')
  const found: Finding[] = []
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n')) {
      const [range = '', mode = '', , , , ...name] = line.split(/\s+/)
      if (!mode.startsWith('r') || name[0] === '[vvar]' || name[0] === '[vsyscall]') continue
      const [from = 0, to = 0] = range.split('-').map((text) => Number.parseInt(text, 16))
      const region = `${mode} ${name.join(' ')}`
      for (const touched of touchedRanges(pages, [from, to])) {
        for (const needle of scanRange(memory, touched, needles))
          found.push({ pid, needle, region })
      }
    }
  } finally {
    closeSync(pages)
    closeSync(memory)
  }
  return found
}

/** Runs of pages that have been written or read at least once. */
function touchedRanges(pages: number, [from, to]: Range): Range[] {
  const entries = readAt(
    pages,
    ((to - from) / pageBytes) * entryBytes,
    (from / pageBytes) * entryBytes,
  )
  const ranges: Range[] = []
  let start: number | undefined
  for (let index = 0; index * entryBytes < entries.length; index += 1) {
    const touched = (entries.readUInt8(index * entryBytes + 7) & touchedBits) !== 0
    const address = from + index * pageBytes
    if (touched) start ??= address
    if (touched || start === undefined) continue
    ranges.push([start, address])
    start = undefined
  }
  return start === undefined ? ranges : [...ranges, [start, to]]
}

/** Pieces overlap, so that nothing is missed between two. */
function scanRange(
  memory: number,
  [from, to]: Range,
  needles: readonly (readonly [string, Buffer])[],
): string[] {
  const longest = Math.max(...needles.map(([, bytes]) => bytes.length))
  const found: string[] = []
  for (let at = from; at < to; at += pieceBytes - longest) {
    const piece = readAt(memory, Math.min(pieceBytes, to - at), at)
    for (const [needle, bytes] of needles) if (piece.includes(bytes)) found.push(needle)
  }
  return found
}

/** A page that is gone or may not be read reads as nothing. */
function readAt(file: number, length: number, position: number): Buffer {
  const piece = Buffer.allocUnsafe(length)
  try {
    return piece.subarray(0, readSync(file, piece, 0, length, position))
  } catch {
    return piece.subarray(0, 0)
  }
}

const orders = JSON.parse(readFileSync(0, 'utf8')) as Orders
const needles = Object.entries(orders.needles).map(
  ([name, hex]) => [name, Buffer.from(hex, 'hex')] as const,
)
process.stdout.write(JSON.stringify(orders.pids.flatMap((pid) => scan(pid, needles))))
