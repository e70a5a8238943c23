"""Measures how many GenAI spans a second of processor time costgauge turns into events, and what a
push of its own metrics costs, beside Python's protobuf decoder (upb, in C) on the same bodies.

usage: otlp.py COSTGAUGE [BODIES]
"""

import gzip
import http.client
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

binary = sys.argv[1]
bodies_wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 200
tick = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / tick


def thread_cpu(pid, name):
    """Of the threads of one name: what they have used."""
    used = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        text = open(f"/proc/{pid}/task/{task}/stat").read()
        if text.split("(", 1)[1].rsplit(")", 1)[0] == name:
            fields = text.rsplit(")", 1)[1].split()
            used += int(fields[11]) + int(fields[12])
    return used / tick


def serve(place, *arguments, environment=None):
    """The running program, and a connection to it."""
    server = subprocess.Popen(
        [binary, "serve", f"--storage.path={place}/data", "--web.listen-address=127.0.0.1:0",
         *arguments],
        stderr=open(place + "/log", "w"), env={**os.environ, **(environment or {})})
    while True:
        time.sleep(0.05)
        for line in open(place + "/log"):
            if "listening" in line:
                port = int(line.split(" address=")[1].split()[0].rsplit(":", 1)[1])
                return server, http.client.HTTPConnection("127.0.0.1", port)


def body(traces):
    """Traces of 8 spans with 50 attributes each, as the SDK's batches of 512 spans."""
    request = ExportTraceServiceRequest()
    owned = request.resource_spans.add()
    for key, value in (("service.name", "bot"), ("tenant.id", "acme")):
        owned.resource.attributes.add(key=key).value.string_value = value
    scoped = owned.scope_spans.add()
    scoped.scope.name = "opentelemetry.instrumentation.genai.openai"
    now = time.time_ns()
    for _ in range(traces):
        trace = random.randbytes(16)
        for _ in range(8):
            span = scoped.spans.add(
                trace_id=trace, span_id=random.randbytes(8), name="chat gpt-4o-mini", kind=3,
                start_time_unix_nano=now, end_time_unix_nano=now + 800_000_000)
            texts = {
                "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini", "enduser.id": f"u{random.randrange(1000)}",
                "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
                "gen_ai.response.id": "chatcmpl-" + random.randbytes(12).hex()}
            counts = {
                "gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 45,
                "gen_ai.usage.cache_read.input_tokens": 64,
                "gen_ai.usage.reasoning.output_tokens": 20}
            for key, value in texts.items():
                span.attributes.add(key=key).value.string_value = value
            for key, value in counts.items():
                span.attributes.add(key=key).value.int_value = value
            for index in range(40):
                key = f"app.request.attribute_{index:02d}"
                span.attributes.add(key=key).value.string_value = f"value {index} of the application"
    return request.SerializeToString()


plain = [body(64) for _ in range(bodies_wanted)]
packed = [gzip.compress(b, 6) for b in plain]
spans = 512 * len(plain)

start = time.process_time()
for part in packed:
    ExportTraceServiceRequest.FromString(gzip.decompress(part))
reference = spans / (time.process_time() - start)


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sizes = []

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        Collector.sizes.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=collector.serve_forever, daemon=True).start()

with tempfile.TemporaryDirectory() as place:
    server, client = serve(place)
    before, began = cpu(server.pid), time.monotonic()
    decoding = thread_cpu(server.pid, "http")
    for part in packed:
        client.request("POST", "/v1/traces", part, {
            "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"})
        answer = client.getresponse()
        assert answer.status == 200 and answer.read() == b""
    used, took = cpu(server.pid) - before, time.monotonic() - began
    decoding = thread_cpu(server.pid, "http") - decoding
    client.request("GET", "/metrics")
    page = client.getresponse().read().decode()
    assert f'source="otlp",outcome="accepted"}} {spans}' in page, "not every span was counted"
    server.terminate()
    server.wait()

size = sum(map(len, plain)) / spans
print(f"OTLP spans with 50 attributes ({size:.0f} bytes), gzip, per second of processor time")
print(f"  costgauge, to priced events    {spans / decoding:10,.0f}   (HTTP and inflating included)")
print(f"  costgauge, to durable events   {spans / used:10,.0f}")
print(f"  Python's protobuf, decoded     {reference:10,.0f}   (no HTTP)")

with tempfile.TemporaryDirectory() as place:
    # A tenant has four samples: cost, two kinds of tokens, requests.
    tenants = 25_000
    open(place + "/c.yaml", "w").write(
        "metrics: {max_series: 1000000}\nbudgets: []\notlp: {interval: 1s, endpoint: "
        f"\"http://127.0.0.1:{collector.server_address[1]}\"}}\n")
    server, client = serve(place, f"--config.file={place}/c.yaml")
    for start in range(0, tenants, 1000):
        lines = "\n".join(
            '{"tenant":"tenant-%05d","model":"gpt-4o-mini","input_tokens":10,"output_tokens":5}' % n
            for n in range(start, start + 1000))
        client.request("POST", "/v1/events", lines, {"Content-Type": "application/json"})
        answer = client.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    time.sleep(2)
    before, pushes = thread_cpu(server.pid, "otlp-push"), len(Collector.sizes)
    time.sleep(10)
    used = thread_cpu(server.pid, "otlp-push") - before
    sizes = Collector.sizes[pushes:]
    client.request("GET", "/metrics")
    page = client.getresponse().read().decode()
    taken = int(page.split('costgauge_otlp_pushes_total{outcome="taken"} ')[1].split("\n")[0])
    points = sum(1 for line in page.splitlines() if not line.startswith("#"))
    server.terminate()
    server.wait()
requests = max(1, round(len(Collector.sizes) / max(1, taken)))
rounds = max(1, len(sizes) // max(1, -(-points * 110 // (4 << 20))))
print(f"push of {points:,} samples: {used / rounds * 1000:.0f} ms of processor time, "
      f"{sum(sizes) / rounds / 1e6:.1f} MB compressed, {rounds} rounds")
