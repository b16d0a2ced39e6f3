/* What a document says, field by field: how sure each one is, what is missing, which sums hold, what to look at. */

import { make } from "./dom.js";
import { longList } from "./fold.js";
import { label } from "./wording.js";

const SURE = 0.7; // below this a person should look

export function extraction(found) {
  const { rows, lists } = sorted(found.data ?? {}, found.confidence);
  const known = (path) => rows.some((row) => row.path === path) || lists.some((list) => path.startsWith(`${list.path}[`));
  const missing = found.missing.filter((path) => !known(path)).map((path) => ({ path, value: null }));
  const all = [...rows, ...missing];
  const single = all.length ? longList(all, table, "fields") : [];
  const several = lists.map((list) => entries(list, found.confidence));
  if (!all.length && !lists.length) single.push(make("p", {}, "No field was found."));
  return [facts(found), review(found), ...single, ...several, rules(found.rules), problems(found.problems)];
}

/* The single values, each with its path as the server names it (total, seller.name), and the lists of like entries. */
function sorted(data, confidence) {
  const rows = [];
  const lists = [];
  function walk(value, path) {
    if (!isObject(value)) rows.push({ path, value, sure: confidence[path] });
    else if (isTable(value)) lists.push({ path, lines: value });
    else if (Array.isArray(value)) value.forEach((inner, place) => walk(inner, `${path}[${place}]`));
    else for (const [name, inner] of Object.entries(value)) walk(inner, path ? `${path}.${name}` : name);
  }
  walk(data, "");
  return { rows, lists };
}

const isObject = (value) => value !== null && typeof value === "object";
const isFlat = (value) => isObject(value) && !Array.isArray(value) && !Object.values(value).some(isObject);
const isTable = (value) => Array.isArray(value) && value.length > 0 && value.every(isFlat);
const isEmpty = (value) => value === null || value === undefined || value === "";

function table(rows) {
  return make("table", { class: "fields" }, heads(["Field", "Value", "Sure"]), make("tbody", {}, ...rows.map(row)));
}

function heads(names) {
  return make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name))));
}

function row({ path, value, sure }) {
  const doubt = isEmpty(value) || !(sure >= SURE);
  return make(
    "tr",
    { "data-doubt": doubt },
    make("th", { scope: "row", title: path }, place(path)),
    make("td", {}, words(value)),
    make("td", { class: "number" }, isEmpty(value) ? "" : sure === undefined ? "?" : percent(sure), doubt ? note() : null),
  );
}

/* A list of like entries, such as the lines of an invoice: one row each, as sure as the least sure of its values. */
function entries({ path, lines }, confidence) {
  const names = [...new Set(lines.flatMap(Object.keys))];
  const rows = lines.map((line, number) => {
    const sure = Object.fromEntries(names.map((name) => [name, confidence[`${path}[${number}].${name}`]]));
    const cells = names.map((name) => {
      const doubt = isEmpty(line[name]) || !(sure[name] >= SURE);
      const kind = typeof line[name] === "number" ? "number" : null;
      return make("td", { class: kind, "data-doubt": doubt }, words(line[name]), doubt ? note() : null);
    });
    const all = Object.values(sure);
    const least = all.includes(undefined) ? "?" : percent(Math.min(...all));
    return make("tr", {}, ...cells, make("td", { class: "number" }, least));
  });
  const title = place(path);
  const body = make("tbody", {}, ...rows);
  const whole = make("table", {}, make("caption", {}, title), heads([...names.map(label), "Sure"]), body);
  return make("div", { class: "entries", role: "region", "aria-label": title, tabindex: 0 }, whole);
}

/* Colour alone tells nothing to who cannot see it. */
const note = () => make("span", { class: "unseen" }, " (look at it)");

function words(value) {
  if (isEmpty(value)) return "missing";
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

/* items[0].unit_price is "Items 1: unit price". */
function place(path) {
  const parts = path.split(".").map((part) => part.replace(/\[(\d+)\]/g, (_, number) => ` ${Number(number) + 1}`));
  return label(parts.join(": "));
}

function facts({ type, type_confidence: sure, language, valid }) {
  const kind = `${label(type)}, ${percent(sure)} sure`;
  return make("p", { class: "facts" }, [kind, language, valid ? null : "does not follow the schema"].filter(Boolean).join(" · "));
}

function review({ needs_review: needed, review_reasons: reasons }) {
  if (!needed) return make("p", { class: "verdict", "data-kind": "good" }, "✓ Nothing calls for a second look.");
  const list = make("ul", {}, ...reasons.map((reason) => make("li", {}, reason)));
  return make("div", { class: "verdict", "data-kind": "doubt" }, make("b", {}, "A person should look at this"), list);
}

function rules(verdicts) {
  const lines = verdicts.map(({ rule, holds, found, expected }) => {
    const mark = holds === null ? "?" : holds ? "✓" : "✕";
    const why = holds === null ? "a number is missing" : holds ? "holds" : `does not hold: ${found} instead of ${expected}`;
    return make("li", { "data-holds": String(holds) }, make("span", { class: "mark", "aria-hidden": "true" }, mark), `${rule}: ${why}`);
  });
  return make("ul", { class: "rules", "aria-label": "Sums", hidden: !lines.length }, ...lines);
}

function problems(all) {
  const lines = all.map((problem) => make("li", {}, problem));
  return make("ul", { class: "warnings", "aria-label": "Where it does not follow the schema", hidden: !lines.length }, ...lines);
}

const percent = (share) => `${Math.round(share * 100)}%`;
