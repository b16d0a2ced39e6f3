/* Sending the prompt. A request that may have been lost is sent again under its key, so that nothing is made twice. */

import { Refused, Unreachable, post } from "./api.js";
import { previousId, startAfresh } from "./continuing.js";
import { say } from "./dom.js";
import { clearInputs, inputRefs } from "./inputs.js";

const form = document.querySelector("#request");
const prompt = document.querySelector("#prompt");
const send = document.querySelector("#send");
const problem = document.querySelector("#request-problem");
let pending = { body: null, key: null };

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (send.disabled) return;
  send.disabled = true;
  say(problem, null);
  try {
    show(await start({ prompt: prompt.value, inputs: await inputRefs(), previous_id: previousId() }));
  } catch (error) {
    say(problem, error.message);
  } finally {
    send.disabled = false;
  }
});

prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

/* The id of the generation that has begun. */
async function start(order) {
  const body = JSON.stringify(order);
  if (pending.body !== body) pending = { body, key: newKey() };
  try {
    const headers = { Prefer: "respond-async", "Idempotency-Key": pending.key };
    const generation = await post("generate", order, headers);
    pending = { body: null, key: null };
    return generation.id;
  } catch (error) {
    if (!(error instanceof Unreachable)) pending = { body: null, key: null };
    if (error instanceof Refused && error.generationId) return error.generationId; // it began, and failed at once
    throw error;
  }
}

function show(id) {
  form.reset();
  clearInputs();
  startAfresh();
  location.hash = id;
  document.dispatchEvent(new Event("generation:begun"));
}

/* Not randomUUID, which browsers keep from pages served without TLS. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
