// The lives of dentries, one row for each path, and the buckets they were inserted into.
// SPDX-License-Identifier: Apache-2.0

const perPage = 100;

views.push({id: "dentries", title: "Dentries", render() {
  if (!objects.length) return [el("p", {}, "There are no dentries in this trace.")];
  const all = byPath();
  const from = Math.min(...objects.map(o => o.firstAt)), to = latest();
  const holder = el("div", {class: "scroll"}), where = el("span");
  let some = all, page = 0;
  const orders = {
    "first seen": () => 0, "most lives": (a, b) => b.lives.length - a.lives.length, "longest without an inode": (a, b) => b.without - a.without, "path": (a, b) => a.path < b.path ? -1 : 1,
  };
  const order = el("select", {onchange: pick}, Object.keys(orders).map(o => el("option", {}, o)));
  const part = el("input", {type: "search", oninput: pick, spellcheck: "false"});
  function pick() {
    some = all.filter(r => r.path.includes(part.value)).sort(orders[order.value]);
    page = 0;
    draw();
  }
  function draw() {
    const shown = some.slice(page * perPage, (page + 1) * perPage);
    const width = Math.max(600, byId("main").clientWidth), left = Math.min(340, width * 0.4), height = shown.length * 16 + 20;
    const x = ns => left + (ns - from) / Math.max(1, to - from) * (width - left - 20);
    const lines = shown.flatMap((r, i) => [label(r, 14 + i * 16, Math.floor(left / 6.7)), ...r.lives.flatMap(o => lifeline(o, 14 + i * 16, x, to))]);
    holder.replaceChildren(svg("svg", {class: "lives", viewBox: `0 0 ${width} ${height}`, width, role: "img", "aria-label": "Life lines of dentries"}, ...lines));
    where.textContent = some.length ? ` paths ${page * perPage + 1} to ${page * perPage + shown.length} of ${some.length} ` : " no path matches ";
  }
  const turn = by => { page = Math.min(Math.max(page + by, 0), Math.max(0, Math.ceil(some.length / perPage) - 1)); draw(); };
  draw();
  addEventListener("resize", draw);
  return [
    el("p", {class: "controls"}, el("button", {type: "button", onclick: () => turn(-1)}, "Previous"), where, el("button", {type: "button", onclick: () => turn(1)}, "Next"), " ",
      el("label", {}, "Order ", order), " ", el("label", {}, "Path contains ", part)),
    el("p", {class: "legend"}, el("span", {}, "● allocated"), el("span", {class: "key new"}, "not in the hash table yet"), el("span", {}, "◁ its allocation is not recorded"), el("span", {class: "key rcu"}, "with an inode"), el("span", {class: "key unknown"}, "not known"), el("span", {class: "key negative"}, "negative"),
      el("span", {}, "× killed"), el("span", {}, "? perhaps killed"), el("span", {}, "▷ alive at the end"), el("span", {}, "… its end is not recorded"), el("span", {}, "one row for each path: the last one known of its dentries")),
    holder, leftOut(objects.length, data.all.objects, "dentries", "the first ones"), ...buckets(),
  ];
}});

// latest returns the time of the last thing that the page shows.
const latest = () => [...events.map(e => e.at), ...calls.map(c => c.at + c.took), ...objects.map(o => Math.max(o.firstAt, o.killedAt))].reduce((a, b) => Math.max(a, b), 0);

// byPath puts dentries of the same path that lived one after another into one row.
function byPath() {
  const rows = [], last = new Map(); // by path: its rows
  for (const o of [...objects].sort((a, b) => a.seq - b.seq)) {
    const path = text(o.path) || text(o.name);
    if (!last.has(path)) last.set(path, []);
    let row = last.get(path).find(r => { const before = r.lives.at(-1); return before.killedAt && before.killedAt <= o.firstAt; });
    if (!row) {
      rows.push(row = {path, lives: [], without: 0});
      last.get(path).push(row);
    }
    row.lives.push(o);
    const stretches = o.negative || [];
    for (let i = 0; i < stretches.length; i += 2) row.without += (stretches[i + 1] || o.killedAt || stretches[i]) - stretches[i];
  }
  return rows;
}

// label labels a row with its first dentry, the number of its dentries, and the end of the path.
function label(r, y, room) {
  const head = "D" + r.lives[0].seq + (r.lives.length > 1 ? ` ×${r.lives.length} ` : " ");
  return svg("text", {x: 0, y: y + 4, "data-key": "D" + r.lives[0].seq, "data-also": r.lives.slice(1).map(o => "D" + o.seq).join(" ")}, head + (r.path.length > room - head.length ? "…" + r.path.slice(head.length + 1 - room) : r.path));
}

const marks = {killed: "×", attempted: "?", alive: "▷", missed: "…", forgotten: "…", unknown: "…"};

// lifeline draws one dentry from its birth to its end.
function lifeline(o, y, x, end) {
  const key = "D" + o.seq, stop = o.killedAt || end, begin = x(o.firstAt), over = x(stop);
  const stretches = o.negative || [];
  const told = o.inode > 0 || stretches.length && !stretches.at(-1) || o.killedAt && stretches.at(-1) >= o.killedAt; // its last state, with or without inode, is known
  const out = [svg("line", {class: told ? "life" : "life unknown", x1: begin, x2: Math.max(over, begin + 1), y1: y, y2: y, "data-key": key}, svg("title", {}, `${key} ${text(o.path) || text(o.name)}`))];
  if (o.born && o.settled !== o.firstAt) { // allocated, but not yet in the hash table and without inode
    const where = {x1: begin, x2: Math.max(x(o.settled || stop), begin + 1), y1: y, y2: y};
    out.push(svg("line", {class: "gap", ...where}), svg("line", {class: "life new", ...where, "data-key": key}));
  }
  for (let i = 0; i < stretches.length; i += 2) {
    const where = {x1: x(stretches[i]), x2: Math.max(x(stretches[i + 1] || stop), x(stretches[i]) + 1), y1: y, y2: y};
    out.push(svg("line", {class: "gap", ...where}), svg("line", {class: "life negative", ...where, "data-key": key}));
  }
  if (over - begin > 9) out.push(svg("text", {x: begin - 4, y: y + 4, class: "mark"}, o.born ? "●" : "◁"));
  out.push(svg("text", {x: over + 1, y: y + 4, class: "mark"}, marks[text(o.end)]));
  return out;
}

// buckets lists the buckets of the hash table that the events on this page inserted dentries into.
function buckets() {
  const chains = new Map();
  for (const e of events) {
    if (!e.bucket) continue;
    if (!chains.has(e.bucket)) chains.set(e.bucket, new Set());
    chains.get(e.bucket).add(e.object);
  }
  if (!chains.size) return [];
  const base = BigInt(data.table || 0);
  const all = [...chains].map(([address, set]) => ({address, number: base ? Number((BigInt(address) - base) / 8n) : -1, dentries: [...set]})).sort((a, b) => b.dentries.length - a.dentries.length || a.number - b.number);
  return [table([
    {title: "Bucket", of: r => r.number, show: r => r.number < 0 ? r.address : String(r.number), head: true, number: true}, {title: "Address", of: r => r.address},
    {title: "Dentries", of: r => r.dentries.length, number: true}, {title: "Which", of: r => r.dentries[0], show: r => r.dentries.slice(0, 12).flatMap(d => [dentry(d), " "])},
  ], all.slice(0, 400), `Buckets that dentries were inserted into: ${all.length}, ${all.filter(b => b.dentries.length > 1).length} of them by more than one dentry` + (events.length < data.all.events ? "; counted from the events on this page" : ""))];
}
