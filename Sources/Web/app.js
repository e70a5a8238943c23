// The page: what is chosen lives in the address (#range=7d&by=model&tenant=acme), so every view can be sent to
// somebody. Parts load side by side; one that fails says so in its place and leaves the others alone.
import { get, onSignIn, Refusal, setToken, words } from "./api.js";
import * as spend from "./spend.js";
import * as text from "./text.js";
import * as watch from "./watch.js";
const { el, fill } = text;

const pollSeconds = 10;
const part = (id) => document.querySelector(`#${id} .body`) ?? document.getElementById(id);
const state = { range: "7d", by: "tenant", level: "tenant", filters: {}, more: false };
let generation = 0;
let polls = 0;
let timer;

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = (name, words, fallback) => words.includes(asked.get(name)) ? asked.get(name) : fallback;
  state.range = known("range", Object.keys(spend.ranges), "7d");
  state.by = known("by", spend.dimensions, "tenant");
  state.level = known("level", spend.dimensions, "tenant");
  state.filters = Object.fromEntries(spend.dimensions.filter((name) => asked.get(name)).map((name) => [name, asked.get(name)]));
}

function go(change) {
  const wanted = { range: state.range, by: state.by, level: state.level, ...state.filters, ...change };
  const hash = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  location.hash = hash.toString();
}

function showControls() {
  fill(document.getElementById("ranges"), el("legend.hidden", {}, "Time shown"), Object.entries(spend.ranges).map(([name, words]) =>
    el("button", { type: "button", "data-key": `range ${name}`, "aria-pressed": String(state.range === name), onclick: () => go({ range: name }) }, words)));
  for (const [id, name] of [["stack", "by"], ["level", "level"]]) {
    const select = document.getElementById(id);
    if (!select.options.length) {
      select.append(...spend.dimensions.map((word) => el("option", { value: word }, word)));
      select.addEventListener("change", () => go({ [name]: select.value }));
    }
    select.value = state[name];
  }
  const chosen = Object.entries(state.filters);
  fill(document.getElementById("trail"), chosen.length > 0 && [
    el("button.chip", { type: "button", "data-key": "all", onclick: () => go(Object.fromEntries(chosen.map(([name]) => [name, ""]).concat([["level", "tenant"]]))) }, "All spend"),
    chosen.map(([name, value]) => el("button.chip", { type: "button", "data-key": `chip ${name}`, "aria-label": `Remove ${name} ${value}`, onclick: () => go({ [name]: "", level: name }) }, `${name}: `, el("b", {}, value), " ✕"))]);
}

const pick = (name, value, level) => go({ [name]: value, ...(level ? { level } : {}) });

/** Runs one part; a newer view discards what an older one asked for. */
async function load(id, view, work) {
  const place = part(id);
  try {
    const show = await work(place);
    if (view === generation) show?.();
    return true;
  } catch (error) {
    const message = words(error);
    if (view === generation && (error.kind !== "down" || !place.childElementCount || place.querySelector(".skeleton"))) {
      fill(place, el(`p.empty${error.kind === "fault" ? ".fault" : ""}`, {}, message));
    }
    return error.kind !== "down";
  }
}

async function refresh() {
  clearTimeout(timer);
  const view = ++generation;
  let dashboard;
  let isUp = true;
  try {
    dashboard = await get("/v1/dashboard", { tenant: state.filters.tenant, top: 0 });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    isUp = error.kind !== "down";
  }
  if (view !== generation) return;
  const now = dashboard ? new Date(dashboard.generated_at) : new Date();
  const watched = watch.budgets(state, refresh);
  const answers = await Promise.all([
    load("tiles", view, (place) => spend.tiles(place, state, now, dashboard, watched.catch(() => null))),
    load("budgets", view, async (place) => {
      const list = await watched;
      return () => watch.showBudgets(place, list, now, state);
    }),
    load("spend", view, (place) => spend.chart(place, state, now, pick)),
    load("top", view, (place) => spend.top(place, state, now, pick)),
    load("anomalies", view, (place) => watch.anomalies(place, now, refresh)),
    load("alerts", view, (place) => watch.alerts(place, now, state, refresh)),
    load("unpriced", view, (place) => spend.unpriced(place, state, now)),
    // The page of metrics is large where there are many label sets: once a minute is enough.
    polls % 6 === 0 && load("health", view, (place) => watch.health(place))]);
  if (view !== generation) return;
  polls += 1;
  isUp &&= !answers.includes(false) || answers.every((answer) => answer !== false || polls % 6 !== 1);
  showLive(isUp, now);
  timer = setTimeout(() => { if (!document.hidden) refresh(); }, pollSeconds * 1000);
}

function showLive(isUp, now) {
  const live = document.getElementById("live");
  live.classList.toggle("stale", !isUp);
  document.getElementById("live-text").textContent = isUp ? `As of ${text.day(now)}, ${text.clock(now)}` : "No answer; trying again";
}

onSignIn((fault) => {
  const dialog = document.getElementById("signin");
  document.getElementById("signin-fault").textContent = fault;
  if (!dialog.open) dialog.showModal();
});
document.querySelector("#signin form").addEventListener("submit", () => {
  const input = document.getElementById("token");
  setToken(input.value.trim());
  input.value = "";
  refresh();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
addEventListener("hashchange", () => { readAddress(); showControls(); refresh(); });
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); document.getElementById("main").focus(); });

for (const node of document.querySelectorAll(".card .body, #tiles")) node.append(el("div.skeleton", { "aria-hidden": "true" }));
document.getElementById("zone").textContent = text.zone;
readAddress();
showControls();
refresh();
