// Creates elements. Text from a server or a file name is always text, never markup.

/** An element with properties (or attributes, if there is no such property) and children. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** An SVG element with attributes and children. */
export function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/** Show a text in an element, or hide the element if the text is empty. */
export function tell(node, text) {
  if (node.textContent !== text) node.textContent = text; // screen readers must not announce unchanged text again
  node.hidden = text === "";
}

/** A number to three digits: 1234, 12.3, 0.0123. JSON has null for NaN. */
export function short(value) {
  if (value === null) return "not a number";
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

export const milliseconds = (value) => `${short(value)}\u00a0ms`;

export const percent = (share) => (share === null ? "not a number" : `${(share * 100).toFixed(1)}%`);

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
