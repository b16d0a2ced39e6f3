/* Attaching what lies behind an https address. The server fetches it; this page asks no stranger. */

import { attachAddress } from "./inputs.js";

const opener = document.querySelector("#link-open");
const row = document.querySelector("#link-row");
const form = document.querySelector("#link");
const address = document.querySelector("#address");

opener.addEventListener("click", () => show(row.hidden));
address.addEventListener("keydown", (event) => {
  if (event.key === "Escape") show(false);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  attachAddress(address.value.trim());
  form.reset();
  show(false);
});

function show(open) {
  row.hidden = !open;
  opener.setAttribute("aria-expanded", String(open));
  (open ? address : opener).focus();
}
