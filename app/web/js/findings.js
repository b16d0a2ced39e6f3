/* What the tools found out, each with what it was found in, to be read, and as JSON. */

import { analysis } from "./analysis.js";
import { ask } from "./api.js";
import { link, nameOf, preview, shown } from "./assets.js";
import { make } from "./dom.js";
import { extraction } from "./extraction.js";
import { asJson } from "./json.js";
import { addTracks, playerOf } from "./players.js";
import { transcript } from "./transcript.js";
import { askedOf, toolName } from "./wording.js";

const READERS = {
  analyze_audio: analysis,
  analyze_image: analysis,
  analyze_video: analysis,
  extract_document: extraction,
  transcribe_audio: transcript,
};
const PLAYED = ["video", "speech", "audio"];
const list = document.querySelector("#findings");

export const findsOut = (tool) => tool in READERS;

export const clearFindings = () => list.replaceChildren();

/* Adds what is new; what is shown stays, since it may be open, or playing. */
export function showFindings(generation) {
  for (const step of generation.steps.filter((step) => step.result && step.kind === "tool")) {
    if (list.querySelector(`[data-id="${CSS.escape(step.id)}"]`)) continue;
    list.append(finding(step, generation));
  }
}

function finding(step, generation) {
  const refs = subjects(step, generation);
  const ids = refs.filter((ref) => !ref.startsWith("https:"));
  const body = READERS[step.name]?.(step.result, ids[0]) ?? [];
  const about = make("div", { class: "about" });
  const asked = askedOf(step.arguments ?? {});
  const item = make(
    "li",
    { "data-id": step.id, "data-tool": step.name },
    make("h3", { class: generation.tool ? "unseen" : null }, toolName(step.name)),
    asked && !generation.tool ? make("p", { class: "facts" }, asked) : null,
    about,
    ...body,
    asJson(step.result),
  );
  refs.forEach((ref) => tell(ref, about, step, generation));
  return item;
}

/* What was looked at: ids, and addresses; the id of a recording fetched from an address is known by its subtitles. */
function subjects({ name, arguments: given, asset_ids: made }, { assets }) {
  const parent = assets.find((asset) => made.includes(asset.id) && asset.parent_ids.length)?.parent_ids[0];
  if (name === "transcribe_audio" && parent) return [parent];
  return [given?.audio, given?.video, given?.document, ...(given?.images ?? [])].filter(Boolean);
}

/* A recording gets a player, unless it has one on the page already; anything else a small picture or its name. */
async function tell(ref, about, step, generation) {
  if (ref.startsWith("https:")) {
    about.append(make("a", { href: ref, target: "_blank", rel: "noopener noreferrer" }, ref));
    return;
  }
  const asset = await ask(`assets/${encodeURIComponent(ref)}`).catch(() => null); // it may be deleted by now
  if (!asset) return;
  if (!PLAYED.includes(asset.type)) about.append(link(asset, preview(asset), make("span", { class: "name" }, nameOf(asset))));
  else if (!playerOf(ref)) about.append(shown(asset));
  const files = generation.assets.filter((file) => file.media_type === "text/vtt" && file.parent_ids.includes(ref));
  if (playerOf(ref)) addTracks(playerOf(ref), files, step.result);
}
