// The lives of dentries, and the buckets they are in.
// SPDX-License-Identifier: Apache-2.0

const perPage = 150;

views.push({id: "dentries", title: "Dentries", render() {
  const lived = [...objects].sort((a, b) => a.seq - b.seq);
  if (!lived.length) return [el("p", {}, "There are no dentries in this trace.")];
  const from = Math.min(...lived.map(o => o.firstAt)), to = Math.max(...events.map(e => e.at), ...calls.map(c => c.at + c.took), ...lived.map(o => Math.max(o.firstAt, o.killedAt)));
  const holder = el("div", {class: "scroll"});
  let page = 0;
  const pages = Math.ceil(lived.length / perPage), where = el("span");
  function draw() {
    const some = lived.slice(page * perPage, (page + 1) * perPage), width = 1100, left = 320;
    const x = ns => left + (ns - from) / Math.max(1, to - from) * (width - left - 20);
    const lines = some.flatMap((o, i) => lifeline(o, 14 + i * 16, x, to));
    holder.replaceChildren(svg("svg", {class: "lives", width, height: some.length * 16 + 20, role: "img", "aria-label": "Life lines of dentries"}, ...lines));
    where.textContent = ` ${page * perPage + 1} to ${page * perPage + some.length} of ${lived.length} `;
  }
  const turn = by => { page = Math.min(Math.max(page + by, 0), pages - 1); draw(); };
  draw();
  return [
    el("p", {}, el("button", {type: "button", onclick: () => turn(-1)}, "Before"), where, el("button", {type: "button", onclick: () => turn(1)}, "After"),
      el("span", {class: "legend"}, el("span", {}, "● allocated"), el("span", {}, "◁ older than the recording"), el("span", {class: "key rcu"}, "with an inode"), el("span", {class: "key negative"}, "negative"),
        el("span", {}, "× killed"), el("span", {}, "? perhaps killed"), el("span", {}, "▷ alive at the end"))),
    holder, leftOut(lived.length, data.all.objects, "dentries", "the first"), ...buckets(),
  ];
}});

// lifeline draws one dentry from its birth to its end.
function lifeline(o, y, x, end) {
  const key = "D" + o.seq;
  const stop = o.killedAt || end;
  const name = text(o.path) || text(o.name);
  const out = [svg("text", {x: 0, y: y + 4, "data-key": key}, key + " " + (name.length > 38 ? "…" + name.slice(-38) : name)),
    svg("line", {class: "life", x1: x(o.firstAt), x2: x(stop), y1: y, y2: y, "data-key": key})];
  const stretches = o.negative || [];
  for (let i = 0; i < stretches.length; i += 2) {
    const where = {x1: x(stretches[i]), x2: x(stretches[i + 1] || stop), y1: y, y2: y};
    out.push(svg("line", {class: "gap", ...where}), svg("line", {class: "life negative", ...where, "data-key": key}));
  }
  out.push(svg("text", {x: x(o.firstAt) - 4, y: y + 4, class: "mark"}, o.born ? "●" : "◁"), svg("text", {x: x(stop) + 2, y: y + 4, class: "mark"}, o.killed ? (o.sure ? "×" : "?") : "▷"));
  return out;
}

// buckets says which buckets of the hash table the inserts of the stepped events went to.
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
  ], all.slice(0, 400), `Buckets that dentries were inserted into: ${all.length}, ${all.filter(b => b.dentries.length > 1).length} of them by more than one dentry`)];
}
