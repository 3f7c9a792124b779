/** Files that the API gives. */
import { answered } from "../api/client"

/** Has the browser save an answer that was asked for with `parseAs: "blob"`.
 * @throws FailedError */
export async function download(asked: Parameters<typeof answered>[0], name: string): Promise<void> {
  const { data } = await answered(asked)
  const address = URL.createObjectURL(data as Blob)
  const link = document.createElement("a")
  link.href = address
  link.download = name
  link.click()
  URL.revokeObjectURL(address)
}
