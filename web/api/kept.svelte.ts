/** The next appointment, on this device, if the patient asked for that: to be seen without a network.
 *
 * The only thing of a patient's that the pages store. It ends with the login.
 */
export type KeptVisit = {
  starts_at: string
  ends_at: string
  time_zone: string
  doctor: string
  specialty: string
}

const NAME = "clinic-next-appointment"
const NONE = "null"
const storage = allowed()

/** `visit`: there may be none, or none any more. */
export const kept = $state<{ isAsked: boolean; visit: KeptVisit | null }>({ isAsked: false, visit: null })

/** What was asked for in another tab counts here, too. */
addEventListener("storage", read)
read()

/** Keeps it in the place of the one before, from the first time on that the patient asks for it. */
export function keep(visit: KeptVisit | null): void {
  storage?.setItem(NAME, JSON.stringify(visit))
  read()
}

export function letGo(): void {
  storage?.removeItem(NAME)
  read()
}

function read(): void {
  const text = storage?.getItem(NAME) ?? null
  kept.isAsked = text !== null
  kept.visit = parsed(text ?? NONE)
  if (kept.visit && Date.parse(kept.visit.ends_at) < Date.now()) keep(null)
}

/** What somebody else has written is none. */
function parsed(text: string): KeptVisit | null {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Some browsers are set to store nothing. */
function allowed(): Storage | undefined {
  try {
    return localStorage
  } catch {
    return undefined
  }
}
