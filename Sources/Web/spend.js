// What was spent: tiles, the chart, who spends, models without a price. All from GET /v1/costs.
import { get } from "./api.js";
import { stackedBars } from "./chart.js";
import * as text from "./text.js";
const { el, fill, usd, count } = text;

export const ranges = { "24h": "24 hours", "7d": "7 days", "30d": "30 days" };
export const dimensions = ["tenant", "feature", "model", "user", "agent", "provider", "operation", "status"];
/** Where a click on a spender leads. */
const path = ["tenant", "feature", "model", "user"];
const shown = 7;

const midnight = (date, days = 0) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
const seconds = (date) => Math.floor(date / 1000);

/** The viewer's hours, quarters of a day or days up to now; the last one is not over. */
export function spans(range, now) {
  const list = [];
  if (range === "24h") {
    const last = new Date(now.getFullYear(), now.getMonth(), now.getDate(), now.getHours());
    for (let back = 23; back >= 0; back--) {
      const start = new Date(last - back * 3600e3);
      list.push({ start, label: start.getHours() % 3 ? "" : text.hour(start), long: text.moment(start) });
    }
    return list;
  }
  for (let back = range === "7d" ? 6 : 29; back >= 0; back--) {
    const start = midnight(now, -back);
    const parts = range === "7d" ? [0, 6, 12, 18] : [0];
    for (const part of parts) {
      const at = new Date(start.getFullYear(), start.getMonth(), start.getDate(), part);
      if (at > now) continue;
      list.push({ start: at, label: part || (range === "30d" && back % 3) ? "" : text.day(at), long: part || range === "7d" ? `${text.day(at)} ${text.hour(at)}` : text.day(at) });
    }
  }
  return list;
}

async function rows(parameters, priority) {
  const all = [];
  let cursor;
  for (let page = 0; page < 4; page++) {
    const answer = await get("/v1/costs", { ...parameters, limit: 1000, cursor }, priority);
    all.push(...answer.costs);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return all;
}

/** Sums of a series by the viewer's spans. The step divides every offset from UTC in use. */
async function series(list, filters) {
  const offset = Math.abs(list[0].start.getTimezoneOffset()) % 60;
  const step = offset === 0 ? "1h" : offset === 30 ? "30m" : "15m";
  const values = list.map(() => 0);
  for (const row of await rows({ ...filters, since: seconds(list[0].start), step }, "high")) {
    const time = new Date(row.time);
    let index = list.length - 1;
    while (index > 0 && list[index].start > time) index--;
    values[index] += Number(row.cost_usd);
  }
  return values;
}

export async function chart(part, state, now, pick) {
  const list = spans(state.range, now);
  const since = seconds(list[0].start);
  const [top, total] = await Promise.all([
    get("/v1/costs", { ...state.filters, group_by: state.by, since, limit: shown }, "high"), series(list, state.filters)]);
  if (!(Number(top.total.events) > 0)) {
    return () => fill(part, el("p.empty", {}, Object.keys(state.filters).length
      ? "Nothing was spent here in this time." : "No events in this time yet. Send one to POST /v1/events and it shows here within seconds."));
  }
  const names = top.costs.map((row) => row[state.by]).filter((name) => name !== "" && name !== undefined);
  const values = await Promise.all(names.map((name) => series(list, { ...state.filters, [state.by]: name })));
  const all = names.map((name, index) => ({ name, values: values[index] }));
  const rest = total.map((sum, index) => Math.max(0, sum - values.reduce((part, one) => part + one[index], 0)));
  if (rest.some((value) => value > 1e-6)) all.push({ name: `other or without ${state.by}`, values: rest, isRest: true });
  return () => stackedBars(part, list, all, state.filters[state.by] ? undefined : (name) => pick(state.by, name));
}

function tile(title, value, notes, kind) {
  return el("div.tile", {}, el("h2", {}, title), el(`p.value${kind ? `.${kind}` : ""}`, {}, value), notes.map((note) => el("p", {}, note)));
}

function against(now, before, what) {
  if (!(before > 0)) return [`nothing ${what}`];
  const change = text.change(now, before);
  return [change.kind ? el(`span.${change.kind}`, {}, change.text) : change.text, ` against ${usd(before)} ${what}`];
}

const calls = (sum) => `${count(sum.events)} ${sum.events === 1 ? "call" : "calls"}`;

/** `watched`: the budgets, when they come; null when there are none to be had. */
export async function tiles(part, state, now, dashboard, watched) {
  const today = midnight(now);
  const yesterday = midnight(now, -1);
  const month = new Date(now.getFullYear(), now.getMonth(), 1);
  const before = new Date(now.getFullYear(), now.getMonth() - 1, 1);
  const quarter = (date) => Math.floor(seconds(date) / 900) * 900;
  const sum = async (since, until) => {
    // Just after midnight nothing of yesterday is to be compared with.
    if (until && quarter(until) <= quarter(since)) return { cost_usd: "0", events: 0 };
    return (await get("/v1/costs", { ...state.filters, since: quarter(since), until: until && quarter(until), limit: 1 }, "high")).total;
  };
  const [budgets, day, dayBefore, this_, last] = await Promise.all([
    watched, sum(today), sum(yesterday, new Date(+yesterday + (now - today))), sum(month), sum(before, new Date(Math.min(+before + (now - month), +month)))]);
  const list = [
    tile("Today", usd(day.cost_usd), [against(Number(day.cost_usd), Number(dayBefore.cost_usd), "by this time yesterday"), calls(day)]),
    tile("This month", usd(this_.cost_usd), [against(Number(this_.cost_usd), Number(last.cost_usd), "by this day last month"), calls(this_)])];
  const only = Object.keys(state.filters).filter((name) => name !== "tenant").length === 0;
  if (dashboard?.month?.forecast_usd && only) {
    list.push(tile("By the end of the month", usd(dashboard.month.forecast_usd), [`between ${usd(dashboard.month.forecast_low_usd)} and ${usd(dashboard.month.forecast_high_usd)}`, "if it goes on like this"]));
  }
  if (budgets) {
    const over = budgets.filter((one) => one.utilization >= 1).length;
    const near = budgets.filter((one) => one.utilization >= 0.75 && one.utilization < 1).length;
    list.push(tile("Budgets", over ? `${over} used up` : near ? `${near} close` : "All well", [`${near} ${over ? "more " : ""}past 75%`, `${budgets.length} watched`], over ? "bad" : ""));
  }
  return () => fill(part, list);
}

export async function top(part, state, now, pick) {
  const list = spans(state.range, now);
  const start = list[0].start;
  const length = now - start;
  const [answer, past] = await Promise.all([
    get("/v1/costs", { ...state.filters, group_by: state.level, since: seconds(start), limit: 12 }),
    get("/v1/costs", { ...state.filters, group_by: state.level, since: seconds(start - length), until: seconds(start), limit: 500 })]);
  if (!answer.costs.length) return () => fill(part, el("p.empty", {}, "Nobody spent anything here in this time."));
  const before = new Map(past.costs.map((row) => [row[state.level], Number(row.cost_usd)]));
  const total = Number(answer.total.cost_usd) || 1;
  const largest = Number(answer.costs[0].cost_usd) || 1;
  const hasNext = !state.filters[state.level];
  const body = answer.costs.map((row) => {
    const name = row[state.level];
    const cost = Number(row.cost_usd);
    const change = text.change(cost, before.get(name) ?? 0);
    const isUnpriced = row.unpriced_events === row.events;
    return el("tr", {},
      el("td", {}, name && hasNext ? el("button.link", { type: "button", "data-key": `top ${name}`, onclick: () => pick(state.level, name, next(state, state.level)) }, name) : name || `without ${state.level}`,
        el("div.share", {}, el("i", { style: { width: `${Math.max(0.5, cost / largest * 100)}%` } }))),
      el("td.num", {}, isUnpriced ? "no price" : usd(cost)), el("td.num.roomy", {}, percent(cost / total)),
      el("td.num", {}, el(change.kind ? `span.${change.kind}` : "span", {}, change.text)), el("td.num.roomy", {}, count(row.events)));
  });
  const head = [["th", state.level], ["th.num", "Spend"], ["th.num.roomy", "Share"], ["th.num", "Change"], ["th.num.roomy", "Calls"]].map(([tag, word]) => el(tag, { scope: "col" }, word));
  return () => fill(part, el("div", {}, el("table", {}, el("caption.hidden", {}, `Largest by ${state.level}`), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body))),
    el("p.hint", {}, `Change is against the ${ranges[state.range]} before.`, hasNext && path.includes(state.level) ? " A name leads on to what is behind it." : ""));
}

const percent = (ratio) => ratio > 0 && ratio < 0.01 ? "<1%" : text.percent(ratio);

function next(state, level) {
  const open = path.filter((name) => name !== level && !state.filters[name]);
  return open.find((name) => path.indexOf(name) > path.indexOf(level)) ?? open[0] ?? level;
}

export async function unpriced(part, state, now) {
  const since = seconds(spans(state.range, now)[0].start);
  const some = (all) => all.filter((row) => row.unpriced_events > 0);
  let open = some(await rows({ ...state.filters, group_by: "model", since }, "low"));
  if (!open.length) return () => fill(part, el("p.empty", {}, "Every call of this time has a price."));
  // By two dimensions the server has more to read, so only where there is something to tell.
  open = some(await rows({ ...state.filters, group_by: "provider,model", since }, "low"));
  return () => fill(part, el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Model"), el("th.num", { scope: "col" }, "Calls"), el("th.num", { scope: "col" }, "Tokens"))),
    el("tbody", {}, open.map((row) => el("tr", {}, el("td", {}, row.model, el("p.quiet", {}, row.provider)), el("td.num", {}, count(row.unpriced_events)), el("td.num", {}, count(row.input_tokens + row.output_tokens)))))),
    el("p.hint", {}, "Their tokens are counted, their cost is missing from every sum on this page."));
}
