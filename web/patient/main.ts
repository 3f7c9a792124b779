import { mount } from "svelte"
import "../ui/base.css"
import App from "./App.svelte"
import { keepPages } from "./offline"

mount(App, { target: document.body })
keepPages()
