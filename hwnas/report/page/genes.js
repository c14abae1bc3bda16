// Per gene group, the share of the kept subnets that made each choice.
const percent = (share) => (share > 0 && share < 0.005 ? "<1" : `${Math.round(100 * share)}`);

function sharesOf(gene, p, kept) {
  const tally = new Map();
  for (const i of kept) tally.set(gene.codes[i][p], (tally.get(gene.codes[i][p]) || 0) + 1);
  return (code) => (kept.length ? (tally.get(code) || 0) / kept.length : 0);
}

function heat(cell, share, skipped) {
  if (!share) return;
  const part = (6 + (skipped ? 30 : 94) * share).toFixed(1);
  cell.style.background = `color-mix(in oklab, var(${skipped ? "--soft" : "--heat"}) ${part}%, var(${skipped ? "--paper" : "--faint"}))`;
  if (!skipped && share > 0.5) cell.style.color = "var(--on-heat)";
  if (skipped) cell.style.color = "var(--ink)";
}

function strip(parent, gene, kept) {
  const block = make(parent, "div", { class: gene.stages.length > 8 ? "strip" : "strip narrow" });
  const table = make(block, "table");
  make(table, "caption", {}, gene.title + (gene.unit ? ` (${gene.unit})` : ""));
  const places = [];
  gene.stages.forEach((stage, p) => {
    if (p && stage !== gene.stages[p - 1] && gene.stages.length > new Set(gene.stages).size) places.push(null);
    places.push(p);
  });
  const head = make(make(table, "thead"), "tr");
  make(head, "th");
  for (let n = 0; n < places.length;) {
    const stage = gene.stages[places[n]];
    let span = 0;
    while (n + span < places.length && places[n + span] !== null && gene.stages[places[n + span]] === stage) span++;
    make(head, "th", { colspan: span, scope: "col" }, `${span > 1 || gene.stages.length < 9 ? "stage " : ""}${stage + 1}`);
    n += span;
    if (n < places.length && places[n] === null) { make(head, "th", { class: "gap" }); n++; }
  }
  const body = make(table, "tbody");
  const shares = gene.stages.map((_, p) => sharesOf(gene, p, kept));
  const rows = gene.choices.map((choice, code) => [code, String(choice)]).reverse();
  if (gene.codes.some((codes) => codes.includes(-1))) rows.push([-1, "skipped"]);
  for (const [code, title] of rows) {
    const row = make(body, "tr", code < 0 ? { class: "skipped" } : {});
    make(row, "th", { scope: "row" }, title);
    for (const p of places) {
      if (p === null) { make(row, "td", { class: "gap" }); continue; }
      const share = shares[p](code);
      const layer = gene.stages.slice(0, p + 1).filter((stage) => stage === gene.stages[p]).length;
      const place = `stage ${gene.stages[p] + 1}${gene.stages.length > new Set(gene.stages).size ? `, layer ${layer}` : ""}`;
      const cell = make(row, "td", { title: `${place}: ${title} in ${percent(share)} % of ${kept.length} subnets` }, share ? percent(share) : "");
      heat(cell, share, code < 0);
    }
  }
}

function bars(parent, gene, kept) {
  const block = make(parent, "div", { class: "strip narrow" });
  make(block, "h3", {}, gene.title + (gene.unit ? ` (${gene.unit})` : ""));
  const list = make(block, "div", { class: "bars" });
  const shares = sharesOf(gene, 0, kept);
  const used = new Set(gene.codes.map((codes) => codes[0]));
  gene.choices.forEach((choice, code) => {
    if (!used.has(code)) return;
    make(list, "span", {}, String(choice));
    const bar = make(make(list, "div"), "i");
    bar.style.width = `${100 * shares(code)}%`;
    const shade = gene.key === data.colour.name ? shades.indexOf(choice) : -1;
    if (shade >= 0) bar.style.background = tint(palette[shade]);
    make(list, "span", {}, `${percent(shares(code))} %`);
  });
}

function drawShared(what) {
  if (what === "at") return;
  const kept = all.filter(isKept);
  const whose = count === 1 ? "the one subnet" : kept.length === count ? `all ${count.toLocaleString("en")} subnets` : `the ${kept.length.toLocaleString("en")} subnets kept of ${count.toLocaleString("en")}`;
  byId("shared-hint").textContent = `Share of ${whose} that made each choice, in percent; one column per layer.`;
  const parent = byId("shared-tables");
  parent.replaceChildren();
  for (const gene of data.genes) (gene.stages.length > 1 ? strip : bars)(parent, gene, kept);
  for (const button of byId("thirds").children) button.setAttribute("aria-pressed", String(button.range(kept.length)));
  for (const button of document.querySelectorAll(".clear")) {
    button.hidden = !state.kept.size;
    button.textContent = `show all ${count.toLocaleString("en")}`;
  }
}

function thirds() {
  const names = data.x === "latency_ms" ? ["fastest third", "middle", "slowest third"] : ["smallest third", "middle", "largest third"];
  const add = (text, range) => {
    const button = make(byId("thirds"), "button", { type: "button" }, text);
    button.addEventListener("click", () => {
      state.kept.clear();
      if (range) state.kept.set(data.x, range);
      changed("kept");
    });
    button.range = () => {
      const now = state.kept.get(data.x);
      return range ? state.kept.size === 1 && Boolean(now) && now[0] === range[0] && now[1] === range[1] : !state.kept.size;
    };
  };
  add("all", null);
  const cut = (n) => xs[order[Math.round((n * (count - 1)) / 3)]];
  if (count >= 9) names.forEach((name, n) => add(name, [cut(n), cut(n + 1)]));
}

if (data.genes.length) {
  byId("shared").hidden = false;
  thirds();
}
drawShared();
onChange(drawShared);
for (const button of document.querySelectorAll(".clear")) {
  button.addEventListener("click", () => { state.kept.clear(); changed("kept"); });
}
