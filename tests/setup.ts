/**
 * Sees to what the tests need from the system: the Debian packages of tests/packages.txt. As root with
 * apt-get, what is missing is installed; otherwise it fails with the one command to type. No test is
 * skipped because something is missing.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'

const list = path.join(import.meta.dirname, 'packages.txt')

/** @throws Error that names the command to type when a package is missing and cannot be installed */
export function installPackages(): void {
  const wanted = readFileSync(list, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const missing = wanted.filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  const isRoot = process.getuid?.() === 0
  if (!isRoot || !succeeds('apt-get', ['--version'])) {
    throw new Error(`the tests need packages; type: sudo apt-get install ${missing.join(' ')}`)
  }
  process.stderr.write(`installing ${missing.join(' ')}\n`)
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = { stdio: ['ignore', 'ignore', 'inherit'] as const, env: environment }
  spawnSync('apt-get', ['update', '-q'], { ...options, stdio: [...options.stdio] })
  const install = ['install', '-q', '-y', '--no-install-recommends', ...missing]
  spawnSync('apt-get', install, { ...options, stdio: [...options.stdio] })
  const left = missing.filter((name) => !isInstalled(name))
  if (left.length > 0) {
    throw new Error(`could not be installed; type: apt-get install ${left.join(' ')}`)
  }
}

/** By the package database, or, on a system without one, by a command of the same name. */
function isInstalled(name: string): boolean {
  const query = spawnSync('dpkg-query', ['-s', name], { encoding: 'utf8' })
  if (query.error) return succeeds(name, ['version']) || succeeds(name, ['--version'])
  return query.status === 0 && query.stdout.includes('Status: install ok installed')
}

function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
