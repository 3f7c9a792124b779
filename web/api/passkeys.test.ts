import { beforeEach, describe, expect, it, vi } from "vitest"

const ORIGIN = "http://localhost:8000"
const PASSKEY = { id: "AAEC", toJSON: () => ({ id: "AAEC" }) }
const PROBLEM = { code: "store_unavailable", status: 503 }

const post = vi.hoisted(() => vi.fn())
vi.mock("./session.svelte", () => ({ own: { POST: post } }))

/** The server answers the new passkey in this way; `signal` is what the browser has for telling its devices. */
async function adding(answer: () => Promise<unknown>, signal?: (options: object) => Promise<void>) {
  const options = { challenge_id: "c", public_key: { rp: { id: "localhost" } } }
  post.mockReset()
  post.mockResolvedValueOnce({ data: options, response: new Response() }).mockImplementationOnce(answer)
  const browser = { parseCreationOptionsFromJSON: (json: object) => json, signalUnknownCredential: signal }
  vi.stubGlobal("PublicKeyCredential", browser)
  const { addPasskey } = await import("./passkeys")
  return addPasskey("my phone")
}

const refused = (status: number) => async () => ({ error: { ...PROBLEM, status }, response: new Response("", { status }) })

describe("a new passkey", () => {
  const signal = vi.fn(() => Promise.resolve())

  beforeEach(() => {
    signal.mockClear()
    const page = JSON.stringify({ clinic: { passkey_origin: ORIGIN }, words: {} })
    vi.stubGlobal("document", { getElementById: () => ({ textContent: page }) })
    vi.stubGlobal("location", { origin: ORIGIN })
    vi.stubGlobal("window", {})
    vi.stubGlobal("navigator", { onLine: true, credentials: { create: async () => PASSKEY } })
  })

  it.each([503, 401, 409])("that the clinic refused with %i is none of the device's", async (status) => {
    await expect(adding(refused(status), signal)).rejects.toThrow("store_unavailable")
    expect(signal).toHaveBeenCalledExactlyOnceWith({ rpId: "localhost", credentialId: "AAEC" })
  })

  it("stays on the device if the clinic knows it", async () => {
    await expect(adding(async () => ({ data: {}, response: new Response() }), signal)).resolves.toBe("added")
    expect(signal).not.toHaveBeenCalled()
  })

  it("stays on the device if no answer came: the clinic may know it", async () => {
    await expect(adding(() => Promise.reject(new TypeError()), signal)).rejects.toThrow("unavailable")
    expect(signal).not.toHaveBeenCalled()
  })

  it("that was refused is told in a browser that cannot signal, or whose device cannot", async () => {
    await expect(adding(refused(503))).rejects.toThrow("store_unavailable")
    await expect(adding(refused(503), () => Promise.reject(new Error()))).rejects.toThrow("store_unavailable")
  })
})
