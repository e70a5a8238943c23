// Words and numbers as people read them. Amounts come as decimal strings and become Numbers for display only.

export const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
const fine = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** `$1,204.50`; amounts under a cent keep two digits that say something. */
export function usd(amount) {
  const value = Number(amount);
  return value !== 0 && Math.abs(value) < 0.01 ? fine.format(value) : dollars.format(value);
}

export const count = (value) => Number(value) < 10000 ? Number(value).toLocaleString("en-US") : short.format(Number(value));
export const percent = (ratio) => ratio >= 10 ? `${Math.round(ratio)}x` : `${Math.round(ratio * 100)}%`;
const style = (options) => new Intl.DateTimeFormat("en-GB", { ...options });
const dayStyle = style({ weekday: "short", day: "numeric", month: "short" });
const timeStyle = style({ hour: "2-digit", minute: "2-digit" });
const bothStyle = style({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clockStyle = style({ hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const day = (date) => dayStyle.format(date);
export const hour = (date) => timeStyle.format(date);
export const moment = (date) => bothStyle.format(date);
export const clock = (date) => clockStyle.format(date);

/** `in 3 days`, `2 h ago`. */
export function relative(date, now) {
  const seconds = (date - now) / 1000;
  const size = Math.abs(seconds);
  const [number, unit] = size < 3600 ? [size / 60, "min"] : size < 172800 ? [size / 3600, "h"] : [size / 86400, "days"];
  const text = `${Math.max(1, Math.round(number))} ${unit}`;
  return seconds > 0 ? `in ${text}` : `${text} ago`;
}

/** `3 days`: how long. */
export function duration(seconds) {
  return relative(new Date(seconds * 1000), new Date(0)).replace("in ", "");
}

/** Change against before, in words and with a class. */
export function change(now, before) {
  if (!(before > 0)) return now > 0 ? { text: "new", kind: "up" } : { text: "no change", kind: "" };
  const ratio = now / before - 1;
  if (Math.abs(ratio) < 0.005) return { text: "no change", kind: "" };
  const size = ratio >= 10 ? `${Math.round(ratio + 1)}x` : `${Math.abs(ratio * 100).toFixed(Math.abs(ratio) < 0.1 ? 1 : 0)}%`;
  return { text: ratio > 0 ? `▲ ${size}` : `▼ ${size}`, kind: ratio > 0 ? "up" : "down" };
}

/** An element; texts become text nodes, never markup, so a name cannot bring its own. */
export function el(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const svg = ["svg", "g", "rect", "line", "text", "title", "path"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** New content for a part; what had the focus keeps it, by its data-key. */
export function fill(part, ...children) {
  const key = part.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = [...part.querySelectorAll("details[open]")].map((node) => node.dataset.key);
  part.replaceChildren(...children.flat(Infinity).filter(Boolean));
  for (const node of part.querySelectorAll("details")) if (open.includes(node.dataset.key)) node.open = true;
  if (key) [...part.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key)?.focus();
}
