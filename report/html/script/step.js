// The run step by step, by event or by call, with what the cache holds of a directory at each step.
// SPDX-License-Identifier: Apache-2.0

let goTo = () => {}; // goes to the event with an id; set when the view is rendered

views.push({id: "step", title: "Step", render() {
  if (!events.length) return [el("p", {}, "There are no events in this trace.")];
  let at = 0;
  const slider = el("input", {type: "range", min: 0, max: events.length - 1, value: 0, "aria-label": "Event"});
  const around = el("div", {class: "around"}), call = el("div", {class: "call"}), dir = el("div", {class: "directory"});
  const show = i => {
    at = Math.min(Math.max(i, 0), events.length - 1);
    slider.value = at;
    around.replaceChildren(...windowAround(at));
    call.replaceChildren(...callAt(events[at]));
    dir.replaceChildren(...directoryAt(at));
    light("#" + events[at].id);
  };
  const otherCall = by => {
    const now = events[at].call;
    let i = at;
    while (i + by >= 0 && i + by < events.length && (events[i].call === now || !events[i].call)) i += by;
    if (by < 0) while (i > 0 && events[i - 1].call === events[i].call && events[i].call) i--; // go to the first event of that call
    show(i);
  };
  slider.addEventListener("input", () => show(+slider.value));
  const moves = {ArrowRight: () => show(at + 1), ArrowLeft: () => show(at - 1), ArrowDown: () => otherCall(1), ArrowUp: () => otherCall(-1), Home: () => show(0), End: () => show(events.length - 1)};
  const box = el("div", {class: "stepper", tabindex: 0, role: "application", "aria-label": "Left and right: an event; up and down: a call", onkeydown: e => {
    if (moves[e.key] && e.target !== slider) { e.preventDefault(); moves[e.key](); }
  }}, el("p", {class: "controls"}, [["« call", -1, otherCall], ["◀ event", -1, by => show(at + by)], ["event ▶", 1, by => show(at + by)], ["call »", 1, otherCall]].map(([label, by, move]) =>
    [el("button", {type: "button", onclick: () => move(by)}, label), " "]), slider), el("div", {class: "columns"}, around, el("div", {}, call, dir)));
  goTo = id => {
    const i = events.findIndex(e => e.id >= id);
    if (i >= 0) show(i);
  };
  show(0);
  return [box, leftOut(events.length, data.all.events, "steps", "the first ones; 'dtrec replay --from' prints the others")];
}});

function eventLine(e) {
  const arrow = e.exit ? "<" : ">";
  return [event(e.id), ` ${seconds(e.at)} `, process(pidOf(e), e.tid), " ", el("b", {}, `${arrow} ${data.roles[e.role] || e.role}`), " ", e.object ? dentry(e.object) : e.null ? "NULL" : "", " ", text(e.name)];
}

const pidOf = e => { const c = callById.get(e.call); return c ? c.pid : e.tid; };

function windowAround(at) {
  return events.slice(Math.max(0, at - 12), at + 13).map(e => {
    const line = el("div", {class: e === events[at] ? "now" : null, "aria-current": e === events[at] ? "step" : null}, eventLine(e));
    line.style.paddingLeft = Math.min(e.depth, 8) + "em";
    return line;
  });
}

// callAt shows the path of the call in progress, and how far its walk has come.
function callAt(e) {
  const c = callById.get(e.call);
  if (!c) return [el("h3", {}, e.call ? `A call that this page does not have (#${e.call})` : "No path call is in progress")];
  const found = ["not in the cache", "hit in rcu-walk", "hit in ref-walk", "miss: the filesystem is asked", "hit with the directory locked"];
  return [el("h3", {}, event(c.id), ` ${text(c.op)} `, el("code", {}, given(c))), el("ol", {class: "parts"}, c.parts.map(([name, how, id, object, negative, mount, link]) =>
    el("li", {class: id > e.id ? "later" : null}, el("code", {}, text(name)), " ", id > e.id ? "" : [found[how], negative ? ", negative" : "", mount ? ", a mount is crossed" : "", link ? ", a link is followed" : "", " ", dentry(object)])))];
}

// cacheAt returns what the events up to index at show of each dentry: whether it is in the hash table, and its last name, parent and inode.
function cacheAt(at) {
  const cache = new Map();
  for (let i = 0; i <= at; i++) {
    const e = events[i], role = data.roles[e.role];
    if (!e.object || e.path) continue;
    if (role === "kill" || role === "free") { cache.delete(e.object); continue; }
    const d = cache.get(e.object) || {seq: e.object, hashed: false};
    d.name = text(e.name) || d.name;
    d.parent = e.parent || d.parent;
    d.positive = e.inode;
    d.last = e.id;
    if (role === "alloc" || role === "drop" || e.out) d.hashed = false;
    else if (role === "insert" || role.startsWith("lookup")) d.hashed = true;
    cache.set(e.object, d);
  }
  return cache;
}

function directoryAt(at) {
  const cache = cacheAt(at);
  let of = 0;
  for (let i = at; i >= 0 && !of; i--) of = events[i].parent;
  const inside = [...cache.values()].filter(d => d.parent === of && d.hashed && d.seq !== of).sort((a, b) => a.name < b.name ? -1 : 1);
  const known = objectBySeq.get(of);
  if (!of) return [el("h3", {}, "No directory has been looked into yet")];
  return [el("h3", {}, "In the cache of ", dentry(of), " ", el("code", {}, known ? text(known.path) || text(known.name) : ""), ", as far as the events up to here show"),
    inside.length ? el("ul", {class: "inside"}, inside.map(d => el("li", {class: d.positive ? "positive" : "negative"}, dentry(d.seq), " ", el("code", {}, d.name), d.positive ? "" : " negative", ", last shown at ", event(d.last)))) : el("p", {}, "nothing")];
}
