// The tree of paths, with the results of the calls below each directory.
// SPDX-License-Identifier: Apache-2.0

views.push({id: "paths", title: "Paths", render() {
  const root = node(""), within = new Map(); // by call: the nodes that include its time
  for (const c of calls) { // in order of id, so a nested call comes after its outer one
    let at = root;
    const timed = new Set(within.get(c.outer));
    within.set(c.id, timed);
    count(at, c, timed);
    const path = text(c.resolved) || text(c.path);
    for (const name of (path.startsWith("/") ? ["/", ...path.slice(1).split("/")] : path.split("/")).filter(n => n)) {
      if (!at.below.has(name)) at.below.set(name, node(name));
      count(at = at.below.get(name), c, timed);
    }
    at.calls.push(c);
  }
  return [el("p", {}, "For each directory, the calls below it: their number, × how many failed, their classes, the negative dentries known to be in the cache when the call that made them returned, and the time."), el("div", {class: "tree", role: "tree"}, branches(root, true)),
    leftOut(calls.length, data.all.calls, "calls", "the first ones that failed, and the longest")];
}});

const node = name => ({name, total: 0, failed: 0, kinds: [0, 0, 0, 0], kept: 0, took: 0, open: false, below: new Map(), calls: []});

function count(n, c, timed) {
  n.total++;
  if (!timed.has(n)) n.took += c.took; // otherwise the outer call's time includes it
  timed.add(n);
  n.kinds[c.class]++;
  n.kept += c.negatives;
  n.open = n.open || !c.end;
  if (c.errno >= 0) n.failed++;
}

// shareOf draws the share of all calls that are below a node, by class.
function shareOf(n) {
  const bar = el("span", {class: "share", "aria-hidden": "true"}, n.kinds.map((k, i) => el("i", {class: classes[i]})));
  [...bar.children].forEach((e, i) => { e.style.width = 6 * n.kinds[i] / calls.length + "em"; });
  return bar;
}

// branches makes the elements below a node. Those of a closed node are made when it is opened.
function branches(n, wide) {
  return [...n.below.values()].sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1)).map(b => {
    const says = `${b.total}` + (b.failed ? `, × ${b.failed}` : "") + b.kinds.map((k, i) => k && i ? `, ${k} ${classes[i]}` : "").join("") + (b.kept ? `, ${plural(b.kept, "negative")}` : "") + `, ${b.open ? "≥ " : ""}${duration(b.took)}`;
    const line = [shareOf(b), " ", el("code", {}, b.name), " ", el("small", {}, says)];
    if (!b.below.size && !b.calls.length) return el("div", {role: "treeitem"}, line);
    const d = el("details", {role: "treeitem", open: wide && b.below.size > 0 && (n.below.size < 4 || b.total * 2 >= n.total)}, el("summary", {}, line));
    const fill = () => {
      if (d.children.length > 1) return;
      d.append(...branches(b, wide), ...b.calls.slice(0, 100).map(c => el("div", {class: "leaf"}, event(c.id), ` ${text(c.op)} ${c.errno < 0 ? "" : text(c.errno)} ${classes[c.class]} ${took(c)} `, dentry(c.object), " ", process(c.pid, text(c.program)))),
        b.calls.length > 100 ? el("div", {class: "leaf"}, `and ${b.calls.length - 100} more`) : "");
    };
    if (d.open) fill();
    d.addEventListener("toggle", fill);
    return d;
  });
}
