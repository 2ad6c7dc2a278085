// The first view: what happened, in numbers.
// SPDX-License-Identifier: Apache-2.0

function lead() {
  const s = data.summary, t = s.total;
  const parts = [`${plural(t.calls, "path call")} of ${data.tasks.length ? plural(data.tasks.length, "process", "processes") : "processes not known"}, ${t.failed} failed, ${t.unfinished ? "≥ " : ""}${duration(t.took_ns)} in them`,
    `${plural(s.events, "event")}, ` + (s.lost ? `${s.lost} LOST` : "none known to be lost") + (s.complete ? "" : ", CUT BEFORE ITS END"),
    `${data.verdicts.proven} claims proven, ${data.verdicts.refuted} refuted, ${data.verdicts.unproven} unproven`];
  byId("lead").append(parts.join("; ") + ".", data.command ? el("code", {}, data.command) : "");
  if (s.lost || !s.complete) byId("lead").classList.add("loss");
}

// A call that had not returned when its trace ended took at least that long.
function slowTime(call) {
  return (call.unfinished ? "≥ " : "") + duration(call.took_ns);
}

function tile(name, value, title) {
  return el("div", {class: "tile", title: title || null}, el("b", {"data-count": name}, String(value)), el("span", {}, name));
}

views.push({id: "summary", title: "Summary", render() {
  const s = data.summary, t = s.total;
  const programs = s.programs.map(p => ({...p, key: null}));
  const doubts = s.negatives_doubts || [];
  const slow = s.slowest.map(c => ({...c}));
  return [
    el("div", {class: "tiles"}, tile("calls", t.calls), tile("failed", t.failed), tile("rcu", t.rcu, classSays.rcu), tile("ref", t.ref, classSays.ref),
      tile("miss", t.miss, classSays.miss), tile("restarted", t.restarted, "walks that started over"), tile("allocs", t.allocs, "dentries allocated in calls"),
      s.negatives ? [tile("negatives made", s.negatives.made, "dentries without inode"), tile("negatives left", s.negatives.left, "in the cache when the trace ended")]
        : tile("negatives made", "not known", doubts.join("; "))),
    s.negatives && doubts.length ? el("p", {}, "Dentries without inode: as far as is recorded, ", doubts.join("; "), s.negatives.not_known ? `; what became of ${s.negatives.not_known} is not known` : "") : "",
    el("h2", {}, "What stands out"),
    s.findings.length ? el("ul", {class: "findings"}, s.findings.map((f, i) => el("li", {}, linked(f.what), " ", el("code", {}, data.show[i]))))
      : el("p", {}, "Nothing, by the rules of docs/answers.md."),
    table([
      {title: "Program", of: r => r.program, head: true}, {title: "Processes", of: r => r.processes, number: true}, {title: "Calls", of: r => r.calls, number: true},
      {title: "Failed", of: r => r.failed, number: true}, {title: "rcu", of: r => r.rcu, number: true}, {title: "ref", of: r => r.ref, number: true},
      {title: "miss", of: r => r.miss, number: true}, {title: "Time", of: r => r.took_ns, show: r => (r.unfinished ? "≥ " : "") + duration(r.took_ns), number: true},
      {title: "Operations", of: r => r.operations.map(o => `${o.name} ${o.count}`).join(", "), wide: true},
      {title: "Slowest", of: r => r.slowest ? r.slowest.took_ns : 0, number: true,
        show: r => r.slowest ? [slowTime(r.slowest) + " ", event(r.slowest.id)] : ""},
    ], programs, "Programs" + (programs.reduce((n, p) => n + p.processes, 0) > t.processes ? "; a process is counted with each name that it had" : "")),
    el("div", {class: "tables"}, table([
      {title: "Call", of: r => r.operation + " " + r.path, head: true}, {title: "Program", of: r => r.program},
      {title: "Time", of: r => r.took_ns, show: slowTime, number: true},
      {title: "Of that, the filesystem", of: r => r.filesystem_ns, show: r => r.filesystem_ns ? duration(r.filesystem_ns) : "not known", number: true},
      {title: "Event", of: r => r.id, show: r => event(r.id), number: true},
    ], slow, "The slowest calls"),
    table([{title: "Errno", of: r => r.name, head: true}, {title: "Calls", of: r => r.count, number: true}], s.errnos, "Failures"), kinds(),
    s.negatives ? table([{title: "Birth or fate", of: r => r.name, head: true}, {title: "Dentries", of: r => r.count, number: true}],
      [...s.negatives.births.map(b => ({name: "born by " + b.name, count: b.count})), ...s.negatives.fates.map(f => ({name: f.name, count: f.count}))],
      "Dentries without inode") : ""),
  ];
}});
