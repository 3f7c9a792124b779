/** `isAway`: there is no network, or the clinic's server does not answer, as far as the page knows. */
export const network = $state({ isAway: !navigator.onLine })

addEventListener("offline", () => (network.isAway = true))
addEventListener("online", () => (network.isAway = false))
