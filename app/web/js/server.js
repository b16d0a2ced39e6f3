/* Who plans here, and with which tools; and, when the server cannot serve, why. */

import { ask } from "./api.js";
import { say } from "./dom.js";

const pill = document.querySelector("#server");

/* The names of the tools that work here and now. */
export const tools = look();

async function look() {
  try {
    const ready = await ask("ready");
    const offline = ready.agent_model.startsWith("offline");
    say(pill, offline ? "Offline stand-in, nothing is paid" : `Planned by ${ready.agent_model}`);
    if (offline) pill.dataset.kind = "offline";
    return ready.tools;
  } catch (error) {
    say(document.querySelector("#request-problem"), error.message);
    return [];
  }
}
