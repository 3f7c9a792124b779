/** Draws the icon as PNG, for home screens that take no SVG.
 *
 * Its red, green and blue stand for the clinic's colours, which the server puts in their place: a colour of the
 * palette says how much of each a pixel has, as pixels at edges have some of two.
 */
import { readFileSync } from "node:fs"
import { crc32, deflateSync } from "node:zlib"
import { initWasm, Resvg } from "@resvg/resvg-wasm"

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const PALETTE_TYPE = 3
/** Of a channel: with as many as this, all mixtures of three colours fit into a palette. */
const LEVELS = 15
const STEP = 255 / LEVELS

await initWasm(readFileSync(new URL(import.meta.resolve("@resvg/resvg-wasm/index_bg.wasm"))))

/** A square PNG with a palette (ISO/IEC 15948). */
export function drawn(svg: string, size: number): Buffer {
  const { pixels } = new Resvg(svg, { fitTo: { mode: "width", value: size } }).render()
  const palette = new Map<string, number>()
  const rows = Buffer.alloc(size * (size + 1)) // each begins with the filter "none"
  for (let index = 0; index < size * size; index++) {
    const [green, blue] = [1, 2].map((channel) => Math.round(pixels[4 * index + channel]! / STEP)) as [number, number]
    const colour = [LEVELS - green - blue, green, blue].map((level) => level * STEP).join()
    if (!palette.has(colour)) palette.set(colour, palette.size)
    rows[index + Math.floor(index / size) + 1] = palette.get(colour)!
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(size, 4)
  header.set([8, PALETTE_TYPE], 8)
  const colours = Buffer.from([...palette.keys()].flatMap((colour) => colour.split(",").map(Number)))
  const parts = { IHDR: header, PLTE: colours, IDAT: deflateSync(rows, { level: 9 }), IEND: Buffer.alloc(0) }
  return Buffer.concat([SIGNATURE, ...Object.entries(parts).map(([type, data]) => chunk(type, data))])
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data])
  const [length, check] = [data.length, crc32(named)].map((value) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return bytes
  }) as [Buffer, Buffer]
  return Buffer.concat([length, named, check])
}
