/* Stopping the generation that is shown. The stream of its events tells when it has ended. */

import { ask } from "./api.js";
import { say } from "./dom.js";

const button = document.querySelector("#cancel");
const problem = document.querySelector("#generation-problem");

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    await ask(`generations/${location.hash.slice(1)}/cancel`, { method: "POST" });
  } catch (error) {
    say(problem, error.message);
  } finally {
    button.disabled = false;
  }
});
