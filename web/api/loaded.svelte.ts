/** Something read from the API for a component: its value, or why there is none. Read again once the network is back. */
import { onDestroy } from "svelte"
import { FailedError, type Failure } from "./client"

const RETRY_MS = 5_000

export class Loaded<T> {
  value = $state.raw<T>()
  failure = $state<Failure>()
  loading = $state(false)
  #turn = 0
  #retry?: ReturnType<typeof setTimeout>

  constructor() {
    onDestroy(() => {
      this.#turn++
      clearTimeout(this.#retry)
    })
  }

  /** Reads; of several that run at once, the last one counts. What was read before stays until then. */
  async read(ask: () => Promise<T>): Promise<T | undefined> {
    const turn = ++this.#turn
    clearTimeout(this.#retry)
    this.loading = true
    try {
      const value = await ask()
      if (turn !== this.#turn) return undefined
      this.value = value
      this.failure = undefined
      return value
    } catch (error) {
      if (!(error instanceof FailedError)) throw error
      if (turn !== this.#turn) return undefined
      this.failure = error.failure
      if (error.failure !== "not_found") this.#retry = setTimeout(() => this.read(ask), RETRY_MS)
      return undefined
    } finally {
      if (turn === this.#turn) this.loading = false
    }
  }
}
