"use strict";
// Everything from the data is set as text (textContent) or as a number; nothing of it is parsed as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "class") node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}
function svg(tag, props) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  return node;
}
const at = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });
const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
const percent = (share) => `${number(Math.round(share * 1000) / 10)} %`;
function clock(seconds) {
  const whole = Math.floor(seconds), pad = (n) => String(n).padStart(2, "0");
  const rest = `${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${rest}` : rest;
}
const between = (start, end) => `${clock(start)} – ${clock(end)}`;
function turn(one, i) {
  const result = (text) => el("p", { class: "text-block soft" }, `→ ${text}`);
  const call = (made) => el("p", {}, el("code", {}, `${made.name}(${Object.entries(made.arguments).map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(", ")})`));
  return el("div", { class: "turn" }, el("p", { class: "soft" }, `Turn ${i + 1}`), one.text ? el("p", { class: "text-block" }, one.text) : "",
    ...one.calls.map(call), ...one.results.map(result), one.error ? el("p", { class: "warn" }, one.error) : "");
}

