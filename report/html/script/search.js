// The search: what is known of D12, an address, #17, a path, a name or a process.
// SPDX-License-Identifier: Apache-2.0

// find returns what a word stands for, as 'dtrec show' reads it. A file may have any such name, so the word is also looked up as a name.
function find(word) {
  return aboutToken(word).concat(aboutName(word));
}

function aboutToken(word) {
  let m;
  if ((m = /^D(\d+)$/.exec(word))) return aboutDentry(objectBySeq.get(+m[1]));
  if (/^0x[0-9a-f]+$/i.test(word)) return objects.filter(o => o.address === word.toLowerCase()).flatMap(aboutDentry);
  if ((m = /^#(\d+)$/.exec(word))) return aboutEvent(+m[1]);
  if ((m = /^p?(\d+)$/.exec(word))) return aboutProcess(+m[1]);
  return [];
}

function aboutName(word) {
  const dir = word.endsWith("/") ? word : word + "/";
  const there = path => path === word || path.startsWith(dir) || path.split("/").includes(word);
  return aboutCalls(calls.filter(c => there(text(c.path)) || there(text(c.resolved)) || there(text(c.target))))
    .concat(...objects.filter(o => text(o.name) === word || text(o.path) === word).slice(0, 20).map(aboutDentry), aboutProgram(data.tasks.filter(t => text(t.program) === word)));
}

function aboutProgram(some) {
  return some.length ? [el("h3", {}, `${plural(some.length, "process", "processes")} called ${text(some[0].program)}`),
    el("ul", {}, some.slice(0, 60).map(t => el("li", {}, process(t.pid), ` ${plural(t.calls, "call")}, ${t.failed} failed`)))] : [];
}

function aboutCalls(some) {
  if (!some.length) return [];
  return [el("h3", {}, plural(some.length, "call") + here(calls, data.all.calls)), el("ul", {}, some.slice(0, 60).map(c => el("li", {}, event(c.id), ` ${text(c.op)} `, el("code", {}, given(c)), ` ${c.errno < 0 ? "" : text(c.errno)} ${classes[c.class]} ${took(c)} `, dentry(c.object), " ", process(c.pid, text(c.program))))),
    some.length > 60 ? el("p", {}, `and ${some.length - 60} more`) : ""];
}

function aboutClaims(some) {
  return some.length ? [el("h3", {}, plural(some.length, "claim") + here(claims, data.all.claims)), ...some.slice(0, 40).map(claimLine)] : [];
}

const ends = {alive: "alive when the trace ended, as far as is recorded", missed: "not recorded: its memory was given back, or is now another dentry's", forgotten: "not known: it was forgotten, since more dentries were known at once than dtrec remembers", unknown: "not known: it may have left no event, as it could not be watched, or events were lost or not recorded"};
const inodes = {"-1": "not known, no event shows it", 0: "none when last seen", 1: "it had one when last seen"};

// here is appended to a count of items if the page has fewer of them than the trace.
const here = (some, all) => some.length < all ? ", of those on this page" : "";

function aboutDentry(o) {
  if (!o) return [];
  const seen = [...new Map(events.filter(e => e.object === o.seq || e.parent === o.seq).map(e => [e.id, e])).values()]; // a kernel call recorded as one event is two steps of one id
  return [el("h2", {}, dentry(o.seq), " ", el("code", {}, text(o.path) || text(o.name))),
    el("dl", {}, ...[["address", token("D" + o.seq, o.address)], ["name", text(o.name)], ["born", o.born ? event(o.born) : "its allocation is not recorded"], ["first seen", event(o.first)], ["inserted", event(o.inserted)], ["last hit", event(o.hit)],
      ["end", o.killed ? [text(o.end) === "killed" ? "killed at " : "perhaps killed at ", event(o.killed)] : ends[text(o.end)]], ["inode", inodes[o.inode]]]
      .flatMap(([k, v]) => v === "" ? [] : [el("dt", {}, k), el("dd", {}, v)])),
    el("h3", {}, plural(seen.length, "event") + here(events, data.all.events)), el("ul", {}, seen.slice(0, 40).map(e => el("li", {}, eventLine(e)))), seen.length > 40 ? el("p", {}, `and ${seen.length - 40} more`) : "",
    ...aboutCalls(calls.filter(c => c.object === o.seq)), ...aboutClaims(claims.filter(c => c.object === o.seq || c.other === o.seq))];
}

function aboutEvent(id) {
  const e = eventById.get(id), c = callById.get(e ? e.call : id) || calls.find(c => c.end === id);
  if (!e && !c) return [];
  return [el("h2", {}, event(id)), e ? el("p", {}, eventLine(e), " ", el("button", {type: "button", onclick: () => { select("step"); goTo(id); }}, "Step to it")) : "",
    ...(c ? [...aboutCalls([c]), el("ol", {class: "parts"}, c.parts.map(([name, , at, object]) => el("li", {}, el("code", {}, text(name)), " ", event(at), " ", dentry(object))))] : []),
    ...aboutClaims(claims.filter(x => (x.ids || []).includes(id)))];
}

function aboutProcess(pid) {
  const t = data.tasks.find(t => t.pid === pid), mine = calls.filter(c => c.pid === pid);
  if (!t && !mine.length) return [];
  const children = data.tasks.filter(c => c.parent === pid);
  return [el("h2", {}, process(pid), " ", t ? text(t.program) : ""), t ? el("p", {}, t.parent ? ["made by ", process(t.parent), "; "] : "", `${plural(t.calls, "call")}, ${t.failed} failed; ${text(t.ended) || "its end is not in the trace"}`) : "",
    children.length ? el("p", {}, "made ", children.flatMap(c => [process(c.pid, text(c.program) + " " + c.pid), " "])) : "", ...aboutCalls(mine)];
}

// open shows the details of a key.
function open(key) {
  const found = find(key), box = byId("details");
  box.replaceChildren(el("button", {type: "button", class: "close", onclick: close, "aria-label": "Close"}, "×"), ...(found.length ? found : [el("p", {}, `${key} is not on this page.`)]));
  box.hidden = false;
  light(key);
}

function close() { byId("details").hidden = true; light(""); }
