"use strict";
// Shared by all parts: the data, the selection, numbers as text, and helpers for SVG.
window.addEventListener("error", (event) => { document.documentElement.dataset.error = event.message; });

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const count = data.rows.length;
const all = [...Array(count).keys()];
const columns = new Map(data.columns.map((column) => [column.name, column]));
const known = (value) => value !== null && value !== undefined;

// --- state: the subnet pointed at, and the kept ranges of axes        ---------------------------
const state = { at: 0, pinned: false, kept: new Map(), views: [] };
const axisValues = new Map(data.columns.map((column) => [column.name, data.values[column.name]]));
const onChange = (view) => { state.views.push(view); };
const changed = (what) => { for (const view of state.views) view(what); };

function isKept(i) {
  for (const [name, [low, high]] of state.kept) {
    const value = axisValues.get(name)[i];
    if (!known(value) || value < low || value > high) return false;
  }
  return true;
}

function keep(name, range) {
  if (range) state.kept.set(name, range); else state.kept.delete(name);
  changed("kept");
}

function point(i, pin) {
  if (pin) state.pinned = !(state.pinned && state.at === i);
  state.at = i;
  changed("at");
}

// --- numbers as text ------------------------------------------------------------------------------
const STEPS = { count: [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]], bytes: [[1e9, " GB"], [1e6, " MB"], [1e3, " kB"]] };
const digits = (value, n) => String(Number(value.toPrecision(n))).replace("-", "−");

function show(name, value) {
  if (!known(value)) return "–";
  const column = columns.get(name) || { kind: "plain" };
  for (const [size, unit] of STEPS[column.kind] || []) {
    if (Math.abs(value) >= size) return (value / size).toPrecision(3) + unit;
  }
  if (column.kind === "percent") return value.toFixed(2);
  if (column.unit === "ms" && Math.abs(value) >= 1) return value.toFixed(2);
  return column.kind === "bytes" ? `${value} B` : digits(value, 3);
}

const unitOf = (name, value) => {
  const unit = known(value) && (columns.get(name) || {}).unit;
  return unit ? ` ${unit}` : "";
};
const withUnit = (name, value) => show(name, value) + unitOf(name, value);

// An axis counts in thousands or millions, so that its ticks are short.
function axisUnit(name, largest) {
  const column = columns.get(name) || { kind: "plain", unit: "" };
  for (const [size, unit] of STEPS[column.kind] || []) if (largest >= 2 * size) return [size, unit.trim()];
  return [1, column.kind === "bytes" ? "B" : column.unit];
}

function ticksOf(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function padded(low, high, share) {
  const pad = (high - low) * share || Math.abs(low) * 0.05 || 1;
  return [low - pad, high + pad];
}

const scale = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low)) * (to - from);

// --- markup: text is always text, never HTML ------------------------------------------------------
function make(parent, name, attributes = {}, text) {
  const svg = parent.namespaceURI === "http://www.w3.org/2000/svg" || name === "svg";
  const node = document.createElementNS(svg ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", name);
  for (const [key, value] of Object.entries(attributes)) if (known(value)) node.setAttribute(key, value);
  if (known(text)) node.textContent = text;
  parent.appendChild(node);
  return node;
}

// A chart fills its box, whose height the style sheet has reserved: nothing on the page moves.
function chart(box, draw) {
  let width = 0;
  const redraw = () => {
    box.replaceChildren();
    width = box.clientWidth;
    const height = box.clientHeight;
    draw(make(box, "svg", { viewBox: `0 0 ${width} ${height}` }), width, height);
  };
  redraw();
  new ResizeObserver(() => { if (box.clientWidth !== width) redraw(); }).observe(box);
  return redraw;
}

function axes(svg, box, x, y, xTitle, yTitle) {
  for (const tick of y.ticks) {
    const at = y.at(tick);
    make(svg, "line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at });
    make(svg, "text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, y.show(tick));
  }
  make(svg, "line", { class: "rule", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
  for (const tick of x.ticks) {
    make(svg, "line", { class: "rule", x1: x.at(tick), x2: x.at(tick), y1: box.bottom, y2: box.bottom + 5 });
    make(svg, "text", { x: x.at(tick), y: box.bottom + 19, "text-anchor": "middle" }, x.show(tick));
  }
  make(svg, "text", { class: "name", x: 0, y: 12 }, yTitle);
  make(svg, "text", { class: "name", x: box.right, y: box.bottom + 38, "text-anchor": "end" }, xTitle);
}

const titled = (name, unit) => {
  const label = (columns.get(name) || { label: name }).label;
  return unit ? `${label} (${unit})` : label;
};

// --- colour: the picture's own; a dark page lifts it ------------------------------------------------
const { palette, index: shadeOf, steps: shades } = data.colour;
const tint = (colour) => `color-mix(in oklab, ${colour} var(--true), white)`;
const colourOf = (i) => tint(palette[shadeOf[i]]);
const colourName = data.colour.name && (data.colour.metric ? data.colour.name : `gene ${data.colour.name}`);

// --- genes with a single number: the image size, the total of layers ---------------------------------
for (const gene of data.genes) {
  if (!gene.choices.every((choice) => typeof choice === "number")) continue;
  const single = gene.stages.length === 1;
  if (!single && gene.key !== "d") continue;
  const values = gene.codes.map((codes) => codes.reduce((sum, code) => sum + (code < 0 ? 0 : gene.choices[code]), 0));
  const name = `gene ${gene.key}`;
  const label = single ? gene.title : "Total depth";
  columns.set(name, { name, label, unit: single ? gene.unit : "", maximise: true, kind: "plain", gene: true });
  axisValues.set(name, values);
}
