// The claims, those that are not proven first, each with its proof folded.
// SPDX-License-Identifier: Apache-2.0

views.push({id: "claims", title: "Claims", render() {
  // Claims that are not proven come first, then proven ones, the rarest kinds first.
  const rank = {refuted: 0, unproven: 1, proven: 2}, many = new Map(ofKinds().map(k => [k.name, k.proven]));
  const all = claims.map((c, i) => ({...c, i})).sort((a, b) => rank[text(a.verdict)] - rank[text(b.verdict)] || many.get(text(a.kind)) - many.get(text(b.kind)) || a.i - b.i);
  const holder = el("div");
  const choose = (label, values) => {
    const s = el("select", {onchange: fill}, el("option", {value: ""}, "all"), values.map(v => el("option", {}, v)));
    return {select: s, part: el("label", {}, label + " ", s, " ")};
  };
  const kind = choose("Kind", [...new Set(all.map(c => text(c.kind)))].sort()), verdict = choose("Verdict", ["refuted", "unproven", "proven"]);
  function fill() {
    const some = all.filter(c => (!kind.select.value || text(c.kind) === kind.select.value) && (!verdict.select.value || text(c.verdict) === verdict.select.value));
    holder.replaceChildren(el("p", {}, plural(some.length, "claim") + (some.length > 500 ? ", the first 500 are shown" : "")), ...some.slice(0, 500).map(claimLine));
  }
  fill();
  return [el("p", {class: "controls"}, kind.part, verdict.part), holder,
    leftOut(claims.length, data.all.claims, "claims", "those that are not proven, and the first proven ones of each kind")];
}});

// ofKinds counts the verdicts of all programs by kind of claim, the most frequent kind first.
function ofKinds() {
  const sums = new Map();
  for (const p of data.verdicts.programs) {
    if (p.program !== "") continue; // "": the sum over all programs
    for (const [name, counts] of Object.entries(p.claims)) sums.set(name, {name, proven: counts.proven || 0, refuted: counts.refuted || 0, unproven: counts.unproven || 0});
  }
  return [...sums.values()].sort((a, b) => b.proven - a.proven || (a.name < b.name ? -1 : 1));
}

function kinds() {
  return table([{title: "Claims", of: r => r.name, head: true}, ...["proven", "refuted", "unproven"].map(v => ({title: `${signs[v]} ${v}`, of: r => r[v], number: true}))], ofKinds(), "Claims by kind");
}

const signs = {proven: "✓", refuted: "✗", unproven: "?"};

function claimLine(c) {
  const v = text(c.verdict);
  return el("details", {class: "claim " + v}, el("summary", {}, el("span", {class: "verdict"}, `${signs[v]} ${v}`), ` ${text(c.kind)} `, el("code", {}, text(c.subject)), " ", dentry(c.object), " ", dentry(c.other)),
    el("p", {}, linked(text(c.says))), c.sum >= 0 && text(c.sum) ? el("p", {}, linked(text(c.sum))) : "", text(c.reason) ? el("p", {}, "because: ", linked(text(c.reason))) : "",
    el("p", {}, "events: ", (c.ids || []).flatMap(id => [event(id), " "])));
}

// linked turns each D12, #17 and address in a sentence into a token.
function linked(s) {
  return s.split(/(\bD\d+\b|#\d+\b|0x[0-9a-f]{16}\b)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const o = objectByAddress.get(part);
    return o ? token("D" + o.seq, part) : part.startsWith("0x") ? el("code", {}, part) : token(part);
  });
}
