/** What needs a login of the last minutes, as it may not be done by somebody who finds the browser open. */
import { FailedError } from "../../api/client"
import { end, logOut } from "../../api/session.svelte"
import { arrival } from "../../ui/arrival"

export class RecentLogin {
  /** The login was too old: `LoggedIn` asks for a new one, and says why. */
  missing = $state(false)

  /** Does it: true, or false if the login is too old; it is ended, and another asked for.
   * @throws FailedError for any other reason. */
  async allows(job: () => Promise<unknown>): Promise<boolean> {
    try {
      await job()
      this.missing = false
    } catch (failed) {
      if (!(failed instanceof FailedError) || failed.code !== "step_up_required") throw failed
      this.missing = arrival.pending = true
      await logOut().catch(end)
    }
    return !this.missing
  }
}
