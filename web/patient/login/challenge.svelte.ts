/** The code that a page waits for. It may be read in another app, and the page be loaded anew meanwhile: the
 * challenge outlives that, in the browser's history. */
import { arrival } from "../../ui/arrival"

export class Challenge {
  id = $state<string>()

  /** `name`: of its place in the history, another for each kind of page. */
  constructor(private readonly name: "challenge" | "change") {
    this.id = history.state?.[name]
  }

  /** The code was sent; without an id, it is over, and the question before is asked. */
  set(id: string | undefined): void {
    arrival.pending = true
    this.id = id
    history.replaceState({ ...history.state, [this.name]: id }, "")
  }
}
