"""What it costs to load files of gateways and tracers, per MB, against native events of the same calls.

python -m benchmarks.sources [--records 100000] [--megabytes 25] [--data DIR]
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestration.landing.load import load_new_files
from orchestration.settings import Settings, from_environment

BODY = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor. " * 40
START = 1_795_824_000


def litellm(number: int) -> dict:
    """A record of LiteLLM's logger with its bodies, of about 5 KB."""
    usage = {
        "prompt_tokens": 1536 + number % 97,
        "completion_tokens": 120,
        "total_tokens": 1656 + number % 97,
        "prompt_tokens_details": {"cached_tokens": 1280, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    keys = [
        "hash",
        "alias",
        "spend",
        "max_budget",
        "budget_reset_at",
        "user_spend",
        "team_spend",
        "org_id",
        "org_alias",
        "project_id",
        "team_alias",
        "user_email",
        "end_user_id",
    ]
    return {
        "id": f"chatcmpl-{number}",
        "litellm_call_id": f"call-{number}",
        "trace_id": f"trace-{number}",
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": None,
        "status": "success",
        "custom_llm_provider": "openai",
        "startTime": START + number / 10,
        "endTime": START + number / 10 + 0.5,
        "model": "openai/gpt-4o",
        "model_group": "gpt-4o",
        "response_cost": 0.003965,
        "end_user": "cust-9",
        **{key: usage[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")},
        "metadata": {
            **{f"user_api_key_{key}": None for key in keys},
            "user_api_key_team_id": f"team-{number % 50}",
            "user_api_key_user_id": f"u-{number % 997}",
            "user_api_key_request_route": "/v1/chat/completions",
            "usage_object": usage,
        },
        "request_tags": ["endpoint:support-chat", "prompt:v12", "User-Agent: curl"],
        "messages": [{"role": "user", "content": BODY}],
        "response": {"id": f"chatcmpl-{number}", "model": "gpt-4o", "choices": [{"message": {"content": BODY[:600]}}]},
    }


def native(number: int) -> dict:
    """The event of the same call."""
    return {
        "externalRequestId": f"call-{number}",
        "providerRequestId": f"chatcmpl-{number}",
        "occurredAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number // 10)),
        "provider": "openai",
        "model": "gpt-4o",
        "status": "success",
        "endpointTag": "support-chat",
        "promptVersion": "v12",
        "tenantId": f"team-{number % 50}",
        "userId": f"u-{number % 997}",
        "inputTokens": 1536 + number % 97,
        "outputTokens": 120,
        "cacheReadTokens": 1280,
        "latencyMs": 500.0,
        "costUsd": 0.003965,
    }


def otlp(number: int) -> dict:
    """A batch of the Collector: eight spans around two calls."""
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "app"}, "spans": [
        _span(number, place) for place in range(10)
    ]}]}]}  # fmt: skip


def _span(number: int, place: int) -> dict:
    attributes = {"http.route": "/chat", "url.path": BODY[:200], "user.id": f"u-{number % 997}", "tenant.id": "acme"}
    if place in (4, 8):
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": f"chatcmpl-{number}-{place}",
            "gen_ai.usage.input_tokens": "1536",
            "gen_ai.usage.output_tokens": "120",
            "gen_ai.usage.cache_read.input_tokens": "1280",
            "gen_ai.input.messages": BODY[:600],
        }
    start = (START * 10 + number) * 100_000_000
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number * 10 + place:016x}",
        "name": "span",
        "kind": 3,
        "parentSpanId": f"{number * 10 + place - 1:016x}" if place else "",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 840_000_000),
        "status": {},
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }


def land(settings: Settings, source: str, records: Iterable[dict], name: str = "a.jsonl") -> float:
    """Lands records as one file; returns its MB."""
    path = Path(settings.landing) / source / "dt=2026-11-28" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return path.stat().st_size / 1e6


def until(megabytes: float) -> Iterator[dict]:
    """Batches of spans of so many MB."""
    size, number = 0, 0
    while size < megabytes * 1e6:
        record = otlp(number)
        size, number = size + len(json.dumps(record)) + 1, number + 1
        yield record


def measure(root: Path, records: int, megabytes: float) -> Iterator[str]:
    """The lines of a table: source, rows, MB, CPU seconds, CPU milliseconds per MB."""
    yield "| source | calls | skipped | MB | CPU s | CPU ms per MB | CPU µs per call |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for source, found in (
        ("events", map(native, range(5 * records))),
        ("litellm", map(litellm, range(records))),
        ("otel", until(megabytes)),
    ):
        settings = from_environment({"TOKENTRAIL_DATA": str(root / source), "TOKENTRAIL_THREADS": "1"})
        land(settings, source, [next(found)], "warm.jsonl")  # mappings are compiled once per process
        load_new_files(settings, source)
        size = land(settings, source, found)
        began = time.process_time()
        load = load_new_files(settings, source)
        spent = time.process_time() - began
        yield (
            f"| {source} | {load.rows_loaded:,} | {load.rows_skipped:,} | {size:.1f} | {spent:.2f} "
            f"| {1000 * spent / size:.1f} | {1e6 * spent / load.rows_loaded:.0f} |"
        )


def main() -> None:
    """Measure in a folder of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--megabytes", type=float, default=25)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    root = given.data or Path(tempfile.mkdtemp(prefix="tokentrail-sources-"))
    try:
        for line in measure(root, given.records, given.megabytes):
            print(line, flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
