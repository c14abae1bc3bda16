// The front itself, and the panel that tells everything about the subnet pointed at.
const xs = data.values[data.x];
const ys = data.values[data.y];
const upward = columns.get(data.y).maximise;
const order = [...all].sort((a, b) => xs[a] - xs[b] || (upward ? ys[b] - ys[a] : ys[a] - ys[b]));
const cloudX = data.cloud[data.x] || [];
const cloudY = data.cloud[data.y] || [];
const cloudSize = data.x === data.y ? 0 : Math.min(cloudX.length, cloudY.length);
let wide = false;

const betterIsLeft = !columns.get(data.x).maximise;

// Better than all that is cheaper: with more than two objectives only some members are.
function envelope() {
  let best = null;
  return order.filter((i) => {
    const better = best === null || (upward ? ys[i] > best : ys[i] < best);
    if (better) best = ys[i];
    return better;
  });
}

function frontDomain() {
  const budget = data.budgets[data.x];
  let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (known(budget)) x1 = Math.max(x1, budget);
  const span = x1 - x0 || Math.abs(x1) * 0.1 || 1;
  let seen = 0;
  for (let i = 0; i < cloudSize; i++) {
    const near = cloudX[i] <= x1 + 0.25 * span && cloudX[i] >= x0 - 0.1 * span && cloudY[i] >= y0 - 0.25 * (y1 - y0);
    seen += near;
  }
  const cut = seen < cloudSize;
  if (wide || !cut) {
    for (let i = 0; i < cloudSize; i++) {
      x0 = Math.min(x0, cloudX[i]); x1 = Math.max(x1, cloudX[i]);
      y0 = Math.min(y0, cloudY[i]); y1 = Math.max(y1, cloudY[i]);
    }
  } else if (cloudSize) {
    x1 += 0.22 * span;
  }
  return { x: padded(x0, x1, 0.03), y: padded(y0, y1, 0.07), cut };
}

function drawFront(svg, width, height) {
  const box = { left: 46, right: width - 8, top: 40, bottom: height - 44 };
  const domain = frontDomain();
  const atX = scale(domain.x, [box.left, box.right]);
  const atY = scale(domain.y, [box.bottom, box.top]);
  const [xSize, xUnit] = axisUnit(data.x, domain.x[1]);
  const [ySize, yUnit] = axisUnit(data.y, domain.y[1]);
  const axis = (at, [low, high], size, pixels) => ({ at, ticks: ticksOf(low / size, high / size, pixels).map((t) => t * size), show: (t) => digits(t / size, 6) });
  axes(svg, box, axis(atX, domain.x, xSize, width / 90), axis(atY, domain.y, ySize, height / 70), titled(data.x, xUnit), titled(data.y, yUnit));

  const inBox = (i) => cloudX[i] >= domain.x[0] && cloudX[i] <= domain.x[1] && cloudY[i] >= domain.y[0] && cloudY[i] <= domain.y[1];
  const seen = [...Array(cloudSize).keys()].filter(inBox);
  const dots = seen.map((i) => `M${atX(cloudX[i]).toFixed(1)} ${atY(cloudY[i]).toFixed(1)}h0`).join("");
  make(svg, "path", { class: "cloud", d: dots, stroke: "var(--cloud)", "stroke-width": 3.6, "stroke-linecap": "round" });

  const budget = data.budgets[data.x];
  if (known(budget) && atX(budget) <= box.right) {
    const at = atX(budget);
    make(svg, "rect", { class: "beyond", x: at, y: box.top - 16, width: box.right - at, height: box.bottom - box.top + 16 });
    make(svg, "line", { class: "limit", x1: at, x2: at, y1: box.top - 16, y2: box.bottom });
    make(svg, "text", { class: "limit", x: at, y: box.top - 22, "text-anchor": at > width - 60 ? "end" : "middle" }, `budget ${digits(budget / xSize, 4)} ${xUnit}`.trim());
  }
  if (seen.length) {
    const right = seen.filter((i) => atX(cloudX[i]) > box.right - 150);
    const lowest = Math.max(...(right.length ? right : seen).map((i) => atY(cloudY[i])));
    const text = seen.length < cloudSize ? `${seen.length} of ${cloudSize.toLocaleString("en")} random subnets` : `${cloudSize.toLocaleString("en")} random subnets`;
    make(svg, "text", { class: "halo", x: box.right - 6, y: Math.min(box.bottom - 10, lowest + 20), "text-anchor": "end" }, text);
  }

  const best = envelope();
  if (betterIsLeft && data.x !== data.y) {
    const steps = best.map((i, n) => (n ? `H${atX(xs[i]).toFixed(1)}V${atY(ys[i]).toFixed(1)}` : `M${atX(xs[i]).toFixed(1)} ${atY(ys[i]).toFixed(1)}`)).join("");
    make(svg, "path", { class: "steps", d: steps });
  }
  const crowd = count / width;
  const radius = crowd > 0.4 ? 2.8 : crowd > 0.2 ? 3.4 : crowd > 0.06 ? 4.4 : 5.5;
  const members = new Map(order.map((i) => [i, make(svg, "circle", { class: "member", cx: atX(xs[i]), cy: atY(ys[i]), r: radius, "stroke-width": crowd > 0.2 ? 0.4 : 0.8 })]));
  for (const [i, node] of members) node.style.fill = colourOf(i);
  const labels = labelShades(svg, box, atX, atY, best);

  const marker = make(svg, "g", { "aria-hidden": "true" });
  const target = make(svg, "rect", {
    x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top, fill: "transparent", tabindex: 0, role: "slider",
    "aria-label": `Subnets of the front, along ${columns.get(data.x).label}`, "aria-valuemin": 1, "aria-valuemax": count,
  });
  target.style.cursor = "crosshair";
  const near = (event) => {
    const corner = svg.getBoundingClientRect();
    const [px, py] = [event.clientX - corner.left, event.clientY - corner.top];
    let [found, least] = [state.at, Infinity];
    for (const i of order) {
      if (!isKept(i)) continue;
      const distance = (atX(xs[i]) - px) ** 2 + (atY(ys[i]) - py) ** 2;
      if (distance < least) [found, least] = [i, distance];
    }
    return found;
  };
  target.addEventListener("pointermove", (event) => { if (!state.pinned && event.pointerType === "mouse") point(near(event)); });
  target.addEventListener("click", (event) => point(near(event), true));
  target.addEventListener("keydown", (event) => {
    const here = order.indexOf(state.at);
    const last = count - 1;
    const to = { ArrowRight: here + 1, ArrowUp: here + 1, ArrowLeft: here - 1, ArrowDown: here - 1, PageUp: here + 10, PageDown: here - 10, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    point(order[Math.max(0, Math.min(last, to))]);
  });

  frontMarks = (what) => {
    if (what !== "at") for (const [i, node] of members) node.classList.toggle("out", !isKept(i));
    const [px, py] = [atX(xs[state.at]), atY(ys[state.at])];
    marker.replaceChildren();
    make(marker, "line", { class: "cross", x1: box.left, x2: px, y1: py, y2: py });
    make(marker, "line", { class: "cross", x1: px, x2: px, y1: py, y2: box.bottom });
    const spread = (data.values[`${data.y}_std`] || [])[state.at];
    if (spread) make(marker, "line", { class: "ring", x1: px, x2: px, y1: atY(ys[state.at] - spread), y2: atY(ys[state.at] + spread) });
    make(marker, "circle", { class: "ring", cx: px, cy: py, r: radius + 3.5 });
    const text = data.x === data.y ? withUnit(data.y, ys[state.at]) : `${withUnit(data.y, ys[state.at])} at ${withUnit(data.x, xs[state.at])}`;
    const leftish = px - box.left > 170;
    const words = make(marker, "text", { class: "mark halo", x: leftish ? px - 12 : px + 14, y: leftish ? py - 12 : py + 22, "text-anchor": leftish ? "end" : "start" }, text);
    const own = words.getBBox();
    for (const label of labels) {
      const other = label.getBBox();
      const apart = other.x > own.x + own.width || other.x + other.width < own.x || other.y > own.y + own.height || other.y + other.height < own.y;
      label.style.visibility = apart ? "" : "hidden";
    }
    target.setAttribute("aria-valuenow", order.indexOf(state.at) + 1);
    target.setAttribute("aria-valuetext", `Row ${data.rows[state.at]}: ${text}`);
  };
  frontMarks();
}

// Colours are named where they stand, each beside the middle of its run along the front.
function labelShades(svg, box, atX, atY, best) {
  const placed = [];
  const labels = [];
  for (const code of [...shades].reverse()) {
    const own = best.filter((i) => colourGene.codes[i][0] === code);
    if (!own.length) continue;
    const middle = own[Math.floor(own.length / 2)];
    const before = atX(xs[middle]) - box.left > 75;
    const [px, py] = before ? [atX(xs[middle]) - 14, atY(ys[middle]) - 12] : [atX(xs[middle]) + 14, atY(ys[middle]) + 22];
    if (placed.some(([x, y]) => Math.abs(x - px) < 62 && Math.abs(y - py) < 17)) continue;
    placed.push([px, py]);
    const text = make(svg, "text", { class: "halo", x: px, y: py, "text-anchor": before ? "end" : "start" });
    const dot = make(text, "tspan", {}, "● ");
    dot.style.fill = shade(code);
    make(text, "tspan", {}, `${colourGene.choices[code]} ${colourGene.unit}`.trim());
    labels.push(text);
  }
  return labels;
}

let frontMarks = () => {};
const redrawFront = chart(byId("front-chart"), drawFront);
onChange((what) => frontMarks(what));

if (frontDomain().cut) {
  const button = byId("zoom");
  button.hidden = false;
  const say = () => { button.textContent = wide ? "zoom to the front" : `show all ${cloudSize.toLocaleString("en")} random subnets`; };
  button.addEventListener("click", () => { wide = !wide; button.setAttribute("aria-pressed", wide); say(); redrawFront(); frontMarks("kept"); });
  say();
}

function drawDetail(what) {
  if (what === "kept") return;
  const panel = byId("detail");
  panel.replaceChildren();
  const i = state.at;
  const head = make(panel, "h3", {}, `Row ${data.rows[i]}`);
  make(head, "span", {}, state.pinned ? "pinned" : `of ${count}`);
  const list = make(panel, "dl");
  for (const { name, label } of data.columns) {
    if (name.endsWith("_std") && data.values[name.slice(0, -4)]) continue;
    const spread = (data.values[`${name}_std`] || [])[i];
    make(list, "dt", {}, label);
    make(list, "dd", {}, show(name, data.values[name][i]) + (known(spread) ? ` ± ${show(`${name}_std`, spread)}` : "") + unitOf(name, data.values[name][i]));
  }
  for (const [name, texts] of Object.entries(data.texts)) {
    make(list, "dt", {}, name);
    make(list, "dd", {}, texts[i]);
  }
  for (const gene of data.genes.filter((one) => one.stages.length === 1)) {
    make(list, "dt", {}, gene.title);
    make(list, "dd", {}, `${gene.codes[i][0] < 0 ? "–" : gene.choices[gene.codes[i][0]]} ${gene.unit}`.trim());
  }
  for (const gene of data.genes.filter((one) => one.stages.length > 1)) {
    const block = make(panel, "div", { class: "gene" });
    make(block, "b", {}, gene.title);
    const layers = make(block, "div", { class: "layers" });
    const stages = new Map();
    gene.stages.forEach((stage, p) => {
      const code = gene.codes[i][p];
      stages.set(stage, [...(stages.get(stage) || []), code < 0 ? "·" : gene.choices[code]]);
    });
    for (const values of stages.values()) make(layers, "i", {}, values.join(gene.choices.every((choice) => String(choice).length === 1) ? "" : " "));
  }
  make(panel, "p", { class: "copy" }, `hwnas export ${data.csv} --row ${data.rows[i]}`);
}

drawDetail();
onChange(drawDetail);
