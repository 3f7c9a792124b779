/** The API, typed by its OpenAPI document, and the ways in which asking it can fail. */
import createClient from "openapi-fetch"
import type { components, paths } from "./openapi"

type Schemas = components["schemas"]
export type Appointment = Schemas["AppointmentView"]
export type CommandResource = Schemas["CommandResource"]
export type Day = Schemas["DayView"]
export type Doctor = Schemas["DoctorView"]
export type FirstFree = Schemas["FirstFreeView"]
export type Patient = Schemas["PatientView"]
export type Problem = Schemas["Problem"]
export type Slot = Schemas["SlotView"]
export type Tokens = Schemas["TokensView"]

/** Whether the clinic's server answered last; `network.svelte.ts` tells the page. */
export const reach = { isAway: false, changed: () => {} }

/** `refused`: asked again in the same way, the answer would be the same. */
export type Failure = "offline" | "unavailable" | "not_found" | "logged_out" | "refused"

const TIMEOUT_MS = 15_000

export const send = (request: Request) => fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS) })

/** For what anyone may ask; `own` in `session.svelte.ts` asks as the patient who is logged in. */
export const api = createClient<paths>({ fetch: send })

export class FailedError extends Error {
  constructor(
    readonly failure: Failure,
    readonly problem?: Problem,
    readonly retryAfterS?: number,
  ) {
    super(problem?.code ?? failure)
  }

  get code(): string | undefined {
    return this.problem?.code
  }
}

type Answer<T> = { data?: T; error?: unknown; response: Response }

/** The answer, if it is one that was hoped for.
 * @throws FailedError if it is not, or there is none. */
export async function answered<T>(asked: Promise<Answer<T>>): Promise<Answer<T>> {
  let answer: Answer<T>
  try {
    answer = await asked
  } catch (error) {
    if (error instanceof FailedError) throw error
    hear(true)
    throw new FailedError(navigator.onLine ? "unavailable" : "offline")
  }
  hear(false)
  const { response, error } = answer
  if (response.ok) return answer
  const problem = error && typeof error === "object" && "code" in error ? (error as Problem) : undefined
  const retryAfterS = Number(response.headers.get("Retry-After")) || undefined
  throw new FailedError(failureOf(response.status, problem), problem, retryAfterS)
}

/** The body of an answer.
 * @throws FailedError where there is none. */
export async function body<T>(asked: Promise<Answer<T>>): Promise<T> {
  const { data } = await answered(asked)
  if (data === undefined) throw new FailedError("unavailable")
  return data
}

function hear(isAway: boolean): void {
  reach.isAway = isAway
  reach.changed()
}

function failureOf(status: number, problem: Problem | undefined): Failure {
  if (status === 401 && problem?.code === "unauthenticated") return "logged_out"
  if (status === 404 || status === 422) return "not_found"
  return status >= 500 || status === 429 ? "unavailable" : "refused"
}
