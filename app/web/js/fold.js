/* Long things: their beginning, and a button that shows the rest. */

import { make } from "./dom.js";

const LONG_TEXT = 900;
const LONG_LIST = 12;

/* A text as a paragraph; of a long one only some lines until the rest is wanted. `parts` are the text with links. */
export function longText(text, ...parts) {
  const paragraph = make("p", { class: "prose" }, ...(parts.length ? parts : [text]));
  if (text.length <= LONG_TEXT) return paragraph;
  paragraph.classList.add("clamped");
  const button = folding("Show all of it", (open) => paragraph.classList.toggle("clamped", !open));
  paragraph.addEventListener("focusin", () => paragraph.classList.contains("clamped") && button.click());
  return make("div", {}, paragraph, button);
}

/* `of(items, offset)` makes the element that holds some of the items. */
export function longList(items, of, words) {
  if (items.length <= LONG_LIST + 3) return [of(items, 0)];
  const rest = of(items.slice(LONG_LIST), LONG_LIST);
  rest.hidden = true;
  return [of(items.slice(0, LONG_LIST), 0), rest, folding(`Show all ${items.length} ${words}`, (open) => (rest.hidden = !open))];
}

function folding(words, change) {
  const button = make("button", { type: "button", class: "small", "aria-expanded": "false" }, words);
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "Show less" : words;
    change(open);
  });
  return button;
}
