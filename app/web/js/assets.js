/* An asset as the page knows it: where it is, what to call it, how to show it. */

import { make } from "./dom.js";
import { seconds, weight } from "./wording.js";

const THUMBNAIL_PX = 512;
const KINDS = { image: "Picture", video: "Clip", speech: "Narration", audio: "Sound", document: "File" };
const FILE_TYPES = { "application/pdf": "PDF", "application/x-subrip": "SRT", "text/plain": "Text", "text/vtt": "VTT" };

export const kindOf = (asset) => FILE_TYPES[asset.media_type] ?? KINDS[asset.type];

export const nameOf = (asset) => asset.filename || asset.prompt || kindOf(asset);

/* The address as seen from here: the server may be known by another name outside, and this page asks its own only. */
export function address(asset, of, more = {}) {
  const query = new URLSearchParams({ ...Object.fromEntries(new URL(asset.url).searchParams), ...more }).toString();
  return `assets/${asset.id}/${of}${query && "?"}${query}`;
}

/* What it measures: pixels, seconds, or bytes where it has neither. */
export function measures(asset) {
  const size = asset.width ? `${asset.width} × ${asset.height}` : null;
  const length = asset.duration_s ? seconds(asset.duration_s) : null;
  return [size, length].filter(Boolean).join(" · ") || weight(asset.bytes);
}

/* Small: a thumbnail, or the kind in letters. */
export function preview(asset) {
  if (asset.thumbnail_url === null) return make("span", { class: "kind" }, kindOf(asset));
  return make("img", { class: "preview", src: address(asset, "thumbnail"), alt: "", width: 40, height: 40 });
}

/* Opens where the browser shows it; a document is saved, since none is shown in place. */
export function link(asset, ...children) {
  const saved = asset.type === "document";
  const target = saved ? { download: true } : { target: "_blank", rel: "noopener" };
  return make("a", { href: address(asset, "content", saved ? { download: 1 } : {}), ...target }, ...children);
}

/* A text, with the assets it names by their ids as links. */
export function linked(text, assets) {
  return text.split(/(asset_[0-9a-z]{26})/).map((part) => {
    const asset = assets.find((asset) => asset.id === part);
    return asset ? link(asset, kindOf(asset)) : part;
  });
}

/* Large: the picture, or a player. Null for a document. */
export function shown(asset) {
  const words = nameOf(asset);
  const size = { width: asset.width, height: asset.height };
  const player = { src: address(asset, "content"), controls: true, preload: "metadata", "aria-label": words, "data-player": asset.id };
  switch (asset.type) {
    case "image":
      return link(asset, make("img", { src: address(asset, "thumbnail"), ...sharper(asset), alt: words, ...size }));
    case "video":
      return make("video", { ...player, poster: address(asset, "thumbnail"), playsinline: true, ...size });
    case "speech":
    case "audio":
      return make("audio", player);
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
