/* What came of it: pictures, players, files, the answer, the warnings, the cost. */

import { actionsFor, offerToContinue } from "./actions.js";
import { address, kindOf, link, linked, measures, preview, shown } from "./assets.js";
import { make, say } from "./dom.js";
import { longText } from "./fold.js";
import { money, weight } from "./wording.js";

const works = document.querySelector("#assets");
const files = document.querySelector("#files-made");
const response = document.querySelector("#response");
const warnings = document.querySelector("#warnings");
const receipt = document.querySelector("#receipt");
let latest = null;

export function clearResults() {
  for (const list of [works, files]) list.replaceChildren();
  for (const element of [response, warnings, receipt]) element.hidden = true;
}

/* Adds what is new in its place; what is shown stays as it is, since it may be playing. */
export function showAssets(generation) {
  latest = generation;
  const documents = generation.assets.filter((asset) => asset.type === "document");
  const others = generation.assets.filter((asset) => asset.type !== "document");
  for (const [list, assets] of [[works, others], [files, documents]]) {
    assets.forEach((asset, place) => {
      const item = list.querySelector(`[data-id="${CSS.escape(asset.id)}"]`) ?? added(list, asset, place);
      const facts = item.querySelector(".facts");
      if (facts) facts.textContent = factsOf(asset, generation);
    });
  }
}

export function showResults(generation) {
  // What a tool called alone has found is shown by itself, and its answer only says it again.
  say(response, null);
  if (generation.response && !generation.result) {
    response.hidden = false;
    response.replaceChildren(longText(generation.response, ...linked(generation.response, generation.assets)));
  }
  warnings.hidden = !generation.warnings.length;
  warnings.replaceChildren(...generation.warnings.map((warning) => make("li", {}, warning)));
  receipt.hidden = false;
  receipt.replaceChildren(
    make("span", { id: "cost" }, cost(generation)),
    make("a", { href: `generations/${generation.id}`, target: "_blank", rel: "noopener" }, "As JSON"),
    offerToContinue(generation),
  );
}

function added(list, asset, place) {
  const item = make("li", { "data-id": asset.id, "data-type": asset.type }, list === files ? file(asset) : figure(asset));
  list.insertBefore(item, list.children[place] ?? null);
  return item;
}

function figure(asset) {
  const download = make("a", { href: address(asset, "content", { download: 1 }), download: true }, "Download");
  const caption = make("figcaption", {}, make("span", { class: "facts" }), download, actionsFor(asset, () => latest));
  return make("figure", {}, shown(asset), caption);
}

function file(asset) {
  const name = asset.filename ?? `${kindOf(asset)} file`;
  const words = make("span", { class: "name" }, name, make("small", {}, weight(asset.bytes)));
  return link(asset, preview(asset), words, make("span", { "aria-hidden": "true" }, "↓"));
}

function factsOf(asset, generation) {
  const cost = asset.reused_from ? "reused" : price(asset.cost_usd);
  return [variant(asset, generation), asset.model, measures(asset), cost].filter(Boolean).join(" · ");
}

/* Which of several that one call made. */
function variant(asset, generation) {
  const ids = generation.steps.find((step) => step.asset_ids.includes(asset.id))?.asset_ids ?? [];
  return ids.length > 1 ? `${ids.indexOf(asset.id) + 1} of ${ids.length}` : null;
}

/* Unknown is not zero. */
function price(usd) {
  return usd === null ? "cost not known" : money(usd);
}

function cost(generation) {
  if (generation.cost_usd === null) return "Cost: not known";
  return `Cost: ${money(generation.cost_usd)}${generation.cost_is_complete ? "" : ", and a part that is not known"}`;
}
