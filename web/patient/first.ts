/** What the page at this address asks first. This is a script of its own, which is there earlier than the page's.
 * Meanwhile it has the browser make ready what formats dates, which takes long. */
import { firstFree, opening } from "../api/free"
import { dateOf } from "../time/format"

const SOON_MS = 300

/** Something asked for, taken once: whoever asks again wants it as it is then. */
class Asked<T> {
  #answer: Promise<T> | undefined

  constructor(answer: Promise<T> | undefined) {
    this.#answer = answer
    answer?.catch(() => {}) // told to whoever takes it
  }

  take(): Promise<T> | undefined {
    const answer = this.#answer
    this.#answer = undefined
    return answer
  }

  /** Resolves once there is an answer or none is asked for, and at the latest soon. */
  async soon(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, SOON_MS))
    await Promise.race([late, this.#answer?.then(() => {}, () => {})])
  }
}

const [, , page, id] = location.pathname.split("/")
const query = new URLSearchParams(location.search)

export const first = {
  doctors: new Asked(page ? undefined : firstFree({})),
  times: new Asked(page === "doctors" && id ? opening(id, { visit: query.get("visit") ?? "", day: dateOf(query.get("day")) }) : undefined),
}
