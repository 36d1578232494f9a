/**
 * Asks scan-memory.ts, a process of its own, what stands in the memory of others; looks through folders
 * for the same. Whoever is not root is told so in one line.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Finding } from './scan-memory.ts'

export type Needles = Readonly<Record<string, Uint8Array>>

const script = path.join(import.meta.dirname, 'scan-memory.ts')

export function assertRoot(): void {
  const isRoot = process.getuid?.() === 0
  assert(isRoot, 'only root may look into a module and its memory: run this test as root')
}

/** What is found where; the needles go through a pipe, never through arguments. */
export async function scanMemory(pids: readonly number[], needles: Needles): Promise<Finding[]> {
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const hex = Object.entries(needles).map(([name, bytes]) => [
    name,
    Buffer.from(bytes).toString('hex'),
  ])
  child.stdin.end(JSON.stringify({ pids, needles: Object.fromEntries(hex) }))
  return JSON.parse(await text(child.stdout))
}

/** "file: needle" for each needle in each file under the folder. */
export function scanFolder(folder: string, needles: Needles): string[] {
  const found: string[] = []
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(folder, name)
    if (!statSync(file).isFile()) continue
    found.push(...scanBytes(name, readFileSync(file), needles))
  }
  return found
}

export function scanBytes(where: string, bytes: Buffer, needles: Needles): string[] {
  return Object.entries(needles)
    .filter(([, needle]) => bytes.includes(needle))
    .map(([name]) => `${where}: ${name}`)
}
