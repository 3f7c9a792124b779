/** Something that the patient asked for: one at a time, and what fails is told in words. */
import { FailedError } from "../api/client"
import { failureWords } from "./login/code"

export class Attempt {
  busy = $state(false)
  error = $state("")

  constructor(private readonly words: (failed: FailedError) => string = failureWords) {}

  /** Does it, unless it is being done. */
  async run(job: () => Promise<unknown>): Promise<void> {
    if (this.busy) return
    this.busy = true
    this.error = ""
    try {
      await job()
    } catch (failed) {
      if (!(failed instanceof FailedError)) throw failed
      this.error = this.words(failed)
    } finally {
      this.busy = false
    }
  }
}
