/* Making elements. Data only ever becomes text or an attribute, never markup. */

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/* Show a text where there is one, else hide the element. */
export function say(element, text) {
  element.hidden = !text;
  element.textContent = text ?? "";
}
