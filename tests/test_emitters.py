"""Real instrumentations call a local provider that knows what it billed: what is loaded of their spans is what it billed.

`make test-emitters` installs them; skipped with a sentence where they are not there.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestration.landing.load import load_new_files
from orchestration.settings import PROJECT
from tests.pipeline import pipeline_at
from tests.test_sources import rows_of

EMITTERS = PROJECT / "data" / "state" / "emitters"  # packages of tests/emitters.lock, apart from those of the project
pytestmark = pytest.mark.skipif(
    not (EMITTERS / ".complete").exists(), reason="Real instrumentations are not installed: `make test-emitters` does."
)
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
EVENT_STREAM = "text/event-stream"
OPENAI_PARTS = {"cache_read_tokens": 1280, "reasoning_tokens": 64}
CLAUDE_PARTS = {"cache_read_tokens": 18_000, "cache_write_tokens": 1_800}


class Provider(ThreadingHTTPServer):
    """Answers like OpenAI and Anthropic, and keeps the bill: a dictionary of counts for each call, by the id of its answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.bill: list[dict] = []

    def charge(self, model: str, kind: str, counts: dict[str, int]) -> str:
        """The id of one more answer, whose counts are on the bill."""
        self.bill.append({"model": model, "kind": kind, "id": f"{kind}-{len(self.bill)}", **counts})
        return self.bill[-1]["id"]


class Answer(BaseHTTPRequestHandler):
    """One request to the provider."""

    server: Provider

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        kind = self.path.rsplit("/", 1)[-1]
        if "broken" in asked["model"]:
            self.server.bill.append({"model": asked["model"], "kind": kind, "failed": True})
            self.reply(json.dumps({"error": {"type": "invalid_request_error", "message": "no"}}), status=400)
            return
        answers = {"completions": completion, "embeddings": embedding, "responses": response, "messages": message}
        found = answers[kind](self.server, asked)
        if isinstance(found, list):
            self.reply("".join(found), EVENT_STREAM)
        else:
            self.reply(json.dumps(found))

    def reply(self, text: str, kind: str = "application/json", status: int = 200) -> None:
        """Send an answer whole."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def completion(provider: Provider, asked: dict) -> dict | list[str]:
    """An answer of OpenAI's chat completions, in one piece or in events."""
    parts = OPENAI_PARTS if "cached" in asked["model"] else dict.fromkeys(OPENAI_PARTS, 0)
    counts = {"input_tokens": 1536, "output_tokens": 120, **parts}
    usage = {
        "prompt_tokens": 1536,
        "completion_tokens": 120,
        "total_tokens": 1656,
        "prompt_tokens_details": {"cached_tokens": parts["cache_read_tokens"], "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": parts["reasoning_tokens"], "audio_tokens": 0},
    }
    same = {"id": provider.charge(asked["model"], "chat", counts), "created": 1_795_338_900, "model": asked["model"]}
    said = {"role": "assistant", "content": "hi"}
    if not asked.get("stream"):
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        return same | {"object": "chat.completion", "choices": [choice], "usage": usage}
    same |= {"object": "chat.completion.chunk"}
    pieces = [
        same | {"choices": [{"index": 0, "delta": said, "finish_reason": None}]},
        same | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        same | {"choices": [], "usage": usage},
    ]
    return [*(f"data: {json.dumps(piece)}\n\n" for piece in pieces), "data: [DONE]\n\n"]


def embedding(provider: Provider, asked: dict) -> dict:
    """An answer of OpenAI's embeddings, which has no id."""
    provider.charge(asked["model"], "embedding", {"input_tokens": 7})
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    return {"object": "list", "model": asked["model"], "data": data, "usage": usage}


def response(provider: Provider, asked: dict) -> dict:
    """An answer of OpenAI's responses."""
    counts = {"input_tokens": 1536, "output_tokens": 120, **OPENAI_PARTS}
    said = {"type": "output_text", "text": "hi", "annotations": []}
    return {
        "id": provider.charge(asked["model"], "response", counts),
        "object": "response",
        "created_at": 1_795_338_900,
        "status": "completed",
        "model": asked["model"],
        "output": [{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [said]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1536,
            "output_tokens": 120,
            "total_tokens": 1656,
            "input_tokens_details": {"cached_tokens": 1280},
            "output_tokens_details": {"reasoning_tokens": 64},
        },
    }


def message(provider: Provider, asked: dict) -> dict | list[str]:
    """An answer of Anthropic's messages: its input leaves out what the cache read and wrote."""
    parts = CLAUDE_PARTS if "cached" in asked["model"] else dict.fromkeys(CLAUDE_PARTS, 0)
    usage = {
        "input_tokens": 212,
        "output_tokens": 450,
        "cache_read_input_tokens": parts["cache_read_tokens"],
        "cache_creation_input_tokens": parts["cache_write_tokens"],
    }
    counts = {"input_tokens": 212 + sum(parts.values()), "output_tokens": 450, **parts}
    whole = {
        "id": provider.charge(asked["model"], "message", counts),
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    if not asked.get("stream"):
        return whole
    begun = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    pieces = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 450},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {piece['type']}\ndata: {json.dumps(piece)}\n\n" for piece in pieces]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """The provider, listening."""
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def emitted(provider: Provider, instrumentation: str, folder: Path) -> tuple[list[dict], list[dict]]:
    """What was billed, and the calls that were loaded of the spans."""
    provider.bill.clear()
    settings = pipeline_at(folder / "data", threads=1).settings
    file = Path(settings.landing) / "otel" / "dt=2026-11-28" / "spans.jsonl"
    file.parent.mkdir(parents=True)
    url = f"http://127.0.0.1:{provider.server_port}"
    subprocess.run(
        [sys.executable, str(PROJECT / "tests" / "emit.py"), instrumentation, url, str(file)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(EMITTERS)},
        check=True,
        timeout=120,
    )
    load = load_new_files(settings, "otel")
    assert load.rows_rejected == 0, load
    return list(provider.bill), sorted(rows_of(settings, "raw_file"), key=lambda row: row["occurred_at"])


# What an instrumentation does not record, measured here: counts, kinds of calls, and calls of which two spans share nothing.
LOST = {"openai_v2": {"cache_read_tokens", "reasoning_tokens"}}
NOT_RECORDED = {"openai_v2": {"response"}}
TWICE = {
    "openinference_anthropic": 1
}  # streamed: the SDK's span and this one's are siblings, and one of them has no id


@pytest.mark.parametrize(
    "instrumentation",
    [
        "openai_v2",
        "openllmetry_openai",
        "openinference_openai",
        "anthropic_sdk",
        "openllmetry_anthropic",
        "openinference_anthropic",
    ],
)
def test_what_is_loaded_is_what_the_provider_billed(provider, tmp_path, instrumentation):
    bill, rows = emitted(provider, instrumentation, tmp_path)
    assert {(row["tenant_id"], row["environment"]) for row in rows} == {("acme", "staging")}
    billed = [one for one in bill if one["kind"] not in NOT_RECORDED.get(instrumentation, ())]
    assert len(billed) >= 4
    calls = one_per_call(rows)
    assert len(calls) == len(billed) + TWICE.get(instrumentation, 0)
    wanted = sorted(map(str, (expected(instrumentation, one) for one in billed)))
    found = sorted(str(loaded(row)) for row in calls)
    assert [one for one in wanted if one not in found] == []
    assert len(set(found) - set(wanted)) <= TWICE.get(instrumentation, 0)


def one_per_call(rows: list[dict]) -> list[dict]:
    """Of spans with one id of the provider the SDK's own, which knows most; a failed call has no id, but the same time."""
    own = [row for row in rows if row["emitter"].startswith("com.anthropic")]
    ids = {row["provider_request_id"] for row in own}
    failed = {row["model"] for row in own if row["status"] == "error"}
    return own + [
        row
        for row in rows
        if row not in own
        and not (row["provider_request_id"] in ids and row["provider_request_id"])
        and not (row["status"] == "error" and row["model"] in failed)
    ]


def expected(instrumentation: str, one: dict) -> dict:
    """A line of the bill as it is loaded: counts that are zero may be left out, and those that are lost are."""
    kept = [name for name in COUNTS if one.get(name) and name not in LOST.get(instrumentation, ())]
    return {"model": one["model"], "failed": bool(one.get("failed"))} | {name: one[name] for name in kept}


def loaded(row: dict) -> dict:
    """The same of a call that was loaded."""
    counts = {name: row[name] for name in COUNTS if row[name]}
    return {"model": row["model"], "failed": row["status"] == "error"} | counts
