"use strict";
// Shared by all views: elements, texts, times, and tokens that are highlighted wherever they occur.
// SPDX-License-Identifier: Apache-2.0

const byId = id => document.getElementById(id);
let data; // the value described in data.go
let calls = [], objects = [], events = [], claims = []; // its tables, as one object per row
const objectBySeq = new Map(), objectByAddress = new Map(), eventById = new Map(), callById = new Map();

const text = i => i < 0 ? "" : data.strings[i];
const given = c => text(c.path) + (text(c.target) ? ", " + text(c.target) : ""); // the path of a call, or both paths of an operation on two

// el makes an element. A child that is not a node becomes text, so nothing from a trace is interpreted as markup.
function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v === false || v === undefined || v === null) continue;
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== ""));
  return e;
}

function svg(tag, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

// rows converts a table stored by column into one object per row.
function rows(columns) {
  const names = Object.keys(columns);
  if (!names.length) return [];
  return columns[names[0]].map((_, i) => Object.fromEntries(names.map(n => [n, columns[n][i]])));
}

// took says how long a call took, or for how long it is known not to have returned.
const took = c => c.end ? duration(c.took) : c.took ? duration(c.took) + " and not ended" : "no return";

function duration(ns) {
  if (ns >= 1e9) return (ns / 1e9).toFixed(3) + " s";
  if (ns >= 1e6) return (ns / 1e6).toFixed(3) + " ms";
  return (ns / 1e3).toFixed(1) + " µs";
}

const seconds = ns => (ns / 1e9).toFixed(6);
const plural = (n, one, many) => n + " " + (n === 1 ? one : many || one + "s");

// token makes a word that stands for a dentry, an event or a process: D12, #17, p99.
function token(key, label) {
  return el("span", {class: "token", "data-key": key, tabindex: 0, role: "button"}, label === undefined ? key : label);
}
const dentry = seq => seq ? token("D" + seq) : "";
const event = id => id ? token("#" + id) : "";
const process = (pid, label) => token("p" + pid, label === undefined ? "p" + pid : label);

const classes = ["unknown", "rcu", "ref", "miss"];
const classSays = {
  unknown: "the events that would tell the class are missing",
  rcu: "the walk never left rcu-walk",
  ref: "the cache answered, not all of it in rcu-walk: in ref-walk, or an operation that had locked the directory",
  miss: "a filesystem was asked for a name",
};

// light highlights every place where a key occurs, or none for "". It searches again even for the same key, as places may be new.
let lit = "";
function light(key) {
  if (!key && !lit) return;
  lit = key;
  for (const e of document.querySelectorAll(".lit")) e.classList.remove("lit");
  if (!key) return;
  for (const e of document.querySelectorAll(`[data-key="${CSS.escape(key)}"], [data-also~="${CSS.escape(key)}"]`)) e.classList.add("lit");
}

const keyOf = target => {
  const e = target.closest && target.closest("[data-key]");
  return e ? e.dataset.key : "";
};

document.addEventListener("pointerover", e => light(keyOf(e.target)));
document.addEventListener("focusin", e => light(keyOf(e.target)));
document.addEventListener("click", e => { const k = keyOf(e.target); if (k) open(k); });
document.addEventListener("keydown", e => {
  if (e.key === "Escape") close();
  const k = (e.key === "Enter" || e.key === " ") && e.target.classList && e.target.classList.contains("token") && keyOf(e.target);
  if (k) { e.preventDefault(); open(k); }
});

// table makes a table that can be sorted by column: each is {title, of, show, number, wide, head}.
function table(columns, all, caption) {
  const body = el("tbody");
  let sorted = -1, down = false;
  const fill = list => body.replaceChildren(...list.map(r => el("tr", {"data-key": r.key}, columns.map(c =>
    el(c.head ? "th" : "td", {class: c.number ? "number" : c.wide ? "wide" : null, scope: c.head ? "row" : null}, c.show ? c.show(r) : String(c.of(r)))))));
  const heads = columns.map((c, i) => {
    const button = el("button", {type: "button", onclick: () => {
      down = sorted === i ? !down : !!c.number;
      sorted = i;
      const value = c.of;
      fill([...all].sort((a, b) => {
        const x = value(a), y = value(b);
        return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
      }));
      heads.forEach((h, j) => h.setAttribute("aria-sort", j === i ? (down ? "descending" : "ascending") : "none"));
    }}, c.title);
    return el("th", {scope: "col", "aria-sort": "none", class: c.number ? "number" : null}, button);
  });
  fill(all);
  return el("div", {class: "scroll"}, el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), body));
}

// leftOut says how many items a view leaves out.
const leftOut = (shown, all, what, rule) => shown >= all ? "" : el("p", {class: "note"}, `This page has ${shown} of ${all} ${what}: ${rule}. This tab counts only these; the summary counts all.`);

const views = []; // each {id, title, render}
