"""Draws the dashboards of dashboards/ from their JSON and the answers of a Prometheus that scrapes
costgauge, as pictures for dashboards/README.md. It is no Grafana: layout, queries, units, thresholds,
legends and transformations are those of the JSON, the lines are drawn here.

usage: dashboards.py PROMETHEUS FOLDER [SECONDS]

  dashboards.py http://127.0.0.1:9090 dashboards 900
"""

import html
import json
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request
from base64 import b64decode

prometheus, folder = sys.argv[1].rstrip("/"), pathlib.Path(sys.argv[2])
span = int(sys.argv[3]) if len(sys.argv) > 3 else 900
end = time.time()
step = max(2, span // 240)
width, unit, gap = 1400, 30, 8
palette = ["#73BF69", "#F2CC0C", "#5794F2", "#FF780A", "#F2495C", "#B877D9", "#37872D", "#E0B400",
           "#1F60C4", "#FA6400", "#C4162A", "#8F3BB8", "#96D98D", "#FFEE52"]
colours = {"green": "#73BF69", "yellow": "#FADE2A", "orange": "#FF9830", "red": "#F2495C", "blue": "#5794F2", "text": "#CCCCDC"}


def ask(path, **parameters):
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)["data"]["result"]


def filled(dashboard, text):
    for variable in dashboard["templating"]["list"]:
        text = text.replace(f"\"${variable['name']}\"", '".*"')
    for name, value in (("$__rate_interval", f"{max(30, 4 * step)}s"), ("$__range", f"{span}s"), ("$__interval", f"{step}s")):
        text = text.replace(name, value)
    return text


def number(value, digits):
    text = f"{value:,.{digits}f}"
    return text


def scaled(value, units, base=1000):
    for suffix in units:
        if abs(value) < base or suffix == units[-1]:
            digits = 0 if value == int(value) and abs(value) < 1000 else 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
            return number(value, digits) + suffix
        value /= base


def shown(value, unit_name, decimals=None):
    if value != value:
        return "no data"
    if unit_name == "currencyUSD":
        if decimals is None and abs(value) >= 1000:
            return "$" + scaled(value, ["", "K", "M", "B"])
        small = 2 if abs(value) >= 0.1 or value == 0 else 4 if abs(value) >= 0.001 else 6
        return "$" + number(value, small if decimals is None else decimals)
    if unit_name == "percentunit":
        return number(value * 100, 1 if decimals is None else decimals) + "%"
    if unit_name == "bytes":
        return scaled(value, [" B", " KiB", " MiB", " GiB"], 1024)
    if unit_name == "s":
        for name, size in ((" days", 86400), (" hours", 3600), (" mins", 60), (" s", 1)):
            if abs(value) >= size:
                return number(value / size, 1) + name
        return "0 s" if value == 0 else number(value * 1000, 2) + " ms" if abs(value) >= 0.001 else number(value * 1e6, 0) + " µs"
    if unit_name == "dateTimeAsIso":
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(value / 1000))
    if unit_name in ("reqps", "ops"):
        return scaled(value, ["", "K", "M"]) + (" req/s" if unit_name == "reqps" else " ops/s")
    if decimals is not None and abs(value) < 1000:
        return number(value, decimals)
    return scaled(value, ["", " K", " Mil", " Bil"])


def defaults_for(panel, field):
    defaults = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"].get("overrides", []):
        matcher = override["matcher"]
        if matcher["id"] == "byName" and matcher["options"] == field or \
                matcher["id"] == "byRegexp" and re.search(matcher["options"].strip("/"), field):
            defaults.update({entry["id"]: entry["value"] for entry in override["properties"]})
    return defaults


def threshold(value, defaults):
    colour = "green"
    for entry in defaults.get("thresholds", {}).get("steps", []):
        if entry["value"] is None or value >= entry["value"]:
            colour = entry["color"]
    return colours.get(colour, colour)


def mapped(value, defaults):
    for mapping in defaults.get("mappings", []):
        found = mapping.get("options", {}).get(str(int(value)) if value == int(value) else "")
        if found:
            return found
    return None


def name_of(target, metric):
    legend = target.get("legendFormat", "__auto")
    if legend in ("", "__auto"):
        return ", ".join(f"{k}={v}" for k, v in metric.items() if k != "__name__") or "value"
    return " ".join(re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: metric.get(found[1], ""), legend).split())


def instant(dashboard, target):
    return [(name_of(target, row["metric"]), float(row["value"][1]), row["metric"])
            for row in ask("query", query=filled(dashboard, target["expr"]), time=end)]


def stat(dashboard, panel):
    rows = [row for target in panel["targets"] for row in instant(dashboard, target)]
    defaults = panel["fieldConfig"]["defaults"]
    if not rows:
        return '<div class="stat">no data</div>'
    value = rows[0][1]
    found = mapped(value, defaults)
    text = found["text"] if found else shown(value, defaults.get("unit"), defaults.get("decimals"))
    return f'<div class="stat" style="color:{threshold(value, defaults)}">{html.escape(text)}</div>'


def bar_gauge(dashboard, panel):
    rows = [row for target in panel["targets"] for row in instant(dashboard, target)]
    defaults = panel["fieldConfig"]["defaults"]
    most = defaults.get("max") or max([value for _, value, _ in rows], default=1) or 1
    room = panel["gridPos"]["h"] * (unit + gap) - 60
    height = max(13, min(30, room // max(1, len(rows))))
    bars = ""
    for name, value, _ in rows:
        colour = threshold(value, defaults)
        bars += (f'<div class="bar" style="height:{height - 3}px;font-size:{min(12, height - 4)}px"><span>{html.escape(name)}</span>'
                 f'<i><b style="width:{min(100, max(0, value / most * 100)):.1f}%;background:{colour}"></b></i>'
                 f'<em style="color:{colour}">{shown(value, defaults.get("unit"), defaults.get("decimals"))}</em></div>')
    return f'<div class="bars">{bars or "no data"}</div>'


def table(dashboard, panel):
    rows, columns = {}, []
    several = len(panel["targets"]) > 1
    for target in panel["targets"]:
        field = f'Value #{target["refId"]}' if several else "Value"
        for _, value, metric in instant(dashboard, target):
            labels = {k: v for k, v in metric.items() if k != "__name__"}
            for label in labels:
                if label not in columns:
                    columns.append(label)
            rows.setdefault(json.dumps(labels, sort_keys=True), dict(labels))[field] = value
        columns.append(field)
    renamed, hidden, needed = {}, set(), []
    for change in panel.get("transformations", []):
        if change["id"] == "organize":
            renamed = change["options"]["renameByName"]
            hidden = {name for name, isHidden in change["options"]["excludeByName"].items() if isHidden}
        if change["id"] == "filterByValue":
            needed = [rule["fieldName"] for rule in change["options"]["filters"]]
    columns = [name for name in columns if name not in hidden]
    columns.sort(key=lambda name: name.startswith("Value"))
    lines = [{renamed.get(name, name): row.get(name) for name in columns} for row in rows.values()]
    lines = [line for line in lines if all(line.get(name) is not None for name in needed)]
    for order in panel["options"].get("sortBy", []):
        lines.sort(key=lambda line: line.get(order["displayName"]) or 0, reverse=order.get("desc", False))
    names = [renamed.get(name, name) for name in columns]
    room = (panel["gridPos"]["h"] * (unit + gap) - 80) // 25
    body = ""
    for line in lines[:room]:
        body += "<tr>"
        for name in names:
            value, defaults = line.get(name), defaults_for(panel, name)
            if isinstance(value, float):
                found = mapped(value, defaults)
                text = found["text"] if found else shown(value, defaults.get("unit"), defaults.get("decimals"))
                colour = colours.get((found or {}).get("color"), "inherit")
                if defaults.get("color", {}).get("mode") == "thresholds":
                    colour = threshold(value, defaults)
                body += f'<td class="num" style="color:{colour}">{html.escape(text)}</td>'
            else:
                body += f"<td>{html.escape(str(value or ''))}</td>"
        body += "</tr>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def ticks(most):
    if most <= 0:
        return [0, 1]
    size = 10 ** __import__("math").floor(__import__("math").log10(most / 3))
    size = next(size * factor for factor in (1, 2, 2.5, 5, 10) if most / (size * factor) <= 5)
    return [index * size for index in range(int(most / size) + 1)]


def series(dashboard, panel):
    defaults = panel["fieldConfig"]["defaults"]
    lines = []
    for target in panel["targets"]:
        for row in ask("query_range", query=filled(dashboard, target["expr"]), start=end - span, end=end, step=step):
            points = {round((float(moment) - end + span) / step): float(value) for moment, value in row["values"] if value not in ("NaN", "+Inf")}
            if points:
                lines.append((name_of(target, row["metric"]), points))
    lines.sort(key=lambda line: -list(line[1].values())[-1])
    custom = defaults.get("custom", {})
    isStacked = custom.get("stacking", {}).get("mode") == "normal"
    legend = panel["options"].get("legend", {})
    isBeside = legend.get("placement") == "right"
    place = panel["gridPos"]
    wide = place["w"] / 24 * width - gap - 24 - (300 if isBeside else 0)
    high = place["h"] * (unit + gap) - gap - 44 - (0 if isBeside else 22)
    left, bottom, count = 62, 20, span // step
    # The lowest of a stack is drawn last, over the others' areas.
    base = [0.0] * (count + 1)
    drawn = []
    for index, (name, points) in enumerate(lines):
        values = [points.get(place) for place in range(count + 1)]
        if isStacked:
            base = [below + (value or 0) for below, value in zip(base, values)]
            values = list(base)
        drawn.append((name, values, palette[index % len(palette)]))
    most = max([value for _, values, _ in drawn for value in values if value is not None], default=0)
    most = max(most, defaults.get("min") or 0) or 1
    marks = ticks(most)
    top = max(most * 1.05, marks[-1])
    across = lambda place: left + (wide - left) * place / count
    down = lambda value: (high - bottom) * (1 - value / top) + 4
    art = ""
    for mark in marks:
        art += f'<line x1="{left}" x2="{wide}" y1="{down(mark):.1f}" y2="{down(mark):.1f}" class="grid"/><text x="{left - 6}" y="{down(mark) + 4:.1f}" text-anchor="end">{shown(mark, defaults.get("unit"))}</text>'
    for part in range(0, 5):
        place_ = count * part // 5 + count // 10
        art += f'<text x="{across(place_):.0f}" y="{high - 2:.0f}" text-anchor="middle">{time.strftime("%H:%M:%S", time.gmtime(end - span + place_ * step))}</text>'
    opacity = custom.get("fillOpacity", 0) / 100
    for name, values, colour in reversed(drawn):
        runs, run = [], []
        for place_, value in enumerate(values):
            if value is None:
                runs, run = runs + ([run] if run else []), []
            else:
                run.append((across(place_), down(value)))
        for run in runs + ([run] if run else []):
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
            if opacity:
                art += f'<polygon points="{run[0][0]:.1f},{down(0):.1f} {path} {run[-1][0]:.1f},{down(0):.1f}" fill="{colour}" fill-opacity="{opacity}"/>'
            art += f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{custom.get("lineWidth", 1)}"/>'
    key = ""
    room = int((high - 20) // 21) if isBeside else 6
    for index, (name, points) in enumerate(lines[:room]):
        colour, values = palette[index % len(palette)], list(points.values())
        numbers = f"<td>{shown(values[-1], defaults.get('unit'))}</td><td>{shown(max(values), defaults.get('unit'))}</td>" if isBeside else ""
        row = f'<i style="background:{colour}"></i>{html.escape(name)}'
        key += f"<tr><td>{row}</td>{numbers}</tr>" if isBeside else f"<span>{row}</span>"
    if isBeside:
        key = f'<table class="key"><thead><tr><th></th><th>Last *</th><th>Max</th></tr></thead>{key}</table>'
    else:
        key = f'<div class="key">{key}</div>'
    chart = f'<svg width="{wide:.0f}" height="{high:.0f}">{art}</svg>' if lines else f'<div style="height:{high}px">no data</div>'
    return f'<div class="{"beside" if isBeside else "below"}">{chart}{key}</div>'


style = """
* { box-sizing: border-box } body { margin: 0; background: #111217; color: #CCCCDC; font: 12px Inter, "DejaVu Sans", sans-serif; width: %dpx; padding: 8px }
h1 { font-size: 16px; font-weight: 500; margin: 4px 4px 12px } main { position: relative }
section { position: absolute; background: #181B1F; border: 1px solid #2A2D34; border-radius: 3px; padding: 6px 10px; overflow: hidden }
section.row { background: none; border: 0; font-weight: 500; padding: 6px 2px } h2 { font-size: 13px; font-weight: 500; margin: 2px 0 6px; white-space: nowrap }
.stat { font-size: 30px; font-weight: 500; text-align: center; padding-top: 14px; white-space: nowrap }
.bars { padding-top: 2px } .bar { display: flex; gap: 8px; align-items: center; margin-bottom: 3px } .bar span { width: 44%%; text-align: right; overflow: hidden; white-space: nowrap; text-overflow: ellipsis }
.bar i { flex: 1; height: 100%%; background: #22252B } .bar b { display: block; height: 100%% } .bar em { font-style: normal; width: 66px; font-weight: 500 }
table { border-collapse: collapse; width: 100%% } td, th { border-bottom: 1px solid #22252B; padding: 4px 8px; text-align: left; white-space: nowrap; font-weight: 400; height: 25px } th { color: #6E9FFF; font-weight: 500 }
td.num { font-variant-numeric: tabular-nums } .beside { display: flex; gap: 10px } .beside svg { flex: none } table.key { align-self: flex-start } table.key td, table.key th { padding: 1px 6px; height: 21px; border: 0; text-align: right; font-size: 11px } table.key td:first-child { text-align: left; max-width: 128px; overflow: hidden; text-overflow: ellipsis }
.key i { display: inline-block; width: 12px; height: 3px; border-radius: 2px; margin: 0 6px 3px 0 } div.key { white-space: nowrap; overflow: hidden; height: 22px } div.key span { margin-right: 14px; font-size: 11px }
svg text { fill: #9FA0AA; font-size: 11px } svg .grid { stroke: #22252B }
""" % (width + 16)
draw = {"stat": stat, "bargauge": bar_gauge, "table": table, "timeseries": series}


def page(dashboard):
    panels, bottom = "", 0
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] / 24 * width, place["y"] * (unit + gap)
        w, h = place["w"] / 24 * width - gap, place["h"] * (unit + gap) - gap
        bottom = max(bottom, y + h)
        box = f'style="left:{x:.0f}px;top:{y:.0f}px;width:{w:.0f}px;height:{h:.0f}px"'
        title = html.escape(panel["title"])
        if panel["type"] == "row":
            panels += f'<section class="row" {box}>{title}</section>'
        else:
            panels += f'<section {box}><h2>{title}</h2>{draw[panel["type"]](dashboard, panel)}</section>'
    return bottom + 60, (f'<!doctype html><meta charset="utf-8"><style>{style}</style><h1>{html.escape(dashboard["title"])}</h1>'
                         f'<main style="height:{bottom:.0f}px">{panels}</main>')


def main():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        for source in sorted(folder.glob("*.json")):
            height, text = page(json.loads(source.read_text()))
            browser.get("data:text/html;charset=utf-8," + urllib.parse.quote(text))
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width + 16, "height": int(height), "deviceScaleFactor": 0.8, "mobile": False})
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 60})
            target = folder / f"{source.stem}.webp"
            target.write_bytes(b64decode(shot["data"]))
            print(target, target.stat().st_size)
    finally:
        browser.quit()


main()
