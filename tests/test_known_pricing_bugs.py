"""Bugs that users reported of other trackers, each with its numbers: uncached / cache write / cache read / output."""

from decimal import Decimal

from tests.pipeline import Pipeline, event

SONNET = {"provider": "anthropic", "model": "claude-sonnet-4-5"}  # 3, write 3.75, 1 hour 6, read 0.30, output 15
GEMINI = {"provider": "google", "model": "gemini-2.5-pro"}  # above 200,000 input: 2.50, read 0.25, output 15
GPT5 = {"provider": "openai", "model": "gpt-5"}  # 1.25, read 0.125, output 10


def call(name: str, uncached: int, written: int, read: int, output: int, **fields: object) -> dict:
    counts = {"inputTokens": uncached + written + read, "cacheWriteTokens": written, "cacheReadTokens": read}
    return event(name, outputTokens=output, **(SONNET | counts | fields))


CALLS = [
    call("write", 3, 12_304, 0, 550),
    call("write, exclusive", 3, 12_304, 0, 550, inputTokens=3, tokenConvention="exclusive"),
    call("gemini", 262_960 - 257_955, 0, 257_955, 0, **GEMINI),
    call("read is not a write", 3, 25, 13_216, 12),
    call("1 hour", 3, 12_304, 0, 550, cacheWrite1hTokens=12_304),
    call("at the boundary", 200_000, 0, 0, 1_000),
    call("above the boundary", 200_001, 0, 0, 1_000),
    call("cache counts for the tier", 1, 0, 200_000, 0),
    event("reasoning", **GPT5, inputTokens=1_000, outputTokens=800, reasoningTokens=640),
    event("zero", **SONNET, inputTokens=0, outputTokens=0),
    event("null", **SONNET, inputTokens=None, outputTokens=None),
]
COSTS = {
    "write": Decimal("0.054399"),  # $0.0544, not $0.0914
    "write, exclusive": Decimal("0.054399"),
    "gemini": Decimal("0.07700125"),  # 5,005 at 2.50 and 257,955 at 0.25
    "read is not a write": Decimal("0.00424755"),  # 13,216 at 0.30, and 25 at 3.75
    "1 hour": Decimal("0.082083"),
    "at the boundary": Decimal("0.615"),
    "above the boundary": Decimal("1.222506"),
    "cache counts for the tier": Decimal("0.120006"),  # 1 at 6 and 200,000 at 0.60
    "reasoning": Decimal("0.00925"),
    "zero": Decimal(0),
    "null": None,
}


def land(pipeline: Pipeline) -> None:
    pipeline.land("bugs.jsonl", CALLS)


def test_each_costs_what_the_provider_bills(priced_calls):
    costs = dict(priced_calls.inside("select request_id, cost_usd from marts.fct_attempts"))
    assert {name: costs[name] for name in COSTS} == COSTS


def test_zero_is_known_and_null_is_missing(priced_calls):
    columns = "request_id, pricing_status, usage_source"
    rows = priced_calls.inside(
        f"select {columns} from marts.fct_attempts where request_id in ('zero', 'null') order by 1"
    )
    assert rows == [("null", "no_usage", "missing"), ("zero", "priced", "provider")]


def test_the_tier_that_was_applied_is_in_the_row(priced_calls):
    tiers = dict(priced_calls.inside("select request_id, price_tier_from_tokens from marts.fct_attempts"))
    assert (tiers["at the boundary"], tiers["above the boundary"], tiers["cache counts for the tier"]) == (
        0,
        200_001,
        200_001,
    )
