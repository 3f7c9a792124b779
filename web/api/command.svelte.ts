/** A write of a component on its way: the same one, however often it has to be sent, until it is decided. */
import { onDestroy } from "svelte"
import { body, FailedError, type CommandResource, type Failure } from "./client"
import { remember, remembered } from "./remembered"
import { own } from "./session.svelte"

export type Headers = { "Idempotency-Key": string; Prefer: string }
type Kept<Body> = { kind: string; key: string; body: Body; receipt?: string }
type Ask<Body> = (body: Body, header: Headers) => Promise<{ data?: CommandResource; error?: unknown; response: Response }>

const WAIT_S = 5
const RETRY_MS = 3_000
/** A server that wants us to wait longer has said no, if the command cannot have arrived before. */
const RETRY_MS_MAX = 30_000
/** The keys of commands that were not sent when their page was left. */
const dropped = new Set<string>()

export class Command<Body> {
  /** `kept`: it could not be sent, and is sent again; `failed`: it never will be. */
  state = $state<"none" | "sending" | "pending" | "kept" | "confirmed" | "refused" | "failed">("none")
  /** The number of commands before this one. */
  ahead = $state<number>()
  /** Why it is kept. */
  failure = $state<Failure>()
  /** Why it failed: the code of a problem; `undecidable` if the clinic set the command aside. */
  code = $state("")
  result = $state.raw<CommandResource>()
  #stopped = false
  #key = ""
  #mayHaveArrived = false
  #wake = () => {}

  /** `kind` tells this command from others that this page of the browser's history may keep. */
  constructor(
    readonly kind: string,
    readonly ask: Ask<Body>,
  ) {
    addEventListener("online", this.retry)
    onDestroy(() => this.#stop())
  }

  get busy(): boolean {
    return ["sending", "pending", "kept"].includes(this.state)
  }

  /** Sends it, unless one is on its way. */
  send(body: Body): void {
    if (this.busy) return
    this.#mayHaveArrived = false
    keep({ kind: this.kind, key: newKey(), body })
    void this.#run()
  }

  /** Goes on with what was on its way when the page was loaded anew: its body, if there was any. */
  resume(): Body | undefined {
    const found = kept<Body>()
    if (found?.kind !== this.kind || this.busy || dropped.has(found.key)) return undefined
    this.#mayHaveArrived = true
    void this.#run()
    return found.body
  }

  /** Tries now. */
  retry = (): void => this.#wake()

  /** Ends the waiting; what was sent is decided all the same. */
  #stop(): void {
    this.#stopped = true
    if (this.state === "kept" && !this.#mayHaveArrived) dropped.add(this.#key)
    removeEventListener("online", this.retry)
    this.#wake()
  }

  async #run(): Promise<void> {
    this.state = "sending"
    while (this.busy && !this.#stopped) {
      const now = kept<Body>()
      if (!now) return
      this.#key = now.key
      try {
        this.#answered(now, await this.#asked(now))
      } catch (error) {
        if (!(error instanceof FailedError)) throw error
        await this.#failed(error)
      }
    }
  }

  #asked(now: Kept<Body>): Promise<CommandResource> {
    if (!now.receipt) return body(this.ask(now.body, { "Idempotency-Key": now.key, Prefer: `wait=${WAIT_S}` }))
    const params = { path: { receipt: now.receipt }, query: { wait: WAIT_S } }
    return body(own.GET("/v1/commands/{receipt}", { params }))
  }

  #answered(now: Kept<Body>, command: CommandResource): void {
    if (this.#stopped) return
    this.failure = undefined
    if (command.state === "pending") {
      this.state = "pending"
      this.ahead = command.queue_ahead ?? undefined
      keep({ ...now, receipt: command.receipt })
      return
    }
    this.result = command
    if (command.state === "confirmed") {
      // Kept until the page makes way for the next: loaded anew before that, it asks again.
      this.state = "confirmed"
      return
    }
    keep(undefined)
    if (command.state === "refused") this.state = "refused"
    else this.#end("undecidable")
  }

  async #failed({ failure, code, retryAfterS }: FailedError): Promise<void> {
    if (this.#stopped) return
    const waitMs = retryAfterS ? retryAfterS * 1000 : RETRY_MS
    const isNo = failure === "not_found" || failure === "refused"
    if (isNo || (waitMs > RETRY_MS_MAX && !this.#mayHaveArrived)) {
      keep(undefined)
      this.#end(code ?? "unknown")
      return
    }
    this.state = "kept"
    this.failure = failure
    this.#mayHaveArrived ||= failure !== "offline"
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      setTimeout(resolve, Math.min(waitMs, RETRY_MS_MAX))
    })
  }

  #end(code: string): void {
    this.code = code
    this.state = "failed"
  }
}

const kept = <Body>() => remembered<Kept<Body>>("command")

const keep = (command: Kept<unknown> | undefined) => remember("command", $state.snapshot(command))

function newKey(): string {
  // `crypto.randomUUID` is missing over plain HTTP.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")
}
