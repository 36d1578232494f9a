/**
 * Modules that the launcher starts for the host, from security level 3: asked for over the channel to the
 * parent process, which sends the door along. The host cannot signal a module of another user; it asks
 * the launcher to. Once the launcher is gone no module can be started, and the one that runs is let go.
 */

import { once } from 'node:events'
import { Socket } from 'node:net'
import type { FromLauncher, ToLauncher } from '../launcher/messages.ts'
import { HostError, launcherMissing } from './errors.ts'
import {
  endKind,
  type ModuleEnd,
  type ModuleLink,
  type StartModule,
  stopModule,
} from './module-process.ts'

interface Awaited {
  readonly started: PromiseWithResolvers<ModuleLink>
  readonly ended: PromiseWithResolvers<ModuleEnd>
  link?: ModuleLink
}

/** @throws HostError LAUNCHER_MISSING when the process has no launcher for a parent */
export function startByLauncher(): StartModule {
  if (process.send === undefined) throw launcherMissing()
  const modules = new Map<number, Awaited>()
  let last = 0
  process.on('message', (message: FromLauncher, handle: unknown) => {
    const module = modules.get(message.number)
    if (module === undefined) return
    take(module, message, handle)
    if (message.say === 'ended' || message.say === 'refused') modules.delete(message.number)
  })
  process.once('disconnect', () => {
    for (const module of modules.values()) {
      module.started.reject(launcherMissing())
      module.link?.door.destroy()
      module.ended.resolve({ kind: 'killed', code: null, signal: null, output: '' })
    }
    modules.clear()
  })
  return () => {
    last += 1
    const module: Awaited = { started: Promise.withResolvers(), ended: Promise.withResolvers() }
    modules.set(last, module)
    say({ ask: 'start', number: last })
    return module.started.promise
  }
}

function take(module: Awaited, message: FromLauncher, handle: unknown): void {
  switch (message.say) {
    case 'started': {
      if (!(handle instanceof Socket)) return
      module.link = launched(message, handle, module.ended.promise)
      return
    }
    case 'handedOver':
      if (module.link) module.started.resolve(module.link)
      return
    case 'refused': {
      const reason = `the launcher refused: ${message.message} [${message.code}]`
      module.started.reject(new HostError('LAUNCHER_REFUSED', reason))
      return
    }
    case 'ended': {
      const { code, signal, output } = message
      module.ended.resolve({ kind: endKind(code, signal), code, signal, output })
      module.started.reject(new HostError('MODULE_ENDED', 'the module ended while it was started'))
    }
  }
}

function launched(
  { number, pid, kind, sealed }: Extract<FromLauncher, { say: 'started' }>,
  door: Socket,
  ended: Promise<ModuleEnd>,
): ModuleLink {
  door.on('error', () => undefined)
  const closed = once(door, 'close')
  const link: ModuleLink = {
    pid,
    door,
    fed: sealed && { kind, sealed: { found: decode(sealed.found), unlock: decode(sealed.unlock) } },
    // What the module sent last is read before its end is told.
    ended: Promise.all([ended, closed]).then(([end]) => end),
    stop: () => stopModule(link),
    kill: () => say({ ask: 'kill', number }),
  }
  return link
}

function decode(base64: string): Buffer {
  return Buffer.from(base64, 'base64')
}

function say(message: ToLauncher): void {
  if (process.connected) process.send?.(message)
}
