/** The address bar: which page is shown, and how to go to another without loading anew. */
import { tick } from "svelte"
import { language } from "../i18n"
import { arrival, arrive } from "../ui/arrival"

const root = `/${language}`
/** A page that nobody sees is not painted. */
const UNSEEN_MS = 100

let url = $state(new URL(location.href))

export const route = {
  /** The parts of the path after the language. */
  get parts(): string[] {
    return url.pathname.slice(root.length).split("/").filter(Boolean)
  },
  get query(): URLSearchParams {
    return url.searchParams
  },
}

/** The address of a page in this language. */
export function href(path: string, query: Record<string, string | undefined> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]))
  const search = new URLSearchParams(given).toString()
  return root + path + (search && `?${search}`)
}

/** Goes to another page: its heading gets the focus. */
export async function go(address: string): Promise<void> {
  if (new URL(address, location.href).href !== location.href) history.pushState(null, "", address)
  await painted() // what was pressed looks so before the work of another page begins
  await show()
}

/** Goes to another page in the place of this one, which is done; `came` says from what. */
export async function replace(address: string, came: string): Promise<void> {
  history.replaceState({ came }, "", address)
  await show()
}

/** Notes a choice in the address of the page that is shown. */
export function note(address: string): void {
  history.replaceState(history.state, "", address)
  url = new URL(location.href)
}

/** Resolves once the page is painted as it is now. */
export function painted(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve))
    setTimeout(resolve, UNSEEN_MS)
  })
}

async function show(): Promise<void> {
  url = new URL(location.href)
  arrival.pending = true
  await tick()
  scrollTo(0, 0)
  arrive(document.querySelector("h1"))
}

addEventListener("popstate", show)

/** For links: those to pages in this language are followed without loading anew. */
export function follow(event: MouseEvent): void {
  const link = (event.target as Element).closest("a")
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
  if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return
  const { origin, pathname, hash } = new URL(link.href)
  if (origin !== location.origin || hash || !`${pathname}/`.startsWith(`${root}/`)) return
  event.preventDefault()
  void go(link.href)
}
