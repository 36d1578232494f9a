/**
 * Questions on a terminal: a thin layer over @clack/prompts that writes to standard error, turns Ctrl-C into
 * the end of the command, and keeps asking until the answer fits.
 */

import { confirm, isCancel, log, multiselect, note, select, text } from '@clack/prompts'
import { clientError } from '../../client/errors.ts'
import { UsageError } from '../output.ts'

const output = process.stderr

/** @throws UsageError when there is no terminal to ask on */
export function assertTerminal(otherwise: string): void {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`there is no terminal to ask on; ${otherwise}`)
  }
}

/** One line; `check` says what is wrong with it. */
export async function askText(
  message: string,
  options: {
    readonly initial?: string
    readonly check?: (value: string) => string | undefined
  } = {},
): Promise<string> {
  const { initial, check } = options
  const answer = await text({
    message,
    output,
    ...(initial === undefined ? {} : { initialValue: initial }),
    validate: (value = '') =>
      value.trim() === '' ? 'something has to stand here' : check?.(value),
  })
  return given(answer).trim()
}

export async function askNumber(
  message: string,
  { min, max, initial }: { readonly min: number; readonly max: number; readonly initial?: number },
): Promise<number> {
  const check = (value: string) => {
    const isNumber = /^\d{1,4}$/.test(value.trim()) && Number(value) >= min && Number(value) <= max
    return isNumber ? undefined : `a whole number from ${min} to ${max}`
  }
  return Number(await askText(message, { check, ...(initial && { initial: String(initial) }) }))
}

export interface Choice<T> {
  readonly value: T
  readonly label: string
  readonly hint?: string
}

export async function askOne<T extends string>(
  message: string,
  choices: readonly Choice<T>[],
): Promise<T> {
  // The type of an option depends on its value; a text is the simple one.
  const options = choices.map((choice) => ({ ...choice })) as never
  return given(await select<T>({ message, output, options }))
}

export async function askSome<T extends string>(
  message: string,
  choices: readonly Choice<T>[],
): Promise<T[]> {
  const options = choices.map((choice) => ({ ...choice })) as never
  return given(await multiselect<T>({ message, output, options, required: true }))
}

export async function askYes(message: string, initialValue = true): Promise<boolean> {
  return given(await confirm({ message, output, initialValue }))
}

export function say(message: string): void {
  log.message(message, { output })
}

export function show(message: string, title: string): void {
  note(message, title, { output })
}

/** @throws ClientError INTERRUPTED for Ctrl-C */
function given<T>(answer: T): Exclude<T, symbol> {
  if (isCancel(answer)) throw clientError('INTERRUPTED', 'stopped; what is finished stays finished')
  return answer as Exclude<T, symbol>
}
