/* What to work with: files, addresses and earlier results, shown as chips until the prompt is sent. */

import { post } from "./api.js";
import { link, measures, nameOf, preview } from "./assets.js";
import { make, say } from "./dom.js";

const form = document.querySelector("#request");
const prompt = document.querySelector("#prompt");
const chooser = document.querySelector("#files");
const list = document.querySelector("#inputs");
const problem = document.querySelector("#request-problem");
const inputs = new Map();

/* Ids and addresses, once all uploads have arrived. */
export async function inputRefs() {
  return (await Promise.all(inputs.values())).filter(Boolean);
}

export function clearInputs() {
  inputs.clear();
  list.replaceChildren();
  list.hidden = true;
}

export function attachAsset(asset) {
  if (list.querySelector(`[data-id="${CSS.escape(asset.id)}"]`)) return;
  const chip = added(nameOf(asset));
  fill(chip, asset);
  inputs.set(chip, asset.id);
}

export function attachAddress(url) {
  const chip = added(url.replace(/^https:\/\//, ""));
  chip.prepend(make("span", { class: "kind" }, "Link"));
  inputs.set(chip, url);
}

function attachFile(file) {
  const chip = added(file.name);
  chip.setAttribute("aria-busy", "true");
  chip.prepend(make("span", { class: "kind" }, "…"));
  inputs.set(chip, upload(file, chip));
}

async function upload(file, chip) {
  const body = new FormData();
  body.append("file", file);
  try {
    const asset = await post("files", body);
    chip.removeAttribute("aria-busy");
    fill(chip, asset);
    return asset.id;
  } catch (error) {
    detach(chip);
    say(problem, `${file.name}: ${error.message}`);
    return null;
  }
}

function added(name) {
  const remove = make("button", { type: "button", "aria-label": `Remove ${name}` }, "×");
  const chip = make("li", { title: name }, make("span", { class: "name" }, name), remove);
  remove.addEventListener("click", () => {
    detach(chip);
    prompt.focus();
  });
  list.append(chip);
  list.hidden = false;
  return chip;
}

/* What the server found the file to be. */
function fill(chip, asset) {
  chip.dataset.id = asset.id;
  const name = chip.querySelector(".name");
  chip.querySelector(".kind")?.remove();
  chip.prepend(preview(asset));
  name.replaceChildren(link(asset, name.textContent), make("small", {}, measures(asset)));
}

function detach(chip) {
  inputs.delete(chip);
  chip.remove();
  list.hidden = !inputs.size;
}

function attachAll(event, files) {
  if (!files?.length) return;
  event.preventDefault();
  say(problem, null);
  [...files].forEach(attachFile);
}

chooser.addEventListener("change", (event) => {
  attachAll(event, chooser.files);
  chooser.value = "";
});
form.addEventListener("dragover", (event) => event.preventDefault());
form.addEventListener("drop", (event) => attachAll(event, event.dataTransfer.files));
prompt.addEventListener("paste", (event) => attachAll(event, event.clipboardData.files));
