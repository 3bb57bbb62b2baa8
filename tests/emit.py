"""Calls a provider through an instrumented SDK, and writes its spans as OTLP JSON; run by tests/test_emitters.py on its own.

python tests/emit.py <instrumentation> <base url> <file>
"""

import importlib
import sys
from contextlib import suppress

import anthropic
import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

INSTRUMENTORS = {
    "openai_v2": ("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),
    "openllmetry_openai": ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
    "openllmetry_anthropic": ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
    "openinference_openai": ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
    "openinference_anthropic": ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
    "anthropic_sdk": (None, None),  # the SDK's own spans
}
ASKED = [{"role": "user", "content": "hello"}]


def call_openai(url: str) -> None:
    """A call of each kind that the SDK has."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    client.chat.completions.create(model="gpt-4o", messages=ASKED)
    client.chat.completions.create(model="gpt-4o-cached", messages=ASKED)
    for _ in client.chat.completions.create(
        model="gpt-4o", messages=ASKED, stream=True, stream_options={"include_usage": True}
    ):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="hello")
    client.responses.create(model="gpt-4o", input="hello")
    with suppress(openai.APIError):
        client.chat.completions.create(model="gpt-4o-broken", messages=ASKED)


def call_anthropic(url: str) -> None:
    """Messages as a whole, with a cache, and streamed; and one that fails."""
    client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    client.messages.create(model="claude-sonnet-4-5", max_tokens=9, messages=ASKED)
    client.messages.create(model="claude-sonnet-4-5-cached", max_tokens=9, messages=ASKED)
    with client.messages.stream(model="claude-sonnet-4-5", max_tokens=9, messages=ASKED) as stream:
        stream.get_final_message()
    with suppress(anthropic.APIError):
        client.messages.create(model="claude-broken", max_tokens=9, messages=ASKED)


def main(instrumentation: str, url: str, file: str) -> None:
    """Instrument, call below a span of the service that knows the tenant, and write everything."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "shop", "deployment.environment.name": "staging"})
    )
    provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(file)))
    trace.set_tracer_provider(provider)
    module, name = INSTRUMENTORS[instrumentation]
    if module:
        getattr(importlib.import_module(module), name)().instrument(tracer_provider=provider)
    with trace.get_tracer("shop").start_as_current_span("GET /chat", attributes={"tenant.id": "acme"}):
        (call_openai if "openai" in instrumentation else call_anthropic)(url)
    provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
