/* The generation the next prompt goes on from, named above the prompt until it is sent or given up. */

import { make } from "./dom.js";
import { titleOf } from "./wording.js";

const line = document.querySelector("#continuing");
const prompt = document.querySelector("#prompt");
let previous = null;

export const previousId = () => previous;

export function continueFrom(generation) {
  previous = generation.id;
  const stop = make("button", { type: "button", "aria-label": "Start afresh instead" }, "×");
  stop.addEventListener("click", () => {
    startAfresh();
    prompt.focus();
  });
  const link = make("a", { href: `#${generation.id}` }, titleOf(generation));
  line.replaceChildren(make("span", {}, "Continues"), link, stop);
  line.hidden = false;
}

export function startAfresh() {
  previous = null;
  line.replaceChildren(); // the prompt is described by it, also while it is hidden
  line.hidden = true;
}
