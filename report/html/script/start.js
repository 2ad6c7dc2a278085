// Unpacks the data and shows the first view.
// SPDX-License-Identifier: Apache-2.0

function select(id) {
  for (const v of views) {
    const chosen = v.id === id;
    v.tab.setAttribute("aria-selected", chosen);
    v.tab.tabIndex = chosen ? 0 : -1;
    v.panel.hidden = !chosen;
    if (chosen) fill(v);
  }
}

function fill(v) {
  if (v.done) return;
  v.done = true;
  v.panel.append(...v.render().flat().filter(c => c !== ""));
}

async function start() {
  const packed = Uint8Array.from(atob(byId("data").textContent.trim().replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
  data = JSON.parse(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text());
  calls = rows(data.calls).sort((a, b) => a.id - b.id);
  [objects, events, claims] = [rows(data.objects), rows(data.events), rows(data.claims)];
  for (const o of objects) { objectBySeq.set(o.seq, o); objectByAddress.set(o.address, o); }
  for (const e of events) eventById.set(e.id, e);
  for (const c of calls) callById.set(c.id, c);
  for (const part of [data.summary, data.summary.total, data.summary.negatives || {}, ...data.summary.programs || []]) { // Go's empty lists are null
    for (const list of ["findings", "programs", "errnos", "slowest", "births", "fates", "operations"]) if (part[list] === null) part[list] = [];
  }
  lead();
  const tabs = byId("tabs");
  for (const v of views) {
    v.tab = el("button", {type: "button", role: "tab", id: "tab-" + v.id, "aria-controls": "view-" + v.id, onclick: () => { select(v.id); history.replaceState(null, "", "#" + v.id); }}, v.title);
    v.panel = el("section", {id: "view-" + v.id, role: "tabpanel", "aria-labelledby": "tab-" + v.id, hidden: true});
    tabs.append(v.tab);
    byId("main").append(v.panel);
  }
  tabs.addEventListener("keydown", e => {
    const by = {ArrowRight: 1, ArrowLeft: -1}[e.key];
    if (!by) return;
    const next = views[(views.findIndex(v => v.tab === document.activeElement) + by + views.length) % views.length];
    select(next.id);
    next.tab.focus();
  });
  byId("search").addEventListener("submit", e => { e.preventDefault(); const word = byId("query").value.trim(); if (word) open(word); });
  addEventListener("beforeprint", () => views.forEach(v => { fill(v); v.panel.hidden = false; }));
  const asked = () => decodeURIComponent(location.hash.slice(1)); // the id of a view, or any word that search takes
  const follow = () => {
    if (!asked() || views.some(v => v.id === asked())) select(asked() || "summary");
    else { select("summary"); open(/^\d+$/.test(asked()) ? "#" + asked() : asked()); }
  };
  addEventListener("hashchange", follow);
  addEventListener("afterprint", follow);
  follow();
  document.documentElement.dataset.ready = "yes";
  performance.mark("ready");
}

start();
