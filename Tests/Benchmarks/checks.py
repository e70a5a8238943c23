#!/usr/bin/env python3
"""Measures POST /v1/check beside a libmicrohttpd that does nothing, with few and with many budget scopes,
and GET /v1/costs over 30 days of many events.

  checks.py COSTGAUGE DIRECTORY [--seconds N] [--rounds N] [--stored N]

DIRECTORY holds the compiled nothing and load, and takes the data. Requests are sent by wrk over 16
connections; those of the two servers are the same bytes. Prints a Markdown table.
"""
import argparse, json, os, random, re, socket, statistics, subprocess, sys, time, urllib.request

from common import Server, load, print_table, remove, row, thousands

arguments = argparse.ArgumentParser()
arguments.add_argument("costgauge")
arguments.add_argument("directory")
arguments.add_argument("--seconds", type=int, default=3)
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--stored", type=int, default=10_000_000)
options = arguments.parse_args()
Server.binary = os.path.abspath(options.costgauge)
os.chdir(options.directory)

BUDGETS = """
budgets:
  - {name: per-tenant, each: [tenant], period: month, limit_usd: 1000, burn: false, enforce: {}}
  - {name: all, period: month, limit_usd: 100000000, burn: false, enforce: {}}
"""


def get(server, path):
    start = time.monotonic()
    body = urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}").read()
    return time.monotonic() - start, body


def script(tenants):
    """4096 different requests, made before the clock starts."""
    open("check.lua", "w").write(f"""
local requests, n = {{}}, 0
init = function(args)
  math.randomseed(7)
  for i = 1, 4096 do
    local body = string.format('{{"tenant":"tenant-%d","feature":"chat","provider":"openai","model":"gpt-4o-mini",'
      .. '"input_tokens":1200,"max_output_tokens":400}}', math.random(0, {tenants} - 1))
    requests[i] = wrk.format("POST", "/v1/check", {{["Content-Type"] = "application/json"}}, body)
  end
end
request = function() n = n % 4096 + 1; return requests[n] end
""")


def wrk(port):
    """Requests a second, and the 99th percentile of the latency in milliseconds."""
    text = subprocess.check_output(
        ["wrk", "-t1", "-c16", f"-d{options.seconds}s", "--latency", "-s", "check.lua", f"http://127.0.0.1:{port}/"], text=True)
    if "Non-2xx" in text:
        sys.exit(text)
    unit = {"us": 0.001, "ms": 1, "s": 1000}
    value, word = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), float(value) * unit[word]


def nothing():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["./nothing", str(port)])
    time.sleep(0.3)
    try:
        return wrk(port)
    finally:
        process.kill()
        process.wait()


def with_scopes(count):
    remove("data")
    server = Server("data", BUDGETS)
    with open("scopes.ndjson", "w") as file:
        for tenant in range(count):
            file.write(json.dumps({"tenant": f"tenant-{tenant}", "cost_usd": 0.001}) + "\n")
    load(server.port, "scopes.ndjson", 4, 1000)
    return server


def checks():
    figures = {}
    for scopes in [10, 100_000]:
        script(scopes)
        server = with_scopes(scopes)
        wrk(server.port)
        ours, latencies, references, ratios = [], [], [], []
        before = nothing()
        for _ in range(options.rounds):
            rate, late = wrk(server.port)
            after = nothing()
            ours.append(rate)
            latencies.append(late)
            references.append((before[0] + after[0]) / 2)
            ratios.append(rate / references[-1])
            before = after
        server.stop()
        figures[scopes] = statistics.median(ratios)
        row(f"/v1/check, 16 connections, {thousands(scopes)} budget scopes",
            f"{thousands(statistics.median(ours))} requests/s, p99 {statistics.median(latencies):.2f} ms",
            f"libmicrohttpd that does nothing {thousands(statistics.median(references))} requests/s, p99 {before[1]:.2f} ms",
            f"{figures[scopes]:.2f}", ">= 0.6, goal 0.8; p99 < 1 ms")
    row("... 100 000 scopes beside 10", f"{figures[100_000] / figures[10]:.2f}", "", "", ">= 0.8")


def costs():
    source = random.Random(1)
    skewed = lambda n: min(n - 1, int(n ** source.random()) - 1)
    count = min(500_000, options.stored)
    start = time.time() - 30 * 86400
    with open("month.ndjson", "w") as file:
        for index in range(count):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + 30 * 86400 * index / count))
            file.write(json.dumps({
                "timestamp": stamp, "tenant": f"tenant-{skewed(200)}", "user": f"user-{skewed(5000)}", "provider": "openai",
                "feature": f"feature-{skewed(20)}", "model": f"model-{skewed(10)}", "cost_usd": round(source.random() / 100, 6)}) + "\n")
    remove("data")
    server = Server("data")
    for _ in range(options.stored // count):
        load(server.port, "month.ndjson", 4, 1000)
    time.sleep(12)  # the next checkpoint
    for query in ["group_by=feature", "group_by=feature&step=1d", "group_by=tenant,feature"]:
        times = [get(server, f"/v1/costs?since=30d&{query}")[0] * 1000 for _ in range(20)]
        row(f"/v1/costs?{query}, 30 days, {thousands(options.stored)} events", f"{statistics.median(times):.1f} ms", "", "",
            "< 10 ms" if query == "group_by=feature" else "")
    server.stop()


checks()
costs()
remove("data")
print_table(f"median of {options.rounds}")
