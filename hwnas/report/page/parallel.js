// Parallel coordinates of the metrics and of genes with a single number.
// A metric's companions (interval, spread, measurement) follow it and need no axis of their own.
const threads = [...axisValues.keys()].filter((name) => {
  if (columns.get(name).beside || name.endsWith("_error_pct")) return false;
  const values = axisValues.get(name).filter(known);
  return values.length === count && Math.min(...values) < Math.max(...values);
});

// Axes are far enough apart for their labels; a chart wider than its box scrolls sideways.
const GAP = 62;
const LETTER = 7;

function wrapped(text, pixels) {
  const lines = [];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && (lines[last].length + 1 + word.length) * LETTER <= pixels) lines[last] += ` ${word}`; else lines.push(word);
  }
  return lines;
}

function axisTitle(name) {
  const { label, unit } = columns.get(name);
  return unit ? `${label} (${unit})` : label;
}

function drawTrade(svg, width, height) {
  const side = width < 560 ? 34 : 54;
  const each = (width - 2 * side) / Math.max(1, threads.length - 1);
  const lines = Math.max(...threads.map((name) => wrapped(axisTitle(name), each - 6).length));
  const box = { left: side, right: width - side, top: 22 + 15 * lines, bottom: height - 22, lines };
  const gap = (box.right - box.left) / Math.max(1, threads.length - 1);
  const axesAt = threads.map((name, n) => {
    const values = axisValues.get(name);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const up = columns.get(name).maximise;
    return { name, low, high, x: box.left + n * gap, at: scale([low, high], up ? [box.bottom, box.top] : [box.top, box.bottom]), top: up ? high : low, foot: up ? low : high };
  });
  const places = all.map((i) => axesAt.map((axis) => [axis.x, axis.at(axisValues.get(axis.name)[i])]));
  const paint = threadsOn(svg, width, height, places);
  const above = make(svg, "path", { class: "thread" });
  const brushes = axesAt.map((axis) => drawAxis(svg, box, axis, gap));
  tradeMarks = (what) => {
    above.setAttribute("d", `M${places[state.at].map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`);
    if (what === "at") return;
    paint();
    brushes.forEach((update) => update());
  };
  tradeMarks();
}

// A browser takes half a second to draw thousands of lines as shapes, whatever has changed. So they are painted
// on a canvas under the chart, and only the shapes above it move.
function threadsOn(svg, width, height, places) {
  const canvas = document.createElement("canvas");
  svg.before(canvas);
  [canvas.width, canvas.height] = [width * devicePixelRatio, height * devicePixelRatio];
  const pen = canvas.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  const resolved = (colour) => { canvas.style.color = colour; return getComputedStyle(canvas).color; };
  const line = (i) => {
    pen.beginPath();
    for (const [x, y] of places[i]) pen.lineTo(x, y);
    pen.stroke();
  };
  return () => {
    pen.clearRect(0, 0, width, height);
    pen.lineWidth = 1.1;
    pen.lineJoin = "round";
    const colours = palette.map((colour) => resolved(tint(colour)));
    const kept = all.map(isKept);
    pen.globalAlpha = 0.16;
    pen.strokeStyle = resolved("var(--line)");
    for (const i of all) if (!kept[i]) line(i);
    pen.globalAlpha = 0.42;
    for (const i of all) if (kept[i]) { pen.strokeStyle = colours[shadeOf[i]]; line(i); }
  };
}

function drawAxis(svg, box, axis, gap) {
  const column = columns.get(axis.name);
  const words = wrapped(axisTitle(axis.name), gap - 6);
  words.forEach((word, n) => make(svg, "text", { class: "name", x: axis.x, y: 12 + 15 * (n + box.lines - words.length), "text-anchor": "middle" }, word));
  make(svg, "line", { class: "rule", x1: axis.x, x2: axis.x, y1: box.top, y2: box.bottom });
  make(svg, "text", { class: "halo", x: axis.x, y: box.top - 7, "text-anchor": "middle" }, show(axis.name, axis.top));
  make(svg, "text", { class: "halo", x: axis.x, y: box.bottom + 17, "text-anchor": "middle" }, show(axis.name, axis.foot));
  const brush = make(svg, "rect", { class: "brush", x: axis.x - 7, width: 14, rx: 2 });
  const grip = make(svg, "rect", {
    class: "grip", x: axis.x - 15, y: box.top - 4, width: 30, height: box.bottom - box.top + 8, tabindex: 0, role: "slider",
    "aria-orientation": "vertical", "aria-label": `${column.label}: keep from the best down to`,
    "aria-valuemin": axis.low, "aria-valuemax": axis.high,
  });
  const value = (y) => {
    const share = Math.max(0, Math.min(1, (y - box.top) / (box.bottom - box.top)));
    return axis.top + share * (axis.foot - axis.top);
  };
  let from = null;
  const yOf = (event) => event.clientY - svg.getBoundingClientRect().top;
  grip.addEventListener("pointerdown", (event) => { from = yOf(event); grip.setPointerCapture(event.pointerId); });
  grip.addEventListener("pointermove", (event) => {
    if (from === null || Math.abs(yOf(event) - from) < 3) return;
    keep(axis.name, [value(from), value(yOf(event))].sort((a, b) => a - b));
  });
  grip.addEventListener("pointerup", (event) => { if (Math.abs(yOf(event) - from) < 3) keep(axis.name, null); from = null; });
  grip.addEventListener("pointercancel", () => { from = null; });
  grip.addEventListener("keydown", (event) => {
    const step = { ArrowDown: -0.05, ArrowUp: 0.05, Escape: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const range = state.kept.get(axis.name) || [axis.low, axis.high];
    const worst = axis.top > axis.foot ? range[0] : range[1];
    const share = Math.max(0, Math.min(1, (worst - axis.foot) / (axis.top - axis.foot) + (step === 1 ? -1 : step)));
    const limit = axis.foot + share * (axis.top - axis.foot);
    keep(axis.name, share === 0 ? null : [axis.top, limit].sort((a, b) => a - b));
  });
  return () => {
    const range = state.kept.get(axis.name);
    const ends = (range || []).map((v) => axis.at(Math.max(axis.low, Math.min(axis.high, v)))).sort((a, b) => a - b);
    brush.setAttribute("y", range ? ends[0] - 1 : 0);
    brush.setAttribute("height", range ? ends[1] - ends[0] + 2 : 0);
    const worst = range ? (axis.top > axis.foot ? range[0] : range[1]) : axis.foot;
    grip.setAttribute("aria-valuenow", Math.max(axis.low, Math.min(axis.high, worst)));
    grip.setAttribute("aria-valuetext", range ? `kept from ${withUnit(axis.name, range[0])} to ${withUnit(axis.name, range[1])}` : "all kept");
  };
}

let tradeMarks = () => {};
if (count > 1 && threads.length > 1) {
  byId("trade").hidden = false;
  byId("trade-chart").style.minWidth = `${(threads.length - 1) * GAP + 68}px`;
  const redraw = chart(byId("trade-chart"), drawTrade);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  onChange((what) => tradeMarks(what));
}
