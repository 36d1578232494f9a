/** Whether something happened so often within a time: attempts, rather than mistakes. */
export class Burst {
  readonly #max: number
  readonly #withinMs: number
  #times: number[] = []

  constructor(max: number, withinMs: number) {
    this.#max = max
    this.#withinMs = withinMs
  }

  /** Once more, now. True at the last that it takes; then it counts from the beginning. */
  add(nowMs: number): boolean {
    this.#times = this.#times.filter((time) => nowMs - time < this.#withinMs)
    this.#times.push(nowMs)
    if (this.#times.length < this.#max) return false
    this.#times = []
    return true
  }
}
