/** What this entry of the browser's history keeps for whoever is logged in: it outlives a reload, belongs to this tab, and
 * is no storage. Nobody else who logs in here gets to see it. */
import { session } from "./session.svelte"

export function remembered<T>(name: string): T | undefined {
  const found = history.state?.[name]
  return found && found.whose === session.person ? found.what : undefined
}

export function remember(name: string, what: unknown): void {
  const found = what === undefined ? undefined : { whose: session.person, what }
  history.replaceState({ ...history.state, [name]: found }, "")
}
