/** News about a doctor's free time, for the tab that is visible.
 *
 * A browser allows six connections to a server, for all its tabs together: one tab has the stream, whichever holds
 * the lock; the others ask from time to time.
 */
const POLL_MS = 5_000
const LOCK = "clinic-live"
/** Of an `EventSource`, which not every browser has. */
const [OPEN, CLOSED] = [1, 2]

/** Calls `changed` when the free time may have changed. Returns what ends it. */
export function watch(doctorId: string, changed: () => void): () => void {
  let source: EventSource | undefined
  let release = () => {}

  function open(): void {
    source?.close()
    source = new EventSource(`/v1/doctors/${doctorId}/availability/events`)
    for (const event of ["open", "taken", "freed"]) source.addEventListener(event, changed)
  }

  function begin(): void {
    changed()
    const waiting = new AbortController()
    const held = new Promise<void>((resolve) => {
      release = () => {
        waiting.abort()
        source?.close()
        source = undefined
        resolve()
      }
    })
    // Without locks (a page over plain HTTP) or streams it asks from time to time.
    navigator.locks
      ?.request(LOCK, { signal: waiting.signal }, () => {
        open()
        return held
      })
      .catch(() => {})
  }

  const turn = () => (document.hidden ? release() : begin())
  const polling = setInterval(() => {
    if (document.hidden || source?.readyState === OPEN) return
    changed()
    if (source?.readyState === CLOSED) open()
  }, POLL_MS)
  document.addEventListener("visibilitychange", turn)
  turn()
  return () => {
    clearInterval(polling)
    document.removeEventListener("visibilitychange", turn)
    release()
  }
}
