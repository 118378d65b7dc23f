// SPDX-License-Identifier: Apache-2.0
// Elements are made here and nowhere else; text enters them as text only.
"use strict";

// el("a", {href: "#x", class: "big"}, "text", child, [more, children], null)
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function svg(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function card(id, title, lead, ...children) {
  return el("section", {class: "card", id, "aria-labelledby": `${id}-title`},
    el("h2", {id: `${id}-title`}, title), lead ? el("p", {class: "lead"}, lead) : null, children);
}

function hiddenText(text) {
  return el("span", {class: "hidden"}, text);
}

// A share of one as a bar; the number stands beside it.
function meter(share) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return svg("svg", {class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true"},
    svg("rect", {width: 100, height: 6, rx: 3}), svg("rect", {width, height: 6, rx: 3}));
}
