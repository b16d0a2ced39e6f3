/* A value as JSON, to be copied or looked at. */

import { make } from "./dom.js";

export function asJson(value) {
  const text = JSON.stringify(value, null, 2);
  const copy = make("button", { type: "button", class: "small" }, "Copy as JSON");
  const code = make("pre", { tabindex: 0 });
  const details = make("details", {}, make("summary", {}, "Show JSON"), code);
  const write = () => code.textContent || (code.textContent = text); // not before, as it may be long
  details.addEventListener("toggle", write);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy as JSON"), 2000);
    } catch {
      // Browsers keep the clipboard from pages served without TLS: then it is marked, to be copied by hand.
      details.open = true;
      write();
      getSelection().selectAllChildren(code);
    }
  });
  return make("div", { class: "json" }, copy, details);
}
