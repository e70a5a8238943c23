// Stacked bars in SVG. Each column is a target for pointer and keyboard; a table says the same in words.
import { el, fill, usd } from "./text.js";

const [left, right, top, bottom] = [52, 6, 10, 22];

/** A round number at or above the largest sum, and its steps. */
function scale(largest) {
  if (!(largest > 0)) return { max: 1, ticks: [0, 1] };
  const rough = largest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = Array.from({ length: Math.ceil(largest / step) + 1 }, (_, index) => index * step);
  return { max: ticks.at(-1), ticks };
}

const axis = (value) => value >= 1000 ? `$${value / 1000}k` : `$${Number(value.toPrecision(3))}`;
const colour = (index, series) => `var(--s${series[index].isRest ? 7 : index})`;

/**
 * `spans`: [{label, long}], `series`: [{name, values, isRest}] with a value for each span.
 * `onPick(name)` when an entry of the legend is chosen.
 */
export function stackedBars(part, spans, series, onPick) {
  // As wide as its place, so that words keep their size on a phone.
  const width = Math.max(300, part.clientWidth);
  const height = width < 600 ? 220 : 260;
  const sums = spans.map((_, span) => series.reduce((sum, one) => sum + one.values[span], 0));
  const { max, ticks } = scale(Math.max(...sums));
  const step = (width - left - right) / spans.length;
  const y = (value) => top + (height - top - bottom) * (1 - value / max);
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Spend over time, ${usd(sums.reduce((a, b) => a + b, 0))} in all; the table below has the numbers` });
  for (const tick of ticks) {
    svg.append(el("line.grid", { x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      el("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, axis(tick)));
  }
  const hits = [];
  let labelled = 0;
  spans.forEach((span, index) => {
    const x = left + index * step;
    let base = 0;
    for (let one = series.length - 1; one >= 0; one--) {
      const value = series[one].values[index];
      if (!(value > 0)) continue;
      svg.append(el("rect", { x: x + step * 0.1, width: step * 0.8, y: y(base + value), height: Math.max(0.5, y(base) - y(base + value)), style: { fill: colour(one, series) } }));
      base += value;
    }
    const space = span.label.length * 6.6;
    if (span.label && x >= labelled && x + space <= width) {
      svg.append(el("text", { x: x + step * 0.1, y: height - 6 }, span.label));
      labelled = x + space + 8;
    }
    hits.push(el("rect.hit", { x, width: step, y: top, height: height - top - bottom }));
  });
  svg.append(...hits);

  const tip = el("div.tip", { hidden: true });
  const chart = el("div.chart", { tabindex: 0, role: "group", "aria-label": "Spend over time; arrow keys read the bars", "data-key": "chart" }, svg, tip);
  const said = el("p.hidden", { "aria-live": "polite" });
  let at = -1;
  function show(index) {
    at = index;
    hits.forEach((hit, number) => hit.classList.toggle("on", number === index));
    tip.hidden = index < 0;
    if (index < 0) return;
    const rows = series.map((one, number) => [one, number]).filter(([one]) => one.values[index] > 0)
      .flatMap(([one, number]) => [el("dt", { title: one.name }, el("span.key", { style: { background: colour(number, series) } }), one.name), el("dd", {}, usd(one.values[index]))]);
    tip.replaceChildren(el("b", {}, `${spans[index].long}: ${usd(sums[index])}`), el("dl", {}, rows));
    const place = (left + (index + 0.5) * step) / width * chart.clientWidth;
    const isRight = place > chart.clientWidth / 2;
    tip.style.left = isRight ? "auto" : `${place + 12}px`;
    tip.style.right = isRight ? `${chart.clientWidth - place + 12}px` : "auto";
  }
  chart.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width * width - left) / step);
    show(index >= 0 && index < spans.length ? index : -1);
  });
  chart.addEventListener("pointerleave", () => show(-1));
  chart.addEventListener("blur", () => show(-1));
  chart.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") show(-1);
    if (!move) return;
    event.preventDefault();
    show(Math.min(spans.length - 1, Math.max(0, at < 0 ? (move > 0 ? 0 : spans.length - 1) : at + move)));
    said.textContent = `${spans[at].long}: ${usd(sums[at])}`;
  });

  const legend = el("ul.legend", {}, series.map((one, index) => el("li", {}, el("span.key", { style: { background: colour(index, series) } }),
    one.isRest || !onPick ? one.name : el("button.link", { type: "button", "data-key": `legend ${one.name}`, onclick: () => onPick(one.name) }, one.name))));
  const table = el("details", { "data-key": "table" }, el("summary", {}, "As a table"), el("div.scroll", { tabindex: 0, role: "group", "aria-label": "Spend over time as a table" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "From"), el("th.num", { scope: "col" }, "Sum"), series.map((one) => el("th.num.name", { scope: "col", title: one.name }, one.name)))),
    el("tbody", {}, spans.map((span, index) => el("tr", {}, el("th", { scope: "row" }, span.long), el("td.num", {}, usd(sums[index])), series.map((one) => el("td.num", {}, usd(one.values[index])))))))));
  fill(part, chart, said, legend, table);
}
