/* The generations before, each a link that opens it. */

import { ask } from "./api.js";
import { make } from "./dom.js";
import { titleOf, when } from "./wording.js";

const nav = document.querySelector("#history");
const list = nav.querySelector("ol");

async function load() {
  const page = await ask("generations?limit=20").catch(() => null);
  if (!page) return;
  const focused = list.contains(document.activeElement) ? document.activeElement.hash : null;
  list.replaceChildren(...page.data.map((generation) => make("li", {}, link(generation))));
  if (focused) list.querySelector(`a[href="${focused}"]`)?.focus();
  nav.hidden = !page.data.length;
  mark();
}

function link(generation) {
  const state = generation.status === "completed" ? "" : ` · ${generation.status}`;
  const title = make("span", { class: "title" }, titleOf(generation));
  return make("a", { href: `#${generation.id}` }, title, make("small", {}, when(generation.created_at) + state));
}

function mark() {
  for (const link of list.querySelectorAll("a")) {
    if (link.hash === location.hash) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

addEventListener("hashchange", mark);
document.addEventListener("generation:begun", load);
document.addEventListener("generation:ended", load);
load();
