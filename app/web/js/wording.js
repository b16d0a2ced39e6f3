/* What the page says: about events, tools, money and time. */

const STOPS = {
  answered: "Finished",
  max_steps: "Stopped at the limit of steps",
  budget: "Stopped at the cost limit",
  cancelled: "Cancelled",
  refused: "The model refused",
  cut_off: "The answer was cut off",
  empty: "The model gave no answer",
  error: "Broke off",
};
const TOOLS = {
  enhance_prompt: "Wording",
  generate_image: "Picture",
  generate_video: "Clip",
  generate_speech: "Narration",
};
const dollars = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "USD",
  maximumFractionDigits: 2,
  maximumSignificantDigits: 3,
  roundingPriority: "morePrecision",
});
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const ended = (status) => ["completed", "failed", "cancelled"].includes(status);

export const toolName = (name) => TOOLS[name] ?? name.replaceAll("_", " ");

/* Cents, and of less than that what tells something. */
export const money = (usd) => dollars.format(usd);

export const seconds = (value) => `${Number(value.toFixed(1))} s`;

/* The line about the whole run, or null when an event does not change it. */
export function telling(name, data) {
  if (name === "generation.created") return "Reading the prompt…";
  if (name === "turn.completed") {
    const wanted = data.tool_calls.map((call) => toolName(call.name).toLowerCase());
    return wanted.length ? `At work: ${wanted.join(", ")}` : "Finishing…";
  }
  if (name === "tool.completed") return `${toolName(data.name)} done`;
  if (name === "tool.failed") return `${toolName(data.name)} failed`;
  if (!ended(data.status)) return null;
  const from = Date.parse(data.started_at ?? data.created_at);
  const word = data.status === "failed" ? "Failed" : STOPS[data.stop_reason] ?? "Finished";
  return `${word} after ${seconds((Date.parse(data.completed_at) - from) / 1000)}`;
}

export function when(time) {
  const date = new Date(time);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : calendar.format(date);
}
