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
  edit_image: "Picture edit",
  analyze_image: "Look at the picture",
  analyze_video: "Look at the clip",
  analyze_audio: "Listening",
  transcribe_audio: "Transcript",
  extract_document: "Document data",
};
const USD = { style: "currency", currency: "USD" };
const cents = new Intl.NumberFormat("en-US", USD);
const less = new Intl.NumberFormat("en-US", { ...USD, maximumSignificantDigits: 2 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const ended = (status) => ["completed", "failed", "cancelled"].includes(status);

export const toolName = (name) => TOOLS[name] ?? label(name);

/* Cents; of less than one cent, two digits that tell something. */
export const money = (usd) => (usd > 0 && usd < 0.01 ? less : cents).format(usd);

export const seconds = (value) => `${Number(value.toFixed(1))} s`;

/* A place in a recording: 0:07, 1:02:09. */
export function clockTime(value) {
  const whole = Math.floor(value);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const padded = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${padded(minutes)}:${padded(rest)}` : `${minutes}:${padded(rest)}`;
}

export function weight(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${Number((bytes / 1e6).toFixed(1))} MB`;
}

/* A field's name, to be read: due_date is "Due date". */
export function label(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/* What a generation is called: its prompt, or the tool that was called without one. */
export function titleOf(generation) {
  const prompt = /^(asset_\w+|https:\S+)?$/.test(generation.prompt) ? null : generation.prompt;
  return [generation.tool && toolName(generation.tool), prompt].filter(Boolean).join(": ") || generation.prompt;
}

/* What a call asks of its tool, in one line. */
export function askedOf(given) {
  return given.prompt ?? given.instruction ?? given.question ?? given.text ?? given.operation?.replaceAll("_", " ") ?? "";
}

/* The line about the whole run, or null when an event does not change it. `working` are the tools still at work. */
export function telling(name, data, working = []) {
  if (name === "generation.created") return "Reading the prompt…";
  if (name === "turn.completed") {
    const wanted = data.tool_calls.map((call) => call.name);
    return wanted.length ? `At work: ${listed(wanted)}` : "Finishing…";
  }
  if (name === "tool.started") return working.length ? `At work: ${listed(working)}` : "Reading the prompt…";
  if (name === "tool.completed" || name === "tool.failed") {
    const rest = working.length ? `; still at work: ${listed(working)}` : "";
    return `${toolName(data.name)} ${name.slice("tool.".length)}${rest}`;
  }
  if (!ended(data.status)) return null;
  const from = Date.parse(data.started_at ?? data.created_at);
  const word = data.status === "failed" ? "Failed" : STOPS[data.stop_reason] ?? "Finished";
  return `${word} after ${seconds((Date.parse(data.completed_at) - from) / 1000)}`;
}

const listed = (names) => names.map((name) => toolName(name).toLowerCase()).join(", ");

export function when(time) {
  const date = new Date(time);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : calendar.format(date);
}
