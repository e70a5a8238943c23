#!/usr/bin/env python3
"""Measures costgauge beside reference programs on the same machine, in the same run.

  bench.py COSTGAUGE DIRECTORY [--events N] [--rounds N] [--stored N]

A figure is a ratio: the reference runs before and after each measurement, and the mean of the two counts.
DIRECTORY holds the compiled floor, nothing, load and allocations.so and takes the data. Prints a Markdown table.
"""
import argparse, json, os, random, shutil, socket, statistics, struct, subprocess, sys, time, urllib.request

from common import Server, fields, load, print_table, remove, row, thousands

arguments = argparse.ArgumentParser()
arguments.add_argument("costgauge")
arguments.add_argument("directory")
arguments.add_argument("--events", type=int, default=500_000)
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--stored", type=int, default=10_000_000)
options = arguments.parse_args()
Server.binary = os.path.abspath(options.costgauge)
os.chdir(options.directory)


def make_events(path, count, seed=1):
    """Skewed tenants, users, features and models, heavy-tailed token counts; the last hour."""
    source = random.Random(seed)
    skewed = lambda n: min(n - 1, int(n ** source.random()) - 1)
    models = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "o3", "text-embedding-3-small"]
    features = ["chat", "search", "summarize", "agent.plan"]
    start = time.time() - 3600
    with open(path, "w") as file:
        for index in range(count):
            moment = start + 3600 * index / count
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
            input_tokens = min(int(source.paretovariate(1.3) * 150), 900000)
            file.write(json.dumps({
                "id": "evt_%016x" % source.getrandbits(64), "timestamp": f"{stamp}.{int(moment % 1 * 1000):03d}Z",
                "tenant": f"tenant-{skewed(200)}", "user": f"user-{skewed(20000)}", "feature": features[skewed(4)],
                "provider": "openai", "model": models[skewed(6)], "input_tokens": input_tokens,
                "cached_input_tokens": input_tokens // 4, "output_tokens": min(int(source.paretovariate(1.5) * 60), 16000),
                "cost_usd": round(source.paretovariate(1.4) * 0.0004, 6)}) + "\n")


def floor():
    result = fields(subprocess.check_output(["./floor", "events.ndjson", "floor.db"], text=True))
    for suffix in ["", "-wal", "-shm"]:
        if os.path.exists("floor.db" + suffix):
            os.remove("floor.db" + suffix)
    return result["events_per_second"]


def batches():
    ratios, ours, floors, commits, cpu, memory = [], [], [], [], [], 0
    before = floor()
    for _ in range(options.rounds):
        remove("data")
        server = Server("data")
        result = load(server.port, "events.ndjson", 4, 1000)
        if result["events"] != options.events:
            sys.exit(f"only {result['events']} of {options.events} events were acknowledged")
        samples = server.metrics()
        commits.append(options.events / samples["costgauge_commit_duration_seconds_count"])
        cpu.append(server.cpu_seconds() / options.events * 1e9)
        memory = max(memory, server.memory())
        server.stop()
        after = floor()
        reference = (before + after) / 2
        before = after
        ours.append(result["events_per_second"])
        floors.append(reference)
        ratios.append(result["events_per_second"] / reference)
    row("durable ingest over HTTP, bodies of 1000 events, 4 connections",
        f"{thousands(statistics.median(ours))} events/s", f"floor {thousands(statistics.median(floors))} events/s",
        f"{statistics.median(ratios):.2f}", ">= 1.2, goal 2.0")
    row("... events a commit; CPU an event", f"{statistics.median(commits):.0f}; {statistics.median(cpu):.0f} ns", "", "", "")
    row("... resident memory at its peak, 20 000 users", f"{memory:.0f} MiB", "", "", "< 300 MiB")


def inside():
    """Processor time and allocations an event once most names and spenders have been seen, in separate runs."""
    make_events("again.ndjson", options.events // 2, seed=2)

    def measured(read, environment={}):
        remove("data")
        server = Server("data", environment=environment)
        load(server.port, "events.ndjson", 4, 1000)
        before = read(server)
        events = load(server.port, "again.ndjson", 4, 1000)["events"]
        after = read(server)
        server.stop()
        return [(after[name] - before[name]) / events for name in ["http", "ledger-writer"]]

    def counted(column):
        def read(server):
            counts = {}
            for thread, *numbers in struct.iter_unpack("QQQ", open("allocations", "rb").read()):
                if thread and os.path.exists(f"/proc/{server.process.pid}/task/{thread}"):
                    counts[server.thread_name(thread)] = numbers[column]
            return counts
        return measured(read, {"LD_PRELOAD": os.path.abspath("allocations.so"), "ALLOCATIONS_FILE": os.path.abspath("allocations")})

    nanos, allocations, retains = measured(Server.thread_nanos), counted(0), counted(1)
    row("inside the hot path, an event", f"{nanos[0]:.0f} ns on the HTTP thread, {nanos[1]:.0f} ns on the writer's", "", "", "")
    row("... allocations an event", f"{allocations[0]:.3f} and {allocations[1]:.3f}", "", "", "0, but for new spenders and minutes")
    row("... retains of Swift objects an event", f"{retains[0]:.2f} and {retains[1]:.2f}", "", "", "0")


def mtail(path):
    """Processor seconds of mtail over a file."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cost.mtail")
    before = os.times()
    subprocess.run(["mtail", "--one_shot", "--progs", program, "--logs", path, "--port", "0"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def tailed():
    """The file appears once the server runs: what either of them needs to start is not counted."""
    path = os.path.abspath("tailed.ndjson")
    name = 'costgauge_ingest_events_total{source="jsonl",outcome="accepted"}'
    has_mtail = shutil.which("mtail")
    open("empty.ndjson", "w").close()
    speeds, costs, references, ratios = [], [], [], []
    for _ in range(options.rounds):
        if os.path.exists(path):
            os.remove(path)
        remove("data")
        server = Server("data", f"sources:\n  - {{type: jsonl, path: \"{path}\"}}\n")
        time.sleep(1)
        started, idle = time.monotonic(), server.cpu_seconds()
        os.link("events.ndjson", path)
        while server.metrics()[name] < options.events:
            time.sleep(0.2)
        speeds.append(options.events / (time.monotonic() - started))
        cpu = server.cpu_seconds() - idle
        costs.append(options.events / cpu)
        server.stop()
        os.remove(path)
        if has_mtail:
            used = mtail(os.path.abspath("events.ndjson")) - mtail(os.path.abspath("empty.ndjson"))
            references.append(options.events / used)
            ratios.append(used / cpu)
    reference = f"mtail {thousands(statistics.median(references))} lines per CPU second, in memory" if has_mtail else "mtail is not installed"
    row("tailed file, durable",
        f"{thousands(statistics.median(costs))} events per CPU second, {thousands(statistics.median(speeds))} events/s",
        reference, f"{statistics.median(ratios):.1f}" if has_mtail else "", ">= 10")


def single():
    def nothing():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(["./nothing", str(port)])
        time.sleep(0.3)
        try:
            return load(port, "events.ndjson", 64, 1, 3)["requests_per_second"]
        finally:
            process.kill()
            process.wait()

    ratios, ours, references = [], [], []
    before = nothing()
    for _ in range(options.rounds):
        remove("data")
        server = Server("data")
        result = load(server.port, "events.ndjson", 64, 1, 3)
        server.stop()
        after = nothing()
        ours.append(result["requests_per_second"])
        references.append((before + after) / 2)
        ratios.append(ours[-1] / references[-1])
        before = after
    row("single events, 64 connections, each answered after its commit", f"{thousands(statistics.median(ours))} requests/s",
        f"libmicrohttpd that does nothing {thousands(statistics.median(references))} requests/s",
        f"{statistics.median(ratios):.2f}", ">= 0.5")


def memory_per_id():
    remove("data")
    server = Server("data")
    idle = server.memory("VmRSS")
    server.stop()
    with open("ids.ndjson", "w") as file:
        for index in range(1_000_000):
            file.write(f'{{"id":"i{index}","tenant":"t{index % 1000}","user":"u{index}","cost_usd":0.001}}\n')
    server = Server("data")
    load(server.port, "ids.ndjson", 4, 1000)
    used = server.memory("VmRSS")
    ids = server.metrics()["costgauge_dedup_ids"]
    server.stop()
    row("1 000 000 (tenant, user) pairs and as many ids", f"{used:.0f} MiB resident, {idle:.0f} MiB when idle", "", "", "< 600 MiB; idle < 40 MiB")
    row("... a pair, its names, rings and its id", f"{(used - idle) * 1048576 / ids:.0f} bytes", "", "", "")


def restart():
    remove("data")
    server = Server("data")
    load(server.port, "events.ndjson", 4, 1000)
    server.stop()
    import sqlite3
    store = sqlite3.connect("data/costgauge.db")
    copies = options.stored // options.events
    for copy in range(1, copies):
        store.execute(
            """insert into event_batches select seq + ?, count, received_ns, oldest_ns, newest_ns, replace(rows, '["evt_', ?)
               from event_batches where seq <= ?""", (copy * options.events, f'["e{copy}_', options.events))
        store.commit()
    rows_stored = store.execute("select max(seq + count - 1) from event_batches").fetchone()[0]
    store.execute("update ledger_meta set value = ? where key in ('applied_seq', 'rolled_seq')", (str(rows_stored - 100_000),))
    store.commit()
    store.execute("pragma wal_checkpoint(truncate)")
    store.close()
    times = []
    for _ in range(3):
        server = Server("data")
        times.append(server.seconds)
        server.process.kill()
        server.process.wait()
    row(f"restart with {thousands(rows_stored)} events, 100 000 of them after the last checkpoint",
        f"{statistics.median(times):.2f} s until it listens", "", "", "< 2 s")


class ClientGolang:
    """The same series in Go's client library, which Debian has as golang-github-prometheus-client-golang-dev."""
    sources = "/usr/share/gocode"

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(["./scrape", str(self.port)])
        time.sleep(0.5)

    @classmethod
    def missing(cls):
        """Why it cannot be measured; None: it was built."""
        if not shutil.which("go"):
            return "Go is not installed"
        if not os.path.isdir(f"{cls.sources}/src/github.com/prometheus/client_golang"):
            return "client_golang is not installed"
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scrape.go")
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": cls.sources, "GOCACHE": os.path.abspath("go-cache")}
        subprocess.run(["go", "build", "-o", "scrape", source], check=True, env=environment)


def memory_of(process):
    status = open(f"/proc/{process.pid}/status").read()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def fetch(port, headers, buffer):
    """Seconds and bytes of one page, as a client sees them that does nothing with it."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        request = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n".encode()
        start, size, view = time.perf_counter(), 0, memoryview(buffer)
        connection.sendall(request)
        while count := connection.recv_into(view[size:]):
            size += count
        return time.perf_counter() - start, size


def processor_seconds(process):
    """Of all threads, of those too that have ended: the clock of a process, https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html"""
    return time.clock_gettime(~process.pid << 3 | 2)


def scrape():
    """Four samples for each of 25 000 label sets; the two servers are asked in turn, by the same client."""
    sets, buffer = 25_000, bytearray(64 << 20)
    remove("data")
    with open("series.ndjson", "w") as file:
        for index in range(sets):
            file.write(f'{{"tenant":"t{index % 500}","feature":"f{index // 500}","provider":"p","model":"m","input_tokens":5,"output_tokens":3,"cost_usd":0.001}}\n')
    server = Server("data", "metrics: {max_series: 200000}\n")
    missing = ClientGolang.missing()
    golang = None if missing else ClientGolang()
    empty = [memory_of(process) for process in [server.process] + ([golang.process] if golang else [])]
    load(server.port, "series.ndjson", 4, 1000)
    if golang:
        urllib.request.urlopen(f"http://127.0.0.1:{golang.port}/fill?sets={sets}").read()
    series = server.metrics()["costgauge_series"]

    def measure(process, port, headers, count):
        used = processor_seconds(process)
        pages = [fetch(port, headers, buffer) for _ in range(count)]
        used = (processor_seconds(process) - used) / count
        return statistics.median(seconds for seconds, _ in pages) * 1000, used * 1000, pages[-1][1] / 1e6

    for headers, name, target in [
            ("", f"/metrics with {thousands(series)} series, plain", 50), ("Accept-Encoding: gzip\r\n", "... gzip", 20)]:
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(measure(server.process, server.port, headers, 10))
            if golang:
                theirs.append(measure(golang.process, golang.port, headers, 3))
        text = lambda rounds: "{:.1f} ms, {:.1f} ms of processor time, {:.2f} MB".format(*map(statistics.median, zip(*rounds)))
        ratio = f"1/{statistics.median(b[0] / a[0] for a, b in zip(ours, theirs)):.0f}" if golang else ""
        row(name, text(ours), missing or f"client_golang {text(theirs)}", ratio, f"<= 1/{target}")
    used = [memory_of(process) for process in [server.process] + ([golang.process] if golang else [])]
    bytes_each = [(after - before) / series for after, before in zip(used, empty)]
    row("... memory", f"{bytes_each[0]:.0f} bytes a series", missing or f"client_golang {bytes_each[1]:.0f} bytes a series",
        f"{bytes_each[0] / bytes_each[1]:.2f}" if golang else "", "<= 0.25")
    server.stop()
    if golang:
        golang.process.kill()
        golang.process.wait()


make_events("events.ndjson", options.events)
for measurement in [batches, inside, tailed, single, memory_per_id, scrape, restart]:
    measurement()
remove("data")
print_table(f"{options.events} events, median of {options.rounds}")
