/** `isAway`: there is no network, or the clinic's server does not answer, as far as the page knows. */
import { reach } from "./client"

export const network = $state({ isAway: !navigator.onLine || reach.isAway })

reach.changed = () => (network.isAway = reach.isAway)
addEventListener("offline", () => (network.isAway = true))
addEventListener("online", () => (network.isAway = false))
