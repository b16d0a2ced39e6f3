/* What is said in a recording: lines with their times, the one that plays marked, and a translation. */

import { make } from "./dom.js";
import { longList, longText } from "./fold.js";
import { timeButton } from "./players.js";
import { seconds } from "./wording.js";

/* `id` is the asset that can be played, if there is one. */
export function transcript(found, id) {
  const facts = [found.language, found.duration_s && seconds(found.duration_s), found.source].filter(Boolean).join(" · ");
  const lines = found.segments?.length
    ? longList(found.segments, (segments, offset) => list(segments, offset, id), "lines")
    : [longText(found.text || "Nothing is said in it.")];
  const translated = found.translation
    ? [make("h4", {}, `In ${found.translated_into}`), longText(found.translation)]
    : [];
  return [make("p", { class: "facts" }, facts), ...lines, ...translated];
}

function list(segments, offset, id) {
  const lines = segments.map((segment) => {
    const speaker = segment.speaker ? make("b", {}, segment.speaker) : null;
    const said = make("span", { class: "said" }, speaker, segment.text);
    return make("li", { "data-from": segment.start_s, "data-to": segment.end_s }, timeButton(segment.start_s, id), said);
  });
  return make("ol", { class: "transcript", start: offset + 1, "data-of": id }, ...lines);
}

/* Events of players do not rise through the page, but they can be met on their way down. */
document.addEventListener("timeupdate", mark, true);

function mark({ target: player }) {
  const id = player.dataset.player;
  if (!id) return;
  for (const line of document.querySelectorAll(`.transcript[data-of="${CSS.escape(id)}"] li`)) {
    const now = line.dataset.from <= player.currentTime && player.currentTime < line.dataset.to;
    if (now) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  }
}
