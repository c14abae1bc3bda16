// What the colours mean: one button per value, or a bar from low to high.
function drawLegend(box) {
  if (!colourName) return;
  const { title, unit, range } = data.colour;
  const [size, axis] = data.colour.metric ? axisUnit(data.colour.name, range[1]) : [1, unit];
  make(box, "b", {}, axis ? `${title} (${axis})` : title);
  if (!shades.length) {
    const bar = make(box, "div", { class: "ramp" });
    make(bar, "span", {}, digits(range[0] / size, 3));
    make(bar, "i").style.background = `linear-gradient(to right, ${palette.map(tint).join(", ")})`;
    make(bar, "span", {}, digits(range[1] / size, 3));
    return;
  }
  shades.forEach((value, n) => {
    const button = make(box, "button", { type: "button", "aria-pressed": "false", title: `keep only ${value} ${unit}`.trim() });
    make(button, "i").style.background = tint(palette[n]);
    make(button, "span", {}, String(value));
    const now = () => { const range = state.kept.get(colourName); return Boolean(range) && range[0] === value && range[1] === value; };
    button.addEventListener("click", () => keep(colourName, now() ? null : [value, value]));
    onChange((what) => { if (what !== "at") button.setAttribute("aria-pressed", String(now())); });
  });
}

drawLegend(byId("legend"));

const cloudNote = make(byId("legend"), "span", { class: "cloud" });
make(cloudNote, "i");
const cloudWords = make(cloudNote, "span");

function sayCloud(seen, all) {
  const whole = all.toLocaleString("en");
  cloudNote.hidden = !all;
  cloudWords.textContent = seen < all ? `${seen.toLocaleString("en")} of ${whole} ${data.cloudLabel}` : `${whole} ${data.cloudLabel}`;
}
