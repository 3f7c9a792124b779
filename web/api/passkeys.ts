/** Passkeys (WebAuthn): what this browser's authenticators are asked, and what they answer. */
import { answered, api, body, type FailedError, type Tokens } from "./client"
import { clinic } from "./page"
import { own } from "./session.svelte"

/** This browser can use passkeys, and this page has the address that they belong to. */
export const canUsePasskeys =
  location.origin === clinic.passkey_origin &&
  "PublicKeyCredential" in window &&
  "parseRequestOptionsFromJSON" in PublicKeyCredential

/** Tokens for the passkey that the patient chooses; none if they choose none.
 * @throws FailedError */
export async function logInByPasskey(): Promise<Tokens | undefined> {
  const { challenge_id, public_key } = await body(api.POST("/v1/auth/passkeys/options"))
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(public_key as never)
  const passkey = await chosen(navigator.credentials.get({ publicKey: options }))
  if (!passkey) return undefined
  const login = { challenge_id, passkey: passkey.toJSON(), session: "cookie" as const }
  return body(api.POST("/v1/auth/tokens", { body: login }))
}

/** `already`: the authenticator has one of this patient; `none`: nothing was added.
 * @throws FailedError */
export async function addPasskey(name: string): Promise<"added" | "already" | "none"> {
  const { challenge_id, public_key } = await body(own.POST("/v1/me/passkeys/options"))
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(public_key as never)
  try {
    const passkey = await chosen(navigator.credentials.create({ publicKey: options }))
    if (!passkey) return "none"
    const adding = own.POST("/v1/me/passkeys", { body: { challenge_id, name, passkey: passkey.toJSON() } })
    await answered(adding).catch((failed: FailedError) => {
      // Where no answer came, the clinic may know it all the same.
      if (failed.problem) forgetOnDevice(options.rp.id, passkey.id)
      throw failed
    })
    return "added"
  } catch (error) {
    if (error instanceof DOMException && error.name === "InvalidStateError") return "already"
    throw error
  }
}

type Signalling = {
  signalUnknownCredential?: (options: { rpId: string | undefined; credentialId: string }) => Promise<void>
}

/** Has the device remove a passkey that the clinic does not know (WebAuthn Level 3, 5.1.10), if its browser can. */
function forgetOnDevice(rpId: string | undefined, credentialId: string): void {
  void (PublicKeyCredential as Signalling).signalUnknownCredential?.({ rpId, credentialId }).catch(() => {})
}

async function chosen(asked: Promise<Credential | null>): Promise<PublicKeyCredential | undefined> {
  try {
    return ((await asked) as PublicKeyCredential | null) ?? undefined
  } catch (error) {
    // Closed, too late, or there is no authenticator: browsers do not tell which.
    if (error instanceof DOMException && error.name !== "InvalidStateError") return undefined
    throw error
  }
}
