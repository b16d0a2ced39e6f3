/* What came of it: pictures, players, the answer, the warnings, the cost. */

import { make, say } from "./dom.js";
import { money, seconds } from "./wording.js";

const THUMBNAIL_PX = 512;
const list = document.querySelector("#assets");
const response = document.querySelector("#response");
const warnings = document.querySelector("#warnings");
const receipt = document.querySelector("#receipt");

export function clearResults() {
  list.replaceChildren();
  for (const element of [response, warnings, receipt]) element.hidden = true;
}

/* Adds what is new in its place; what is shown stays as it is, since it may be playing. */
export function showAssets(assets) {
  assets.forEach((asset, place) => {
    let item = list.querySelector(`[data-id="${CSS.escape(asset.id)}"]`);
    if (!item) {
      item = make("li", { "data-id": asset.id, "data-type": asset.type }, figure(asset));
      list.insertBefore(item, list.children[place] ?? null);
    }
    item.querySelector(".facts").textContent = facts(asset);
  });
}

export function showResults(generation) {
  say(response, generation.response);
  warnings.hidden = !generation.warnings.length;
  warnings.replaceChildren(...generation.warnings.map((warning) => make("li", {}, warning)));
  receipt.hidden = false;
  receipt.replaceChildren(
    make("span", { id: "cost" }, cost(generation)),
    make("a", { href: `generations/${generation.id}`, target: "_blank", rel: "noopener" }, "As JSON"),
  );
}

/* Unknown is not zero. */
function price(usd) {
  return usd === null ? "cost not known" : money(usd);
}

function cost(generation) {
  if (generation.cost_usd === null) return "Cost: not known";
  return `Cost: ${money(generation.cost_usd)}${generation.cost_is_complete ? "" : ", and a part that is not known"}`;
}

/* The address as seen from here: the server may be known by another name outside, and this page asks its own only. */
function address(asset, of, more = {}) {
  const query = new URLSearchParams({ ...Object.fromEntries(new URL(asset.url).searchParams), ...more }).toString();
  return `assets/${asset.id}/${of}${query && "?"}${query}`;
}

function figure(asset) {
  const download = make("a", { href: address(asset, "content", { download: 1 }), download: true }, "Download");
  const caption = make("figcaption", {}, make("span", { class: "facts" }), download);
  return make("figure", {}, shown(asset), caption);
}

function shown(asset) {
  const src = address(asset, "content");
  const words = asset.prompt ?? asset.filename ?? asset.type;
  const size = { width: asset.width, height: asset.height };
  switch (asset.type) {
    case "image":
      return make(
        "a",
        { href: src, target: "_blank", rel: "noopener" },
        make("img", { src: address(asset, "thumbnail"), ...sharper(asset), alt: words, ...size }),
      );
    case "video": {
      const poster = address(asset, "thumbnail");
      return make("video", { src, poster, controls: true, preload: "metadata", playsinline: true, "aria-label": words, ...size });
    }
    case "speech":
    case "audio":
      return make("audio", { src, controls: true, preload: "metadata", "aria-label": words });
    default:
      return null;
  }
}

/* The picture itself where the thumbnail would be coarse: on a wide or a dense screen. */
function sharper(asset) {
  if (!asset.width) return {};
  const small = Math.round(asset.width * Math.min(1, THUMBNAIL_PX / Math.max(asset.width, asset.height)));
  const srcset = `${address(asset, "thumbnail")} ${small}w, ${address(asset, "content")} ${asset.width}w`;
  return { loading: "lazy", srcset, sizes: "auto, (min-width: 48rem) 21rem, 100vw" };
}

function facts(asset) {
  const size = asset.width ? `${asset.width} × ${asset.height}` : null;
  const length = asset.duration_s ? seconds(asset.duration_s) : null;
  const cost = asset.reused_from ? "reused" : price(asset.cost_usd);
  return [asset.model, size, length, cost].filter(Boolean).join(" · ");
}
