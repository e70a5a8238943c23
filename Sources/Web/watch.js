// What watches over spend: budgets, anomalies, alerts and their deliveries, and the sidecar itself.
import { get, post, Refusal } from "./api.js";
import * as text from "./text.js";
const { el, fill, usd, count } = text;

const scopeText = (scope) => Object.values(scope ?? {}).join(" / ");
const key = (name, scope) => `${name} ${JSON.stringify(scope)}`;

/** A part that the sidecar may not offer: then there is nothing of it. */
async function optional(request, fallback) {
  try {
    return await request;
  } catch (error) {
    if (error instanceof Refusal && error.kind === "missing") return fallback;
    throw error;
  }
}

/** Forecasts take longest where there is most to read: asked for once a minute, and nothing waits for them. */
const forecast = { at: -Infinity, tenant: undefined, ahead: new Map() };
const [forecastSeconds, patience] = [60, 40];

async function foresee(tenant, again) {
  const started = performance.now();
  if (forecast.tenant === tenant && started - forecast.at < forecastSeconds * 1000) return;
  if (forecast.tenant !== tenant) forecast.ahead = new Map();
  Object.assign(forecast, { at: started, tenant });
  try {
    const answer = await optional(get("/v1/forecast", { tenant, limit: 100 }), { forecasts: [] });
    if (forecast.tenant !== tenant) return;
    forecast.ahead = new Map(answer.forecasts.map((one) => [key(one.budget, one.scope), one]));
    if (performance.now() - started > patience) again();
  } catch {
    // The budgets themselves say what is wrong.
    forecast.at = -Infinity;
  }
}

export async function budgets(state, again) {
  const tenant = state.filters.tenant;
  const soon = Promise.race([foresee(tenant, again), new Promise((done) => setTimeout(done, patience))]);
  const [answer] = await Promise.all([get("/v1/budgets", { limit: 1000 }), soon]);
  const { ahead } = forecast;
  return answer.budgets.filter((one) => !tenant || !one.scope.tenant || one.scope.tenant === tenant)
    .map((one) => ({ ...one, ahead: ahead.get(key(one.name, one.scope)) }));
}

/** What will come of it, in a sentence. */
function outlook(one, now) {
  const end = new Date(one.period_end);
  const window = one.window_seconds;
  const renews = window ? `each amount counts for ${text.duration(window)}` : `new period ${text.relative(end, now)}, ${text.moment(end)}`;
  if (one.utilization >= 1) return [el("span.bad", {}, `${usd(Number(one.spent_usd) - Number(one.limit_usd))} over the limit`), `, ${renews}`];
  const ahead = one.ahead;
  if (ahead?.breach_at) {
    const at = new Date(ahead.breach_at);
    return [el("span.up", {}, `used up ${text.day(at)} (${text.relative(at, now)}) at this pace`), `, ${usd(ahead.projected_usd)} by the end; ${renews}`];
  }
  if (ahead) return [`${usd(ahead.projected_usd)} by the end at this pace; ${renews}`];
  return [one.burning ? el("span.up", {}, "burning; ") : "", renews];
}

export function showBudgets(part, list, now, state) {
  if (!list.length) {
    fill(part, el("p.empty", {}, "No budget has seen spend yet. Write one under ", el("code", {}, "budgets:"), " in the configuration; without any, each tenant has a default of $100 a month."));
    return;
  }
  const most = state.more ? 60 : 7;
  const items = list.slice(0, most).map((one) => {
    const start = new Date(one.period_start);
    const elapsed = Math.min(1, Math.max(0, (now - start) / (new Date(one.period_end) - start)));
    const full = Math.max(1, one.utilization);
    const kind = one.utilization >= 1 ? "over" : one.utilization >= 0.75 || one.ahead?.breach_at ? "warn" : "";
    const at = (ratio) => `${Math.min(100, ratio / full * 100)}%`;
    const title = scopeText(one.scope) || one.name;
    return el("li", {},
      el("div.line", {}, el("b", {}, title, " ", el("span.quiet", {}, scopeText(one.scope) ? `${one.name}, ` : "", one.window_seconds ? `in any ${text.duration(one.window_seconds)}` : `a ${one.period}`)), el("span", {}, `${usd(one.spent_usd)} of ${usd(one.limit_usd)}, `, el("b", {}, text.percent(one.utilization)))),
      el("div.bar", { role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.min(100, Math.round(one.utilization * 100)), "aria-valuetext": `${text.percent(one.utilization)} used, ${text.percent(elapsed)} of the period gone`, "aria-label": `${one.name} ${scopeText(one.scope)}` },
        el(`span.fill${kind ? `.${kind}` : ""}`, { style: { width: at(one.utilization) } }),
        one.thresholds.map((mark) => el(`span.mark${mark.crossed ? ".crossed" : ""}`, { title: `${text.percent(mark.at)} ${mark.severity}${mark.crossed ? ", told" : ""}`, style: { left: at(mark.at) } })),
        !one.window_seconds && el("span.pace", { title: `${text.percent(elapsed)} of the period is gone`, style: { left: at(elapsed) } })),
      el("p.quiet", {}, outlook(one, now)));
  });
  const rest = list.length - most;
  fill(part, el("ul.list", {}, items), (rest > 0 || state.more) && el("button.act.more", { type: "button", "data-key": "more budgets", onclick: () => { state.more = !state.more; showBudgets(part, list, now, state); } }, state.more ? "Show fewer" : `Show ${Math.min(rest, 53)} more of ${rest}`));
}

/** Why an anomaly was kept quiet. */
const silences = { acknowledged: "one like it is acknowledged", snoozed: "it is snoozed", explained: "another one explains it" };

export async function anomalies(part, now, again) {
  const answer = await optional(get("/v1/anomalies", { limit: 20 }), null);
  const learns = answer?.warmup_remaining_seconds > 0 ? `It learns what is usual for another ${text.duration(answer.warmup_remaining_seconds)}.` : "";
  if (!answer?.anomalies?.length) return () => fill(part, el("p.empty", {}, answer ? `Nothing unusual was seen. ${learns}` : "This costgauge does not look for anomalies."));
  const list = answer.anomalies.map((one) => {
    const severity = one.severity;
    const known = { low: "info", medium: "warning", high: "critical" }[severity] ?? severity;
    return el("li", {},
      el("div.line.tight", {}, el("span", {}, el(`span.sev.${known}`, {}, severity), el("b", {}, one.title)),
        one.acknowledged ? el("span.quiet", {}, `acknowledged ${text.moment(new Date(one.acknowledged.at))}`) : el("button.act", { type: "button", "data-key": `ack ${one.id}`, onclick: (event) => act(event, `/v1/anomalies/${encodeURIComponent(one.id)}/ack`, again) }, "Acknowledge")),
      el("p", {}, one.summary),
      el("p.quiet", {}, `${usd(one.observed_usd)} against ${usd(one.expected_usd)} expected in ${text.duration(one.span_seconds)}; `, `since ${text.moment(new Date(one.window_start))}`,
        one.ended_at ? `, over ${text.moment(new Date(one.ended_at))}` : ", still going on", one.notified ? "" : `; nobody was told, as ${silences[one.silence] ?? one.silence}`));
  });
  return () => fill(part, el("ul.list", {}, list), learns && el("p.hint", {}, learns));
}

async function act(event, path, again) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    await post(path);
    await again();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    button.disabled = false;
    button.after(el("span.fault", { role: "alert" }, ` ${error.message}`));
  }
}

export async function alerts(part, now, state, again) {
  const [answer, sent] = await Promise.all([
    get("/v1/alerts", { limit: 40 }), optional(get("/v1/deliveries", { limit: 300 }), { deliveries: [] })]);
  const tenant = state.filters.tenant;
  const list = answer.alerts.filter((one) => !tenant || !one.budget?.scope?.tenant || one.budget.scope.tenant === tenant).slice(0, 8);
  if (!list.length) return () => fill(part, el("p.empty", {}, "No alert yet. Budgets tell at their thresholds, to the receivers under ", el("code", {}, "alerts:"), "."));
  return () => fill(part, el("ul.list", {}, list.map((one) => {
    const told = sent.deliveries.filter((delivery) => delivery.alert === one.id);
    return el("li", {},
      el("div.line.tight", {}, el("span", {}, el(`span.sev.${one.severity}`, {}, one.severity), el("b", {}, one.title)), el("span.quiet", { title: one.starts_at }, one.status === "resolved" ? `over, ${text.moment(new Date(one.starts_at))}` : text.moment(new Date(one.starts_at)))),
      el("p.quiet", {}, one.summary),
      el("div.told", {}, told.length ? told.map((delivery) => delivered(delivery, again)) : el("span.quiet", {}, "nobody was told")));
  })));
}

function delivered(one, again) {
  const what = one.status === "resolved" ? " (that it is over)" : "";
  const tries = one.attempts > 1 ? ` after ${one.attempts} attempts` : "";
  if (one.state === "delivered") return el("span", {}, `✓ ${one.receiver}${what}${tries}`);
  if (one.state === "dead") {
    return el("span", {}, el("span.dead", { title: one.error ?? "" }, `✕ ${one.receiver}${what} never got it${tries} `),
      el("button.act", { type: "button", "data-key": `replay ${one.id}`, onclick: (event) => act(event, `/v1/deliveries/${encodeURIComponent(one.id)}/replay`, again) }, "Send again"));
  }
  return el("span", { title: one.error ?? "" }, `… ${one.receiver}${what} ${one.state}${one.attempts ? `, ${one.attempts} attempts` : ""}`);
}

/** The few self metrics that a person asks for, from the page that Prometheus scrapes. */
export async function health(part) {
  const page = await get("/metrics", {}, "low");
  const sums = new Map();
  let version = "";
  for (const line of String(page).split("\n")) {
    const match = /^((?:costgauge_(?:ingest|queue|dedup|store|pricing|build|dead|series|config)|process_resident)[a-z_]*)(\{[^}]*\})? (\S+)/.exec(line);
    if (!match) continue;
    const outcome = /outcome="([a-z]+)"/.exec(match[2] ?? "");
    const name = outcome ? `${match[1]} ${outcome[1]}` : match[1];
    sums.set(name, (sums.get(name) ?? 0) + Number(match[3]));
    if (match[1] === "costgauge_build_info") version = /version="([^"]*)"/.exec(match[2])?.[1] ?? "";
  }
  const value = (name) => sums.get(`costgauge_${name}`) ?? 0;
  const bytes = (size) => size >= 1 << 30 ? `${(size / (1 << 30)).toFixed(1)} GiB` : `${Math.round(size / (1 << 20))} MiB`;
  const lag = sums.get("costgauge_ingest_lag_seconds");
  const facts = [
    ["Store", value("store_writable") ? bytes(value("store_bytes")) : "cannot be written"],
    ["Last event", lag === undefined ? "none yet" : lag < 90 ? "just now" : `${count(Math.round(lag / 60))} min ago`],
    ["Accepted since start", count(value("ingest_events_total accepted"))],
    ["Duplicates", count(value("ingest_events_total duplicate"))],
    ["Rejected", count(value("ingest_events_total rejected"))],
    ["Waiting for commit", count(value("queue_events"))],
    ["Undelivered", count(value("dead_letters"))],
    ["Models with a price", count(value("pricing_catalogue_models"))],
    ["Price list of", text.day(new Date(value("pricing_catalogue_timestamp_seconds") * 1000))],
    ["Memory", bytes(sums.get("process_resident_memory_bytes") ?? 0)],
    ["Configuration", value("config_last_reload_successful") ? "in force" : "last reload refused"],
    ["Version", version]];
  return () => fill(part, el("dl.facts", {}, facts.map(([name, fact]) => el("div", {}, el("dt", {}, name), el("dd", {}, fact)))));
}
