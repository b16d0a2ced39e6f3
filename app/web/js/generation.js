/* The generation named in the address (#gen_...): shown as it stands, followed until it ends. */

import { ask } from "./api.js";
import { say } from "./dom.js";
import { follow } from "./events.js";
import { clearFindings, findsOut, showFindings } from "./findings.js";
import { atWork, clearSteps, showStep, stepOf } from "./progress.js";
import { clearResults, showAssets, showResults } from "./results.js";
import { clearThread, showThread } from "./thread.js";
import { ended, telling, titleOf } from "./wording.js";

const card = document.querySelector("#generation");
const prompt = document.querySelector("#generation-prompt");
const status = document.querySelector("#status");
const problem = document.querySelector("#generation-problem");
const cancel = document.querySelector("#cancel");
let leave = () => {};

async function open() {
  const id = location.hash.slice(1);
  leave();
  clear();
  card.hidden = !id;
  if (!id) return;

  let shown = true;
  let over = false;
  let stopFollowing = () => {};
  leave = () => {
    shown = false;
    stopFollowing();
  };

  // Not how far the steps are: what is told of that may be older than the events that came meanwhile.
  async function fetchMade() {
    const generation = await ask(`generations/${id}`);
    if (shown && !over) showMade(generation); // asked before the end, and answered behind it, it is out of date
  }

  function take(name, data) {
    const step = stepOf(name, data);
    if (step) showStep(step);
    const told = telling(name, data, atWork());
    if (told) status.textContent = told;
    const made = name === "asset.created" || (name === "tool.completed" && findsOut(data.name));
    if (made) fetchMade().catch(() => {}); // the end brings it all the same
    if (ended(data.status)) {
      over = true;
      show(data);
    }
  }

  function connection(open) {
    if (open) status.textContent = telling("tool.started", {}, atWork());
    else status.textContent = "The connection is lost; trying again…";
  }

  try {
    const generation = await ask(`generations/${id}`);
    if (!shown) return;
    show(generation);
    showThread(generation, () => shown);
    if (!ended(generation.status)) stopFollowing = follow(id, take, connection);
  } catch (error) {
    if (shown) say(problem, error.message);
  }
}

function clear() {
  clearSteps();
  clearResults();
  clearFindings();
  clearThread();
  say(problem, null);
  prompt.textContent = status.textContent = "";
  cancel.hidden = true;
}

function show(generation) {
  const over = ended(generation.status);
  prompt.textContent = titleOf(generation);
  for (const step of generation.steps.filter((step) => step.kind === "tool")) showStep(step);
  showMade(generation);
  cancel.hidden = over;
  if (!over) {
    status.textContent = telling("generation.created", generation);
    return;
  }
  status.textContent = telling(`generation.${generation.status}`, generation);
  say(problem, generation.error?.message);
  showResults(generation);
  document.dispatchEvent(new Event("generation:ended"));
}

function showMade(generation) {
  showAssets(generation);
  showFindings(generation);
}

/* A generation opened from elsewhere on the page comes into sight. */
function reveal() {
  const { top } = card.getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.6) card.scrollIntoView();
}

addEventListener("hashchange", open);
addEventListener("hashchange", reveal);
open();
