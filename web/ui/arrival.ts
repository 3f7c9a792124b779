/** The heading of a page takes the focus once after its page was gone to, however late it comes. */
export const arrival = { pending: false }

export function arrive(heading: HTMLElement | null): void {
  if (!heading || !arrival.pending) return
  arrival.pending = false
  heading.focus({ preventScroll: true })
}
