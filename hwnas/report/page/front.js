// The front, and the panel with all facts about the subnet pointed at.
const xs = data.values[data.x];
const ys = data.values[data.y];
const upward = columns.get(data.y).maximise;
const order = [...all].sort((a, b) => xs[a] - xs[b] || (upward ? ys[b] - ys[a] : ys[a] - ys[b]));
const cloudX = data.cloud[data.x] || [];
const cloudY = data.cloud[data.y] || [];
const cloudSize = data.x === data.y ? 0 : Math.min(cloudX.length, cloudY.length);
let wide = false;

// Where subnets overlap, those that are good in the third objective are on top, as in the picture.
const third = data.colour.metric ? axisValues.get(data.colour.name) : null;
const drawn = third ? [...order].sort((a, b) => (columns.get(data.colour.name).maximise ? third[a] - third[b] : third[b] - third[a])) : order;

const betterIsLeft = !columns.get(data.x).maximise;

// Members that no cheaper one beats; with more than two objectives these are not all.
function envelope() {
  let best = null;
  return order.filter((i) => {
    const better = best === null || (upward ? ys[i] > best : ys[i] < best);
    if (better) best = ys[i];
    return better;
  });
}

// The front, a part of the cloud, and bounds unless they are so far that they would squeeze the front.
function frontDomain() {
  const [floor, budget] = [data.floors[data.x], data.budgets[data.x]];
  let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const reach = 0.3 * (x1 - x0 || Math.abs(x1));
  const far = known(budget) && budget > x1 + reach;
  const farBelow = known(floor) && floor < x0 - reach;
  if (known(budget) && !far) x1 = Math.max(x1, budget);
  if (known(floor) && !farBelow) x0 = Math.min(x0, floor);
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
    if (wide && far) x1 = Math.max(x1, budget);
    if (wide && farBelow) x0 = Math.min(x0, floor);
  } else if (cloudSize) {
    x1 += 0.22 * span;
  }
  return { x: padded(x0, x1, 0.03), y: padded(y0, y1, 0.07), cut: cut || far || farBelow };
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

  const limit = (bound, edge, word, pointed) => {
    if (!known(bound)) return;
    const said = `${word} ${digits(bound / xSize, 4)} ${xUnit}`.trim();
    const [at, y] = [atX(bound), box.top - 22];
    if (at < box.left || at > box.right) {
      make(svg, "text", { class: "limit", x: edge, y, "text-anchor": edge === box.right ? "end" : "start" }, pointed(said));
      return;
    }
    make(svg, "rect", { class: "beyond", x: Math.min(at, edge), y: box.top - 16, width: Math.abs(edge - at), height: box.bottom - box.top + 16 });
    make(svg, "line", { class: "limit", x1: at, x2: at, y1: box.top - 16, y2: box.bottom });
    make(svg, "text", { class: "limit", x: at, y, "text-anchor": at > width - 60 ? "end" : at < 60 ? "start" : "middle" }, said);
  };
  limit(data.budgets[data.x], box.right, "budget", (said) => `${said}, beyond these →`);
  limit(data.floors[data.x], box.left, "at least", (said) => `← ${said}, below these`);
  for (const bound of [data.floors[data.y], data.budgets[data.y]]) {
    if (known(bound) && bound >= domain.y[0] && bound <= domain.y[1]) {
      make(svg, "line", { class: "limit", x1: box.left, x2: box.right, y1: atY(bound), y2: atY(bound) });
    }
  }
  sayCloud(seen.length, cloudSize);

  const best = envelope();
  if (betterIsLeft && data.x !== data.y) {
    const steps = best.map((i, n) => (n ? `H${atX(xs[i]).toFixed(1)}V${atY(ys[i]).toFixed(1)}` : `M${atX(xs[i]).toFixed(1)} ${atY(ys[i]).toFixed(1)}`)).join("");
    make(svg, "path", { class: "steps", d: steps });
  }
  const crowd = count / width;
  const radius = crowd > 0.4 ? 2.8 : crowd > 0.2 ? 3.4 : crowd > 0.06 ? 4.4 : 5.5;
  const members = new Map(drawn.map((i) => [i, make(svg, "circle", { class: "member", cx: atX(xs[i]), cy: atY(ys[i]), r: radius, "stroke-width": crowd > 0.2 ? 0 : 0.8 })]));
  for (const [i, node] of members) node.style.fill = colourOf(i);

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
    const spread = (data.values[columns.get(data.y).spread] || [])[state.at];
    if (spread) make(marker, "line", { class: "ring", x1: px, x2: px, y1: atY(ys[state.at] - spread), y2: atY(ys[state.at] + spread) });
    make(marker, "circle", { class: "ring", cx: px, cy: py, r: radius + 3.5 });
    const text = data.x === data.y ? withUnit(data.y, ys[state.at]) : `${withUnit(data.y, ys[state.at])} at ${withUnit(data.x, xs[state.at])}`;
    const leftish = px - box.left > 170;
    make(marker, "text", { class: "mark halo", x: leftish ? px - 12 : px + 14, y: leftish ? py - 12 : py + 22, "text-anchor": leftish ? "end" : "start" }, text);
    target.setAttribute("aria-valuenow", order.indexOf(state.at) + 1);
    target.setAttribute("aria-valuetext", `Row ${data.rows[state.at]}: ${text}`);
  };
  frontMarks();
}

let frontMarks = () => {};
const redrawFront = chart(byId("front-chart"), drawFront);
onChange((what) => frontMarks(what));

if (frontDomain().cut) {
  const button = byId("zoom");
  button.hidden = false;
  const all = cloudSize ? `show all ${cloudSize.toLocaleString("en")} random subnets` : "show the bounds";
  const say = () => { button.textContent = wide ? "zoom to the front" : all; };
  button.addEventListener("click", () => { wide = !wide; button.setAttribute("aria-pressed", wide); say(); redrawFront(); frontMarks("kept"); });
  say();
}

function drawDetail(what) {
  if (what === "kept") return;
  const panel = byId("detail");
  panel.replaceChildren();
  const i = state.at;
  const head = make(panel, "h3", {}, `Row ${data.rows[i]}`);
  make(head, "span", {}, state.pinned ? "pinned" : `of ${count.toLocaleString("en")}`);
  const list = make(panel, "dl");
  const spreads = new Set(data.columns.map((column) => column.spread));
  for (const { name, label, spread: beside } of data.columns) {
    if (spreads.has(name)) continue;
    const spread = (data.values[beside] || [])[i];
    make(list, "dt", {}, label);
    make(list, "dd", {}, show(name, data.values[name][i]) + (known(spread) ? ` ± ${show(beside, spread)}` : "") + unitOf(name, data.values[name][i]));
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
  make(panel, "p", { class: "copy" }, `hwnas export ${data.csv} --row ${data.rows[i]}${data.dataOptions}`);
}

drawDetail();
onChange(drawDetail);
