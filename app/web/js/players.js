/* Players: going to a time in a recording, and the subtitles that belong to it. */

import { address } from "./assets.js";
import { make } from "./dom.js";
import { clockTime } from "./wording.js";

export const playerOf = (id) => document.querySelector(`[data-player="${CSS.escape(id)}"]`);

/* A time that can be clicked: the recording plays from there. Only the time, where there is no player. */
export function timeButton(at, id) {
  const words = clockTime(at);
  if (!id) return make("span", { class: "time" }, words);
  const button = make("button", { type: "button", class: "time", "aria-label": `Play from ${words}` }, words);
  button.addEventListener("click", () => {
    const player = playerOf(id);
    if (!player) return;
    player.currentTime = at;
    player.play().catch(() => {});
  });
  return button;
}

/* The WebVTT files made from a recording, as tracks of its player; the first is shown. */
export function addTracks(player, files, { language, translated_into: translated }) {
  for (const file of files) {
    const src = address(file, "content");
    if (player.querySelector(`track[src="${src}"]`)) continue;
    const own = !file.filename?.startsWith("translation");
    const spoken = own && /^[a-z]{2,3}$/.test(language ?? "") ? language : null;
    const name = own ? (spoken ?? "As spoken") : (translated ?? "Translation");
    const first = !player.querySelector("track");
    player.append(make("track", { kind: "subtitles", src, label: name, srclang: spoken ?? "und", default: first }));
  }
}
