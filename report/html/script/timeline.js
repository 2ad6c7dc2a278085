// Path calls over time, one row for each process.
// SPDX-License-Identifier: Apache-2.0

const rowHeight = 26, gutter = 150;

views.push({id: "timeline", title: "Timeline", render() {
  const order = [...new Set(calls.map(c => c.pid))];
  const lanes = order.map(pid => ({pid, calls: calls.filter(c => c.pid === pid)}));
  const begin = Math.min(...calls.map(c => c.at)), end = Math.max(...calls.map(c => c.at + c.took));
  const view = {from: begin, to: Math.max(end, begin + 1)};
  const picture = svg("svg", {class: "timeline", tabindex: 0, role: "application", "aria-label": "Path calls over time. Arrow keys go from call to call, plus and minus zoom, Enter shows the call."});
  let at = {lane: 0, call: 0};

  function draw() {
    const width = Math.max(600, byId("main").clientWidth);
    const scale = (width - gutter - 10) / (view.to - view.from);
    const x = ns => gutter + (ns - view.from) * scale;
    picture.setAttribute("viewBox", `0 0 ${width} ${rowHeight * (lanes.length + 1) + 4}`);
    picture.setAttribute("width", width);
    const marks = [svg("text", {x: 0, y: 12}, "seconds since boot")];
    for (let i = 0; i <= 6; i++) {
      const ns = view.from + (view.to - view.from) * i / 6;
      marks.push(svg("line", {class: "tick", x1: x(ns), x2: x(ns), y1: 16, y2: rowHeight * (lanes.length + 1)}), svg("text", {x: x(ns), y: 12, "text-anchor": i === 6 ? "end" : "middle"}, seconds(ns)));
    }
    lanes.forEach((lane, i) => {
      const y = rowHeight * (i + 1);
      marks.push(svg("text", {class: "lane", x: 0, y: y + 16, "data-key": "p" + lane.pid}, `${mostly(lane.calls)} ${lane.pid}`.slice(0, 24)));
      let edge = -1;
      lane.calls.forEach((c, j) => {
        const left = x(c.at), right = x(c.at + c.took);
        const chosen = i === at.lane && j === at.call;
        if (right < gutter || left > width || right < edge + 0.7 && c.errno < 0 && !chosen) return;
        edge = Math.max(edge, right);
        marks.push(bar(c, Math.max(left, gutter), Math.max(right - Math.max(left, gutter), 1.5), y, chosen));
      });
    });
    picture.replaceChildren(...marks);
  }

  function bar(c, x, width, y, chosen) {
    const height = [6, 6, 12, 18][c.class]; // the height also shows the class
    const r = svg("rect", {class: `call ${classes[c.class]}${chosen ? " chosen" : ""}`, x, width, y: y + 20 - height, height, "data-key": "#" + c.id, "data-also": c.object ? "D" + c.object : ""},
      svg("title", {}, callLine(c)));
    if (c.errno < 0) return r;
    return svg("g", {}, r, svg("path", {class: "failed", d: `M${x} ${y}l5 5m0 -5l-5 5`, "data-key": "#" + c.id}));
  }

  function zoom(factor, around) {
    const middle = around === undefined ? (view.from + view.to) / 2 : around;
    view.from = Math.max(begin, middle - (middle - view.from) * factor);
    view.to = Math.min(Math.max(end, begin + 1), middle + (view.to - middle) * factor);
    draw();
  }

  function pan(part) {
    const by = Math.min(Math.max((view.to - view.from) * part, begin - view.from), end - view.to);
    view.from += by;
    view.to += by;
    draw();
  }

  function choose() {
    const c = lanes[at.lane].calls[at.call];
    if (c.at < view.from || c.at > view.to) pan((c.at - (view.from + view.to) / 2) / (view.to - view.from));
    draw();
    light("#" + c.id);
  }

  picture.addEventListener("wheel", e => {
    e.preventDefault();
    const part = (e.offsetX - gutter) / (picture.clientWidth - gutter);
    if (e.shiftKey) pan(Math.sign(e.deltaY) / 10);
    else zoom(e.deltaY > 0 ? 1.25 : 0.8, view.from + (view.to - view.from) * part);
  }, {passive: false});
  picture.addEventListener("keydown", e => {
    const lane = lanes[at.lane];
    const moves = {
      ArrowRight: () => { at.call = Math.min(at.call + 1, lane.calls.length - 1); choose(); }, ArrowLeft: () => { at.call = Math.max(at.call - 1, 0); choose(); },
      ArrowDown: () => { at = {lane: Math.min(at.lane + 1, lanes.length - 1), call: 0}; choose(); }, ArrowUp: () => { at = {lane: Math.max(at.lane - 1, 0), call: 0}; choose(); },
      "+": () => zoom(0.6, lane.calls[at.call].at), "-": () => zoom(1 / 0.6), Enter: () => open("#" + lane.calls[at.call].id),
      Home: () => { view.from = begin; view.to = Math.max(end, begin + 1); draw(); },
    };
    if (moves[e.key]) { e.preventDefault(); moves[e.key](); }
  });
  addEventListener("resize", draw);
  if (!calls.length) return [el("p", {}, "There are no path calls in this trace.")];
  draw();
  return [
    el("p", {class: "controls"}, el("button", {type: "button", onclick: () => zoom(0.6)}, "Zoom in"), " ", el("button", {type: "button", onclick: () => zoom(1 / 0.6)}, "Zoom out"), " ",
      el("button", {type: "button", onclick: () => pan(-0.3)}, "Earlier"), " ", el("button", {type: "button", onclick: () => pan(0.3)}, "Later"), " "),
    el("p", {class: "legend"}, classes.slice(1).map(c => el("span", {class: "key " + c, title: classSays[c]}, c)), el("span", {class: "key failed"}, "× failed")),
    el("div", {class: "scroll"}, picture),
    leftOut(calls.length, data.all.calls, "calls", "the first ones that failed, and the longest"),
  ];
}});

// mostly returns the name that the process had in most of its calls.
function mostly(some) {
  const times = new Map();
  for (const c of some) times.set(c.program, (times.get(c.program) || 0) + 1);
  return text([...times].sort((a, b) => b[1] - a[1])[0][0]);
}

function callLine(c) {
  return `#${c.id} ${text(c.op)} ${given(c)} ${c.errno < 0 ? (c.end ? "" : "has no return in the trace") : text(c.errno)} ${classes[c.class]} ${took(c)}`;
}
