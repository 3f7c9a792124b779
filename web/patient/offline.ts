/** Has the service worker (`sw.ts`) keep the pages, once this one is loaded. */
type Policies = { createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string } }

const SCRIPT = "/sw.js"

export function keepPages(): void {
  if (!navigator.serviceWorker) return
  const { trustedTypes } = window as { trustedTypes?: Policies }
  const policy = trustedTypes?.createPolicy("clinic-sw", { createScriptURL: (url) => url })
  const register = () => void navigator.serviceWorker.register(policy ? policy.createScriptURL(SCRIPT) : SCRIPT).catch(() => {})
  if (document.readyState === "complete") register()
  else addEventListener("load", register)
}
