/**
 * What code in the module would try through Node's own library. Each either throws or does what it must
 * not be able to do.
 */

import { execFileSync, spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { dlopen, getRawPointer } from 'node:ffi'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import inspector from 'node:inspector'
import net from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'

type Attack = () => unknown

/** For the attacks whose refusal arrives as an event. */
async function opened(socket: net.Socket | net.Server | dgram.Socket, event: string) {
  await Promise.race([
    once(socket, event),
    once(socket, 'error').then(([error]) => Promise.reject(error)),
  ])
}

export const scriptAttacks: Readonly<Record<string, Attack>> = {
  readFileSync: () => readFileSync('/etc/hostname'),
  readFile: () => readFile('/etc/hostname'),
  readOwnSource: () => readFileSync(import.meta.filename),
  readMemory: () => readFileSync('/proc/self/maps'),
  writeFile: () => writeFileSync('/tmp/keyhold-attack', ''),
  stat: () => statSync('/etc/hostname'),
  listFolder: () => readdirSync('/'),
  database: () => new DatabaseSync('/tmp/keyhold-attack.db').exec('CREATE TABLE t (a)'),
  connect: () => opened(net.connect(9, '127.0.0.1'), 'connect'),
  connectUnix: () => opened(net.connect('/run/keyhold-attack'), 'connect'),
  listen: () => opened(net.createServer().listen(0), 'listening'),
  listenUnix: () => opened(net.createServer().listen('/tmp/keyhold-attack.sock'), 'listening'),
  datagram: () => opened(dgram.createSocket('udp4').bind(0), 'listening'),
  lookup: () => lookup('localhost'),
  execFile: () => execFileSync('/bin/true'),
  spawn: () => once(spawn('/bin/true'), 'exit'),
  worker: () => once(new Worker('1', { eval: true }), 'exit'),
  addOn: () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6'),
  library: () => dlopen(null, {}),
  address: () => getRawPointer(Buffer.alloc(64)),
  evaluate: () => Reflect.apply(Reflect.get(globalThis, 'eval'), undefined, ['1']),
  newFunction: () => Reflect.construct(Function, ['return 1']),
  inspector: () => inspector.open(0),
}
