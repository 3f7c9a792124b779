/** The login of this browser, shared by its tabs.
 *
 * The access token is only in this page's memory; the refresh token is in a cookie that no script can read. As it
 * works once, one tab at a time uses it.
 */
import createClient from "openapi-fetch"
import { answered, api, body, FailedError, send, type Problem, type Tokens } from "./client"
import { letGo } from "./kept.svelte"
import type { paths } from "./openapi"

const LOCK = "clinic-refresh"
/** So long before its end a token is no longer used. */
const EARLY_MS = 30_000

/** `person`: the id of whoever is logged in. */
export const session = $state<{ state: "unknown" | "in" | "out"; person?: string }>({ state: "unknown" })

let token: { text: string; until: number } | undefined
let refreshing: Promise<void> | undefined

/** The other tabs. An old browser has no way to tell them: they find out when they ask the server. */
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("clinic-session") : undefined
tabs?.addEventListener("message", ({ data }) => {
  if (data === "out") forget()
  // The login of another tab is this one's too.
  else if (session.state === "out") refresh().catch(() => {})
})

/** What came of a login counts for all tabs from now on. */
export function begin(tokens: Tokens): void {
  take(tokens)
  tabs?.postMessage("in")
}

/** Gets a new access token, if this browser is logged in.
 * @throws FailedError `offline` or `unavailable`: it is not known whether it is. */
export function refresh(): Promise<void> {
  refreshing ??= alone(ask).finally(() => (refreshing = undefined))
  return refreshing
}

/** Ends the login in this browser.
 * @throws FailedError */
export async function logOut(): Promise<void> {
  await answered(api.POST("/v1/auth/logout"))
  end()
}

/** The server has ended the login: all tabs forget it. */
export function end(): void {
  forget()
  tabs?.postMessage("out")
}

/** Asks as the patient who is logged in. */
export const own = createClient<paths>({ fetch: asPatient })

async function asPatient(request: Request): Promise<Response> {
  const again = request.clone()
  const response = await send(await authorised(request))
  if (response.status !== 401 || (await codeOf(response)) !== "unauthenticated") return response
  token = undefined
  return send(await authorised(again))
}

async function authorised(request: Request): Promise<Request> {
  if (!token || Date.now() > token.until - EARLY_MS) await refresh()
  if (!token) throw new FailedError("logged_out")
  request.headers.set("Authorization", `Bearer ${token.text}`)
  return request
}

const codeOf = async (response: Response) =>
  ((await response.clone().json().catch(() => ({}))) as Partial<Problem>).code

async function ask(): Promise<void> {
  try {
    take(await body(api.POST("/v1/auth/refresh")))
  } catch (error) {
    if (!(error instanceof FailedError) || error.failure !== "logged_out") throw error
    forget()
  }
}

async function alone(job: () => Promise<void>): Promise<void> {
  // Without locks (a page over plain HTTP) there is no cookie either.
  await (navigator.locks ? navigator.locks.request(LOCK, job) : job())
}

function take(tokens: Tokens): void {
  token = { text: tokens.access_token, until: Date.now() + tokens.expires_in * 1000 }
  session.person = subject(tokens.access_token)
  session.state = "in"
}

function forget(): void {
  letGo()
  token = undefined
  session.person = undefined
  session.state = "out"
}

/** Whose token it is (RFC 7519). */
function subject(text: string): string {
  const claims = text.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")
  return JSON.parse(atob(claims)).sub
}
