/* What can be done with a result next: each button attaches it, says it in the prompt, and goes on from there. */

import { kindOf } from "./assets.js";
import { continueFrom } from "./continuing.js";
import { make } from "./dom.js";
import { attachAsset } from "./inputs.js";
import { tools } from "./server.js";
import { ended } from "./wording.js";

/* Words, what goes into the prompt, and the tool without which it is not offered. */
const ACTIONS = {
  image: [
    ["Edit", "Edit this picture: ", "edit_image"],
    ["Animate", "Turn this picture into a 5 second clip.", "generate_video"],
    ["Describe", "Describe this picture.", "analyze_image"],
  ],
  video: [
    ["Edit", "Change this clip: ", "generate_video"],
    ["Describe", "Describe what happens in this clip, and when.", "analyze_video"],
  ],
  speech: [
    ["Edit", "Change this narration: ", "generate_speech"],
    ["Transcribe", "Transcribe this recording.", "transcribe_audio"],
    ["Describe", "Describe this recording.", "analyze_audio"],
  ],
};
ACTIONS.audio = ACTIONS.speech.slice(1);

const form = document.querySelector("#request");
const prompt = document.querySelector("#prompt");
let prefilled = "";

/* `generation` gives the one the asset came of, as it stands when a button is pressed. */
export function actionsFor(asset, generation) {
  const group = make("span", { class: "next", role: "group", "aria-label": `What next with this ${kindOf(asset).toLowerCase()}` });
  for (const [words, text, tool] of ACTIONS[asset.type] ?? []) {
    const button = make("button", { type: "button", class: "small", hidden: true }, words);
    tools.then((offered) => (button.hidden = !offered.includes(tool)));
    button.addEventListener("click", () => {
      attachAsset(asset);
      begin(text, generation());
    });
    group.append(button);
  }
  return group;
}

export function offerToContinue(generation) {
  const button = make("button", { type: "button", class: "small" }, "Continue");
  button.addEventListener("click", () => begin("", generation));
  return button;
}

/* Only what has ended can be continued; and words of the user's own are never written over. */
function begin(text, generation) {
  if (ended(generation.status)) continueFrom(generation);
  if (!prompt.value.trim() || prompt.value === prefilled) prompt.value = prefilled = text;
  form.scrollIntoView({ block: "nearest" });
  prompt.focus();
  prompt.setSelectionRange(prompt.value.length, prompt.value.length);
}
