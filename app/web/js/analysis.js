/* What was seen or heard: the answer, the description, and the facts beside them. */

import { make } from "./dom.js";
import { longList, longText } from "./fold.js";
import { timeButton } from "./players.js";
import { label } from "./wording.js";

const FACTS = ["scene", "style", "colors", "objects", "text_in_image", "tone", "language", "speakers", "sound", "sounds", "key_themes"];
const NAMES = { colors: "Colours", text_in_image: "Text in it", key_themes: "Themes" };

/* `id` is the asset that can be played, if there is one. */
export function analysis(found, id) {
  const texts = [found.answer, found.description, found.summary].filter(Boolean).map((text) => longText(text));
  if (found.answer) texts[0].classList.add("answer");
  return [...texts, ...moments(found.moments ?? [], id), facts(found)];
}

function moments(all, id) {
  if (!all.length) return [];
  const line = ({ at_s: at, what }) => make("li", {}, timeButton(at, id), make("span", { class: "said" }, what));
  const list = (some, offset) => make("ol", { class: "transcript", start: offset + 1 }, ...some.map(line));
  return longList(all, list, "moments");
}

function facts(found) {
  const known = FACTS.filter((name) => found[name]?.length);
  const rows = known.map((name) => make("div", {}, make("dt", {}, NAMES[name] ?? label(name)), make("dd", {}, words(found[name]))));
  return make("dl", { class: "known", hidden: !known.length }, ...rows);
}

function words(value) {
  if (!Array.isArray(value)) return String(value);
  return value.map((one) => (typeof one === "object" ? [one.name, one.description].filter(Boolean).join(": ") : one)).join(", ");
}
