/* Each tool call as a row: what it is, how far it is, how it ended. */

import { make } from "./dom.js";
import { askedOf, toolName } from "./wording.js";

const list = document.querySelector("#steps");
const rows = new Map();

export function clearSteps() {
  rows.clear();
  list.replaceChildren();
}

/* The names of the tools still at work. */
export const atWork = () => [...list.querySelectorAll('[data-status="running"]')].map((item) => item.dataset.name);

/* What an event tells about a step, in the words of the step itself; null when it is about none. */
export function stepOf(name, data) {
  const id = data.step_id;
  if (name === "tool.started") return { id, name: data.name, arguments: data.arguments, status: "running" };
  if (name === "tool.progress") return { id, progress: data.progress, waiting: data.waiting, place: data.place };
  if (name === "tool.completed") return { id, name: data.name, status: "completed" };
  if (name === "tool.failed") return { id, name: data.name, status: "failed", error: data.error.message };
  return null;
}

export function showStep(step) {
  const row = rows.get(step.id) ?? added(step);
  if (!row) return;
  if (step.status) row.item.dataset.status = step.status;
  if (step.progress > 0) row.bar.value = step.progress;
  row.bar.hidden = row.item.dataset.status !== "running";
  row.note.textContent = note(row.item.dataset.status, row.bar, step);
  row.why.textContent = step.error ?? "";
}

function added(step) {
  if (!step.name) return null; // progress of a step not heard of yet
  const asked = askedOf(step.arguments ?? {});
  const row = {
    note: make("span", { class: "note" }),
    why: make("span", { class: "why" }),
    bar: make("progress", { max: 1, "aria-label": toolName(step.name) }),
  };
  const what = make("span", { class: "what", title: asked }, make("b", {}, toolName(step.name)), asked);
  row.item = make("li", {}, make("span", { class: "mark", "aria-hidden": "true" }), what, row.bar, row.note, row.why);
  row.item.dataset.id = step.id;
  row.item.dataset.name = step.name;
  list.insertBefore(row.item, [...list.children].find((item) => item.dataset.id > step.id) ?? null);
  rows.set(step.id, row);
  return row;
}

function note(status, bar, { waiting, place }) {
  if (status !== "running") return status === "completed" ? "done" : status;
  if (bar.hasAttribute("value")) return `${Math.round(bar.value * 100)}%`;
  return place ? `in line, ${place}.` : waiting ? "in line" : "working";
}
