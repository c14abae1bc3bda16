// Predicted against measured, and hypervolume against evaluations.
function drawPair(pair) {
  const known2 = all.filter((i) => known(data.values[pair.x][i]) && known(data.values[pair.y][i]));
  const errors = known2.map((i) => (100 * (data.values[pair.x][i] - data.values[pair.y][i])) / data.values[pair.y][i]);
  const parent = byId("measured-charts");
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const within = pair.band ? errors.filter((e) => Math.abs(e) <= pair.band).length : 0;
  const unit = columns.get(pair.x).unit;
  const points = known2.map((i) => data.values[pair.x][i] - data.values[pair.y][i]);
  make(parent, "p", { class: "hint" }, pair.band
    ? `${within} of ${known2.length} measured subnets (${Math.round((100 * within) / known2.length)} %) were predicted within ${pair.band} %; mean absolute error ${mean(errors.map(Math.abs)).toFixed(1)} %, bias ${mean(errors) < 0 ? "−" : "+"}${Math.abs(mean(errors)).toFixed(1)} %.`
    : `${known2.length} measured subnets: mean absolute error ${mean(points.map(Math.abs)).toPrecision(2)} ${unit}, bias ${mean(points) < 0 ? "−" : "+"}${Math.abs(mean(points)).toPrecision(2)} ${unit}.`);
  chart(make(parent, "div", { class: "chart square" }), (svg, width, height) => {
    const box = { left: 46, right: width - 8, top: 26, bottom: height - 44 };
    const values = known2.flatMap((i) => [data.values[pair.x][i], data.values[pair.y][i]]);
    const domain = padded(Math.min(...values), Math.max(...values), 0.06);
    const [atX, atY] = [scale(domain, [box.left, box.right]), scale(domain, [box.bottom, box.top])];
    const [size, axis] = axisUnit(pair.x, domain[1]);
    const ticks = ticksOf(domain[0] / size, domain[1] / size, 5).map((t) => t * size);
    const shown = (t) => digits(t / size, 6);
    axes(svg, box, { at: atX, ticks, show: shown }, { at: atY, ticks, show: shown }, `Predicted${axis ? ` (${axis})` : ""}`, `Measured${axis ? ` (${axis})` : ""}`);
    const clamp = (v) => Math.max(domain[0], Math.min(domain[1], v));
    if (pair.band) {
      // A prediction p is within b % of the measurement m where m (1 - b) <= p <= m (1 + b).
      const [over, under] = [1 / (1 - pair.band / 100), 1 / (1 + pair.band / 100)];
      const [low, high] = domain;
      const ring = [[low, clamp(low * over)], [high / over, high], [high, high], [high, high * under], [low / under, low], [low, low]];
      make(svg, "polygon", { class: "band", points: ring.map(([a, b]) => `${atX(clamp(a))},${atY(clamp(b))}`).join(" ") });
      const [tx, ty] = [atX(low + 0.9 * (high - low)), atY((low + 0.9 * (high - low)) * under)];
      const tilt = (-180 / Math.PI) * Math.atan2(box.bottom - box.top, box.right - box.left);
      make(svg, "text", { transform: `translate(${tx},${ty}) rotate(${tilt}) translate(0,19)`, "text-anchor": "end" }, `± ${pair.band} %`);
    }
    make(svg, "line", { class: "cross", x1: atX(domain[0]), y1: atY(domain[0]), x2: atX(domain[1]), y2: atY(domain[1]) });
    known2.forEach((i, n) => {
      const dot = make(svg, "circle", { class: pair.band && Math.abs(errors[n]) > pair.band ? "outside" : "inside", cx: atX(data.values[pair.x][i]), cy: atY(data.values[pair.y][i]), r: 4 });
      make(dot, "title", {}, `Row ${data.rows[i]}: predicted ${withUnit(pair.x, data.values[pair.x][i])}, measured ${withUnit(pair.y, data.values[pair.y][i])}`);
      dot.addEventListener("click", () => point(i, true));
    });
  });
}

const pairs = data.pairs.filter((pair) => all.some((i) => known(data.values[pair.x][i]) && known(data.values[pair.y][i])));
if (pairs.length) {
  byId("measured").hidden = false;
  pairs.forEach(drawPair);
}

// A hypervolume is in the units of the axes: M parameters, not parameters.
const sides = data.objectives.map((name) => {
  if (!columns.has(name)) return [1, name];
  const [size, unit] = axisUnit(name, Math.max(...data.values[name].filter(known)));
  const { kind, label } = columns.get(name);
  return [size, kind === "count" ? `${unit} ${label}`.trim() : unit || label];
});

function drawProgress(svg, width, height) {
  const box = { left: 46, right: width - 10, top: 26, bottom: height - 44 };
  const volume = sides.reduce((product, [size]) => product * size, 1);
  const [xs2, ys2] = [data.trace.map((step) => step[0]), data.trace.map((step) => step[1] / volume)];
  const domainX = [0, Math.max(...xs2)];
  const domainY = padded(Math.min(...ys2), Math.max(...ys2), 0.08);
  const [atX, atY] = [scale(domainX, [box.left, box.right]), scale(domainY, [box.bottom, box.top])];
  const size = domainX[1] >= 2e6 ? 1e6 : domainX[1] >= 2e3 ? 1e3 : 1;
  const unit = { 1: "", 1e3: " (thousands)", 1e6: " (millions)" }[size];
  axes(svg, box,
    { at: atX, ticks: ticksOf(0, domainX[1] / size, width / 110).map((t) => t * size), show: (t) => digits(t / size, 6) },
    { at: atY, ticks: ticksOf(...domainY, 4), show: (t) => digits(t, 5) },
    `Subnets scored${unit}`, `Hypervolume (${sides.map(([, unit]) => unit).join(" × ")})`);
  const d = xs2.map((x, n) => (n ? `H${atX(x).toFixed(1)}V${atY(ys2[n]).toFixed(1)}` : `M${atX(x).toFixed(1)} ${atY(ys2[n]).toFixed(1)}`)).join("");
  make(svg, "path", { class: "series", d });
  const last = xs2.length - 1;
  make(svg, "circle", { class: "inside", cx: atX(xs2[last]), cy: atY(ys2[last]), r: 4 });
  make(svg, "text", { class: "mark halo", x: atX(xs2[last]) - 6, y: atY(ys2[last]) + 20, "text-anchor": "end" }, digits(ys2[last], 5));
  make(svg, "text", { class: "halo", x: atX(xs2[1]) + 8, y: atY(ys2[0]) + 4 }, digits(ys2[0], 5));
}

if (data.trace.length > 1) {
  byId("progress").hidden = false;
  const [first, last] = [data.trace[0], data.trace[data.trace.length - 1]];
  const bounds = Object.entries(data.reference).map(([name, value]) => `${(columns.get(name) || { label: name }).label} ${withUnit(name, value)}`).join(", ");
  byId("progress-hint").textContent = `Hypervolume of the front found so far, recorded after every step of the search${bounds ? `, against the reference point ${bounds}` : ""}. After the first ${first[0].toLocaleString("en")} subnets it had ${Math.round((100 * first[1]) / last[1])} % of what it has in the end.`;
  chart(byId("progress-chart"), drawProgress);
}
