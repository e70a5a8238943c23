"""Makes the same calls to a model through one of several clients, each of which tells costgauge of
them in its own way. A server of this process stands in for the provider.

usage: genai_workload.py genai|traceloop|both|litellm PORT TENANT

litellm goes through all three formats of its callback, each for a tenant of its own.
"""

import asyncio
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

mode, port, tenant = sys.argv[1:4]
costgauge = f"http://127.0.0.1:{port}"
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = costgauge
os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"
os.environ["OTEL_RESOURCE_ATTRIBUTES"] = f"service.name=checkout-bot,tenant.id={tenant}"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
os.environ["NO_PROXY"] = "*"


class Provider(BaseHTTPRequestHandler):
    """Answers as OpenAI does: 120 tokens in, 64 of them cached, 45 out, 20 of them reasoning."""

    protocol_version = "HTTP/1.1"
    count = 0
    lock = threading.Lock()

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Provider.lock:
            Provider.count += 1
            number = Provider.count
        if "fail" in json.dumps(body):
            self.reply(429, {"error": {"message": "Rate limit reached", "type": "rate_limit"}})
        elif self.path.endswith("/embeddings"):
            self.reply(200, {
                "object": "list", "model": body["model"],
                "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
                "usage": {"prompt_tokens": 8, "total_tokens": 8}})
        else:
            self.reply(200, {
                "id": f"chatcmpl-{tenant}-{number:06d}", "object": "chat.completion",
                "created": 1767225600, "model": "gpt-4o-mini-2024-07-18",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {
                    "role": "assistant", "content": "Hello."}}],
                "usage": {
                    "prompt_tokens": 120, "completion_tokens": 45, "total_tokens": 165,
                    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0}}})

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
provider = f"http://127.0.0.1:{server.server_address[1]}/v1"
chats = [{"role": "user", "content": "Say hello"}]


def through_openai():
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracing)
    if mode in ("genai", "both"):
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
        OpenAIInstrumentor().instrument()
    if mode in ("traceloop", "both"):
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor as Traceloop
        Traceloop().instrument()
    import openai

    client = openai.OpenAI(api_key="none", base_url=provider, max_retries=0)
    with trace.get_tracer("app").start_as_current_span("checkout"):
        for _ in range(3):
            client.chat.completions.create(model="gpt-4o-mini", messages=chats)
    client.embeddings.create(model="text-embedding-3-small", input="hello", encoding_format="float")
    try:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "fail"}])
    except openai.RateLimitError:
        pass
    assert tracing.force_flush()


async def through_litellm(form):
    import litellm
    from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

    logger = GenericAPILogger(endpoint=f"{costgauge}/v1/litellm", log_format=form)
    litellm.callbacks = [logger]
    common = {
        "api_key": "none", "api_base": provider, "num_retries": 0,
        "metadata": {
            "user_api_key_team_alias": f"{tenant}-{form}", "user_api_key_alias": "the-key",
            "tags": ["prod", "squad:blue"], "spend_logs_metadata": {"feature": "checkout-bot"}},
        "user": "user-42"}
    for _ in range(3):
        await litellm.acompletion(model="openai/gpt-4o-mini", messages=chats, **common)
    await litellm.aembedding(model="openai/text-embedding-3-small", input=["hello"], **common)
    try:
        await litellm.acompletion(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "fail"}], **common)
    except litellm.RateLimitError:
        pass
    # Its logging runs beside the calls.
    for _ in range(400):
        if len(logger.log_queue) >= 5:
            break
        await asyncio.sleep(0.05)
    assert len(logger.log_queue) == 5, len(logger.log_queue)
    await logger.flush_queue()


async def through_all_formats():
    import litellm

    for form in ("json_array", "ndjson", "single"):
        await through_litellm(form)
        litellm.logging_callback_manager._reset_all_callbacks()


if mode == "litellm":
    asyncio.run(through_all_formats())
else:
    through_openai()
