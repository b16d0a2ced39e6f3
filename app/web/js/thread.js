/* What a generation continues: the prompts and answers before it, oldest first. */

import { ask } from "./api.js";
import { address, linked } from "./assets.js";
import { make } from "./dom.js";
import { titleOf } from "./wording.js";

const MOST = 8;
const MOST_PICTURES = 6;
const thread = document.querySelector("#thread");
const list = thread.querySelector("ol");

export function clearThread() {
  thread.hidden = true;
  list.replaceChildren();
}

/* `wanted` tells whether the generation is still the one on the page. */
export async function showThread(generation, wanted) {
  let id = generation.previous_id;
  for (let count = 0; id && count < MOST; count++) {
    const earlier = await ask(`generations/${id}`).catch(() => null); // it may be deleted by now
    if (!earlier || !wanted()) return;
    list.prepend(entry(earlier));
    thread.hidden = false;
    id = earlier.previous_id;
  }
}

function entry(generation) {
  const pictures = generation.assets.filter((asset) => asset.thumbnail_url).slice(0, MOST_PICTURES);
  const thumbnails = pictures.map((asset) =>
    make("img", { class: "preview", src: address(asset, "thumbnail"), alt: asset.prompt ?? asset.type, width: 48, height: 48 }),
  );
  return make(
    "li",
    {},
    make("a", { href: `#${generation.id}` }, titleOf(generation)),
    make("p", {}, ...linked(generation.response ?? "", generation.assets)),
    thumbnails.length ? make("div", { class: "pictures" }, ...thumbnails) : null,
  );
}
