"""Odd events that the loader may accept: whatever it accepts, the warehouse must build and publish.

Each field is drawn from plain values and from its edges: bounds, blanks, signs of other alphabets, names of our own
making, numbers as text. Ids come from few, so that deliveries repeat, retry, contradict and withdraw each other.
"""

import json
import random

from orchestration.landing.fields import TOKENS

DAYS = [f"2026-11-{day:02d}" for day in range(14, 22)]
COUNTS = [
    0,
    1,
    7,
    "12",
    " 300 ",
    1e3,
    12.0,
    4_096,
    199_999,
    200_001,
    10**7,
    6 * 10**12,
    9_999_999_999_999,
    "",
    None,
    "NaN",
]
LABELS = [
    *(
        "chat.reply",
        "search.answer",
        "(unattributed)",
        "(all)",
        "*",
        "none",
        "null",
        "NaN",
        "-",
        "''",
        '"',
        "\\",
        "%",
        "_",
    ),
    *("a,b", "a;b", "a|b", "a#1", "a@2026-11-20", "a\nb", "a\tb", "a\0b", "a\x1b[31mb", "a\x07b", "=1+1", "@x", "[/x]"),
    *(
        "{{ x }}",
        "{% raw %}",
        "'; drop table x; --",
        "../../x",
        "<b>x</b>",
        "é",
        "e\u0301",
        "İ",
        "ß",
        "\U0001f389",
        "عربي",
    ),
    *("\u202eabc", "a\u00a0b", "\ufeffx", "x\u200b", "x" * 1_024, "ü" * 1_024, "", " ", None, 7, True, {"a": 1}, [1]),
]
IDS = [
    "r-1",
    "r-2",
    "r-3",
    "r-1#1",
    "r-1#success",
    "r-1#error@2026-11-20 10:00:00",
    "r-2@2026-11-20",
    "R-1",
    "r" * 256,
    "ü" * 256,
    "a\0b",
]
MODELS = [
    *(
        ("anthropic", "claude-sonnet-4-5"),
        ("anthropic", "claude-opus-5"),
        ("openai", "gpt-4o-mini"),
        ("openai", "gpt-5"),
    ),
    *(("openai", "whisper-1"), ("openai", "text-embedding-3-small"), ("openai", "gpt-image-1.5"), ("x-ai", "grok-4")),
    *(
        ("google", "gemini-2.5-pro"),
        ("vllm", "acme-internal-70b"),
        ("nobody", "m" * 1_024),
        ("a'b", 'c"d'),
        ("é", "%s {x}"),
    ),
]
UNITS = [
    *(
        "audio_seconds",
        "input_characters",
        "input_pixels",
        "input_document_pages",
        "code_executions",
        "cache_video_read_tokens",
    ),
    *(
        "input_tool_tokens",
        "output_citation_tokens",
        "input_text_tokens",
        "output_text_tokens",
        "a unit",
        "é",
        "x'y",
        "a.b[0]",
        "$",
    ),
]
UNIT_COUNTS = [0, 1, 0.5, 0.001, 1e-9, 3.3333333, 10**6, 999_999_999_999, "7", "", None]
PARTS = [name for name in TOKENS if name not in ("inputTokens", "outputTokens", "totalTokens")]
RAW = [
    {"input_tokens": 10, "output_tokens": 5, "speed": "fast", "service_tier": "priority", "inference_geo": "us"},
    {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 40,
        "completion_tokens_details": {"reasoning_tokens": 25},
    },
    {
        "input_tokens": 1,
        "output_tokens": 1,
        "iterations": [{"input_tokens": 9_999, "output_tokens": 2}, {"type": "advisor"}],
    },
    {
        "promptTokenCount": 10,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 6,
        "trafficType": "PROVISIONED_THROUGHPUT",
    },
    {"input_tokens": -1, "output_tokens": 1e400},
]


def odd_events(seed: int, count: int) -> list[dict]:
    """Events of a seed; some are refused, and then with a sentence."""
    dice = random.Random(seed)
    return [_event(dice) for _ in range(count)]


def odd_lines(seed: int, count: int) -> str:
    """The same as JSON lines, some with a key twice, some in ASCII only."""
    dice = random.Random(seed)
    lines = []
    for event in odd_events(seed, count):
        text = json.dumps(event, ensure_ascii=dice.random() < 0.5)
        lines.append(f'{text[:-1]}, "inputTokens": {dice.choice([5, 500])}}}' if dice.random() < 0.05 else text)
    return "\n".join(lines) + "\n"


def _event(dice: random.Random) -> dict:
    provider, model = dice.choice(MODELS)
    event = {
        "externalRequestId": dice.choice(IDS) if dice.random() < 0.3 else f"q-{dice.randrange(10**6)}",
        "occurredAt": _instant(dice),
        "provider": provider,
        "model": model,
        "status": dice.choice(["success", "success", "SUCCESS ", "error"]),
        "inputTokens": dice.choice(COUNTS),
        "outputTokens": dice.choice(COUNTS),
    }
    if dice.random() < 0.3:
        event |= {name: dice.choice([0, 1, 5, 100]) for name in dice.sample(PARTS, 3)}
    if dice.random() < 0.2:
        event["totalTokens"] = dice.choice([0, 1_200, 10**7, 9_999_999_999_999])
    if dice.random() < 0.2:
        event["tokenConvention"] = dice.choice(["inclusive", "EXCLUSIVE"])
    for name in ("endpointTag", "promptVersion", "featureTag", "tenantId", "userId", "errorCode", "region"):
        if dice.random() < 0.5:
            event[name] = dice.choice(LABELS)
    return event | _rare(dice)


def _rare(dice: random.Random) -> dict:
    """Fields that few events have."""
    rare = {
        "attempt": lambda: dice.choice([1, 2, "3", 2**31 - 1, ""]),
        "providerRequestId": lambda: dice.choice(IDS),
        "environment": lambda: dice.choice(["prod", "PROD ", "staging", *LABELS]),
        "dataMode": lambda: dice.choice(["real", "Test", "demo"]),
        "usageSource": lambda: dice.choice(["provider", "estimate", "provider_partial"]),
        "processing": lambda: dice.choice(["batch", "Realtime"]),
        "serviceTier": lambda: dice.choice(["flex", "Priority", "batch", *LABELS]),
        "priceContext": lambda: dice.choice([{"speed": "FAST"}, {"a'b": 'c"d'}, {"k" * 256: "v" * 256}, {"": "x"}, {}]),
        "usage": lambda: dice.choice([{"raw": dice.choice(RAW)}, *[_usage(dice)] * 5]),
        "httpStatus": lambda: dice.choice([0, 200, 999]),
        "latencyMs": lambda: dice.choice([0, 0.1, 1e-300, "12.5", 316_224_000_000, ""]),
        "costUsd": lambda: dice.choice([0, "0.1", 1e-15, 10**12, -(10**12), "1e12", ""]),
        "metadata": lambda: dice.choice([{"tenantId": dice.choice(LABELS)}, "text", [1], {"deep": {"a": [{}]}}, "{}"]),
        "withdrawn": lambda: dice.choice([True, False, "True", ""]),
        "billingAccountId": lambda: dice.choice(LABELS),
        "spanId": lambda: dice.choice(LABELS),
        "color": lambda: dice.choice(LABELS),
    }
    return {name: draw() for name, draw in rare.items() if dice.random() < 0.15}


def _usage(dice: random.Random) -> dict:
    return {unit: dice.choice(UNIT_COUNTS) for unit in dice.sample(UNITS, dice.choice([1, 1, 2, 4]))}


def _instant(dice: random.Random) -> str:
    if dice.random() < 0.01:
        return dice.choice(["2015-01-01T00:00:00Z", "2100-12-31T23:59:59Z", "2024-02-29T12:00:00Z"])
    hour, minute, second = dice.choice([0, 10, 23]), dice.choice([0, 59]), dice.choice([0, 59])
    return f"{dice.choice(DAYS)}T{hour:02d}:{minute:02d}:{second:02d}{dice.choice(['Z', '', '.999999Z', '+14:00', '-11:30'])}"
