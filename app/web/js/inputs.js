/* Files to work with: chosen or dropped, uploaded at once, shown as chips until the prompt is sent. */

import { post } from "./api.js";
import { make, say } from "./dom.js";

const form = document.querySelector("#request");
const chooser = document.querySelector("#files");
const list = document.querySelector("#inputs");
const problem = document.querySelector("#request-problem");
const uploads = new Map();

/* The assets' ids, once all uploads have arrived. */
export async function inputIds() {
  const assets = await Promise.all(uploads.values());
  return assets.filter(Boolean).map((asset) => asset.id);
}

export function clearInputs() {
  uploads.clear();
  list.replaceChildren();
  list.hidden = true;
}

function attach(file) {
  const remove = make("button", { type: "button", "aria-label": `Remove ${file.name}` }, "×");
  const chip = make("li", { "aria-busy": "true" }, file.name, remove);
  remove.addEventListener("click", () => detach(chip));
  list.append(chip);
  list.hidden = false;
  uploads.set(chip, upload(file, chip));
}

async function upload(file, chip) {
  const body = new FormData();
  body.append("file", file);
  try {
    const asset = await post("files", body);
    chip.removeAttribute("aria-busy");
    return asset;
  } catch (error) {
    detach(chip);
    say(problem, `${file.name}: ${error.message}`);
    return null;
  }
}

function detach(chip) {
  uploads.delete(chip);
  chip.remove();
  list.hidden = !uploads.size;
}

chooser.addEventListener("change", () => {
  say(problem, null);
  [...chooser.files].forEach(attach);
  chooser.value = "";
});
form.addEventListener("dragover", (event) => event.preventDefault());
form.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  [...event.dataTransfer.files].forEach(attach);
});
