/** The service worker: the pages open without a network, too, and then say so.
 *
 * It keeps the pages and the files that they name, and nothing from the API.
 */
const worker = self as unknown as ServiceWorkerGlobalScope

const CACHE = "clinic-pages"
const ROOTS = ["/en", "/de"]
const ASSETS = "/assets/"
const NAMED = /(?:href|src)="(\/[^"]+)"/g

/** Once in the life of a worker, which is about a visit. */
let keeping: Promise<void> | undefined

worker.addEventListener("install", (event) => event.waitUntil(keepPages().then(() => worker.skipWaiting())))
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()))

worker.addEventListener("fetch", (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== "GET" || origin !== location.origin || pathname.startsWith("/v1/")) return
  if (request.mode !== "navigate") {
    event.respondWith(file(request))
    return
  }
  if (pathname === "/") {
    event.respondWith(fetch(request).catch(home))
    return
  }
  // A language's HTML is the same at every address.
  const root = ROOTS.find((each) => `${pathname}/`.startsWith(`${each}/`))
  if (!root) return
  event.respondWith(fetched(request, root))
  event.waitUntil((keeping ??= keepPages().catch(() => {})))
})

/** What has a hash in its name never changes; the rest is asked for, and the kept one is the second choice. */
async function file(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  const kept = pathname.startsWith(ASSETS) ? await caches.match(pathname) : undefined
  return kept ?? fetched(request, pathname)
}

async function fetched(request: Request, otherwise: string): Promise<Response> {
  try {
    return await fetch(request)
  } catch {
    return (await caches.match(otherwise)) ?? Response.error()
  }
}

/** To the first page that is kept, in a language that the browser prefers: where the server would lead. */
async function home(): Promise<Response> {
  const roots: string[] = []
  for (const root of ROOTS) if (await caches.match(root)) roots.push(root)
  const wanted = worker.navigator.languages.map((language) => `/${language.slice(0, 2)}`)
  const root = wanted.find((each) => roots.includes(each)) ?? roots[0]
  return root ? Response.redirect(root) : Response.error()
}

/** Keeps the pages of now, their files first, and lets go of those of earlier releases. */
async function keepPages(): Promise<void> {
  const cache = await caches.open(CACHE)
  const pages = new Map<string, Response>()
  const files = new Set<string>()
  for (const root of ROOTS) {
    const page = await fetch(root)
    if (!page.ok) continue // the clinic's pages do not have this language
    pages.set(root, page.clone())
    for (const [, path] of (await page.text()).matchAll(NAMED)) files.add(path!)
  }
  await cache.addAll(files)
  for (const [root, page] of pages) await cache.put(root, page)
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url)
    if (!pages.has(pathname) && !files.has(pathname)) await cache.delete(request)
  }
}
