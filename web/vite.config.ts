import { readFileSync } from "node:fs"
import { svelte } from "@sveltejs/vite-plugin-svelte"
import { defineConfig, type Plugin } from "vite"
import { drawn } from "./icons.ts"

/** The home screen of iOS, and what others ask for: the manifest names all that are here. */
const ICON_SIZES = [180, 192, 512]

/** Ships the catalogues: the server puts the words of a page's language into it. */
function words(): Plugin {
  return {
    name: "words",
    generateBundle() {
      for (const language of ["en", "de"]) {
        const source = readFileSync(new URL(`i18n/${language}.json`, import.meta.url), "utf8")
        this.emitFile({ type: "asset", fileName: `words/${language}.json`, source })
      }
    },
  }
}

/** Ships the icon: the server puts the clinic's colours into it. */
function icons(): Plugin {
  return {
    name: "icons",
    generateBundle() {
      const source = readFileSync(new URL("icon.svg", import.meta.url), "utf8")
      this.emitFile({ type: "asset", fileName: "icons/icon.svg", source })
      for (const size of ICON_SIZES) {
        this.emitFile({ type: "asset", fileName: `icons/icon-${size}.png`, source: drawn(source, size) })
      }
    },
  }
}

const FIRST = '<script type="module" async crossorigin src="$1"></script>'

/** Has the page run what asks first (`patient/first.ts`) as soon as that is there. */
function first(): Plugin {
  return {
    name: "first",
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replace(/<link rel="modulepreload" crossorigin href="([^"]+)">/, FIRST),
    },
  }
}

export default defineConfig({
  plugins: [svelte(), words(), icons(), first()],
  build: {
    outDir: "../ingress/pages/built",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ["patient.html", "sw.ts"],
      output: {
        // With all that it needs.
        codeSplitting: { groups: [{ name: "first", test: /patient.first\.ts$/ }] },
        // The service worker's address stays the same, so that browsers find a newer one.
        entryFileNames: ({ name }) => (name === "sw" ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
})
