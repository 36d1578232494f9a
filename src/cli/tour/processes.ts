/** Which processes a process has started: from /proc on Linux, from ps elsewhere. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

interface Parentage {
  readonly pid: number
  readonly parent: number
}

export function childrenOf(pid: number): number[] {
  const all = existsSync('/proc/self/stat') ? fromProc() : fromPs()
  return all.filter(({ parent }) => parent === pid).map((row) => row.pid)
}

function fromProc(): Parentage[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        // "pid (name) state parent …", and the name may hold anything.
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        return [{ pid: Number(name), parent }]
      } catch {
        // It has ended in the meantime.
        return []
      }
    })
}

function fromPs(): Parentage[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')
  return lines.map((line) => {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number)
    return { pid, parent }
  })
}
