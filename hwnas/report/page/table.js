// Every number of every kept subnet.
const listed = data.columns.map((column) => column.name);
const single = data.genes.filter((gene) => gene.stages.length === 1);


// Thousands of rows take seconds to lay out, so they are added while the list is scrolled.
const ROWS_AT_ONCE = 100;
let addRows = () => {};

function drawList(what) {
  const box = byId("list");
  if (what === "at") {
    box.querySelector("tr.at")?.classList.remove("at");
    box.querySelector(`tr[data-i="${state.at}"]`)?.classList.add("at");
    return;
  }
  box.replaceChildren();
  const kept = all.filter(isKept);
  const table = make(box, "table");
  const head = make(make(table, "thead"), "tr");
  const titles = ["Row", ...listed.map((name) => titled(name, columns.get(name).unit)), ...single.map((gene) => titled(`gene ${gene.key}`, gene.unit)), ...Object.keys(data.texts)];
  for (const title of titles) make(head, "th", { scope: "col" }, title.replace(/^gene /, ""));
  const body = make(table, "tbody");
  addRows = () => kept.splice(0, ROWS_AT_ONCE).forEach((i) => addRow(body, i));
  byId("list-title").textContent = kept.length === count ? "The subnets" : `The subnets: ${kept.length.toLocaleString("en")} of ${count.toLocaleString("en")}`;
  addRows();
}

function addRow(body, i) {
  const row = make(body, "tr", i === state.at ? { class: "at" } : {});
  row.dataset.i = i;
  make(row, "td", {}, data.rows[i]);
  for (const name of listed) make(row, "td", {}, show(name, data.values[name][i]));
  for (const gene of single) make(row, "td", {}, gene.codes[i][0] < 0 ? "–" : String(gene.choices[gene.codes[i][0]]));
  for (const texts of Object.values(data.texts)) make(row, "td", {}, texts[i]);
}

drawList();
onChange(drawList);
byId("list").addEventListener("scroll", ({ target }) => {
  if (target.scrollTop + 2 * target.clientHeight > target.scrollHeight) addRows();
});
byId("list").addEventListener("click", (event) => {
  const row = event.target.closest("tbody tr");
  if (row) point(Number(row.dataset.i), true);
});
document.documentElement.dataset.ready = "yes";
