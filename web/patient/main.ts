import { mount } from "svelte"
import "../ui/base.css"
import App from "./App.svelte"
import { first } from "./first"
import { keepPages } from "./offline"

await first.times.soon()
mount(App, { target: document.body })
keepPages()
