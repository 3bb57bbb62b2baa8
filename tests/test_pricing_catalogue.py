"""The catalogue's prices as rows: boundaries in time, of the day and of input size, and names that must not match."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.catalogue import get_snapshot, resolve
from pricing.compiler import compile_key
from pricing.reference import price, row_at
from pricing.rows import AXES, DAY_SECONDS, PriceKey, row_key
from pricing.suggestions import suggest
from pricing.units import LEAVES, Usage

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
CATALOGUE = [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]


def usd(tokens: int, per_million: str | int) -> Decimal:
    return tokens * Decimal(per_million) / 1_000_000


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("input_tokens", "rate"), [(200_000, "1.25"), (200_001, "2.5"), (1_000_000, "2.5")])
def test_the_context_tier_moves_the_whole_request(input_tokens, rate):
    assert price(Usage(input_tokens, 0), NOON, "google", "gemini-2.5-pro").cost_usd == usd(input_tokens, rate)


def test_cached_tokens_count_towards_the_tier():
    usage = Usage(200_001, 0, cache_read_tokens=200_000)
    assert price(usage, NOON, "google", "gemini-2.5-pro").cost_usd == usd(1, "2.5") + usd(200_000, "0.25")


@pytest.mark.parametrize(("instant", "rate"), [("2026-10-13T23:59:59.999999", 3), ("2026-10-14T00:00:00", "1.5")])
def test_a_batch_price_begins_at_midnight_utc(instant, rate):
    priced = price(Usage(1000, 0), at(instant), "anthropic", "claude-sonnet-4-5", processing="batch")
    assert priced.cost_usd == usd(1000, rate)
    assert priced.row["variant"] == (None if rate == 3 else "processing=batch")


def test_realtime_never_takes_the_batch_price():
    for processing in (None, "realtime"):
        assert price(Usage(1000, 0), NOON, "anthropic", "claude-sonnet-4-5", processing).cost_usd == usd(1000, 3)


def test_an_offset_is_honoured():
    before = datetime.fromisoformat("2026-10-14T01:59:59+02:00")
    assert price(Usage(1000, 0), before, "anthropic", "claude-sonnet-4-5", "batch").cost_usd == usd(1000, 3)


@pytest.mark.parametrize(
    ("hour", "rate"),
    [
        ("00:29:59", "0.135"),
        ("00:30:00", "0.27"),
        ("16:29:59.999999", "0.27"),
        ("16:30:00", "0.135"),
        ("23:59:59", "0.135"),
    ],
)
def test_the_hour_of_the_day_moves_deepseek(hour, rate):
    assert price(Usage(1000, 0), at(f"2025-06-01T{hour}"), "deepseek", "deepseek-chat").cost_usd == usd(1000, rate)


def test_a_window_that_crosses_midnight_is_two_rows():
    night = [
        row
        for row in compile_key(PriceKey("deepseek", "deepseek-chat"))
        if row["uncached_input_price_usd"] == Decimal("135e-9") and str(row["valid_to"]) == "2025-09-05 16:00:00"
    ]
    assert [(row["day_second_from"], row["day_second_to"]) for row in night] == [(0, 1800), (59_400, 86_400)]


def test_one_hour_writes_cost_the_one_hour_rate():
    usage = Usage(12_307, 550, cache_write_tokens=12_304, cache_write_1h_tokens=12_000)
    cost = usd(3, 3) + usd(304, "3.75") + usd(12_000, 6) + usd(550, 15)
    assert price(usage, NOON, "anthropic", "claude-sonnet-4-5").cost_usd == cost


def test_a_leaf_without_its_own_rate_takes_its_parents_and_says_so():
    row = compile_key(PriceKey("anthropic", "claude-sonnet-4-5"))[0]
    assert row["reasoning_price_usd"] == row["text_output_price_usd"] == Decimal("0.000015")
    assert "reasoning" in row["fallback_leaves"]
    assert not {"uncached_input", "text_output", "cached_input", "cache_write_5m", "cache_write_1h"} & set(
        row["fallback_leaves"]
    )


def test_writes_of_30_minutes_and_12_hours_cost_what_writes_cost_and_say_so():
    usage = Usage(10_000, 0, cache_write_tokens=3_000, cache_write_30m_tokens=1_500, cache_write_12h_tokens=500)
    priced = price(usage, NOON, "anthropic", "claude-sonnet-4-5")
    assert priced.cost_usd == Decimal("0.03225")  # 7,000 at 3 dollars per million and 3,000 at 3.75
    assert priced.parts["cache_write_30m"] == Decimal("0.005625")
    assert {"cache_write_30m", "cache_write_12h"} <= set(priced.row["fallback_leaves"])


@pytest.mark.parametrize("pair", [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5"), ("acme", "no-such-model")])
def test_a_token_kind_that_came_later_leaves_the_keys_of_rows_as_they_were(pair):
    row = compile_key(PriceKey(*pair))[-1]
    later = [leaf for leaf in LEAVES if leaf.is_added_later]
    assert [leaf.name for leaf in later] == ["cache_write_30m", "cache_write_12h"]
    names = [name for name in row["fallback_leaves"] or () if name not in {leaf.name for leaf in later}]
    before = {name: value for name, value in row.items() if name not in {leaf.price_column for leaf in later}}
    before |= {"fallback_leaves": tuple(names) or None}
    del before["price_row_key"], row["price_row_key"]
    assert row_key(before) == row_key(row)
    assert row_key(row | {"cache_write_30m_price_usd": Decimal("0.000004"), "fallback_leaves": None}) != row_key(row)


def test_a_fee_per_request_is_paid_once_and_is_otherwise_zero():
    assert price(Usage(0, 0), NOON, "perplexity", "sonar").cost_usd == Decimal("0.012")
    assert compile_key(PriceKey("openai", "gpt-5"))[0]["billed_requests_price_usd"] == 0


def test_an_unknown_pair_has_one_row_without_prices():
    (row,) = compile_key(PriceKey("acme", "no-such-model"))
    assert row["resolution"] == "unknown"
    assert {row[leaf.price_column] for leaf in LEAVES} == {None}
    assert price(Usage(1, 1), NOON, "acme", "no-such-model").status == "unpriced"


def test_something_used_without_a_price_leaves_the_cost_unknown():
    priced = price(Usage(10, 0, web_searches=1), NOON, "anthropic", "claude-3-haiku")
    assert (priced.cost_usd, priced.status) == (None, "unpriced")
    assert priced.parts["uncached_input"] == usd(10, "0.25")


def test_an_embedding_has_no_output_to_miss_and_a_chat_has():
    assert price(Usage(1000), NOON, "openai", "text-embedding-3-small").cost_usd == usd(1000, "0.02")
    assert price(Usage(1000), NOON, "openai", "gpt-5").status == "no_usage"
    assert price(Usage(), NOON, "openai", "gpt-5").status == "no_usage"


def test_other_units_are_priced_at_the_nearest_rate():
    usage = Usage(0, 100, other={"output_citation_tokens": 40})
    assert price(usage, NOON, "openai", "gpt-5").cost_usd == usd(60, 10) + usd(40, 10)


def test_free_editions_cost_zero_and_models_without_prices_are_unpriced():
    assert price(Usage(10, 10), NOON, "openrouter", "deepseek/deepseek-chat:free").cost_usd == 0
    assert price(Usage(10, 10), NOON, "github-copilot", "gpt-4o").cost_usd == 0  # "included in the subscription"
    assert price(Usage(10, 10), NOON, "cerebras", "qwen-3-coder-480b").status == "unpriced"


def test_a_billed_minimum_is_not_priced_too_low():
    usage = Usage(other={"audio_seconds": 3, "input_audio_seconds": 3})
    assert price(usage, NOON, "groq", "whisper-large-v3").status == "unpriced"


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("google", "gemini/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("anthropic", "anthropic/claude-3-7-sonnet-20250219", "anthropic/claude-3-7-sonnet-latest"),
        ("openrouter", "openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("fireworks", "fireworks_ai/accounts/fireworks/models/gpt-oss-120b", "fireworks/gpt-oss-120b"),
        ("fireworks_ai", "accounts/fireworks/models/gpt-oss-120b", "fireworks/gpt-oss-120b"),
        (
            "aws",
            "bedrock/us.anthropic.claude-3-5-haiku-20241022-v1:0",
            "aws/regional.anthropic.claude-3-5-haiku-20241022-v1:0",
        ),
        ("x-ai", "xai/grok-4", "x-ai/grok-4-0709"),
        ("azure", "openai/gpt-5", "azure/gpt-5"),
        ("unknown", "openai/gpt-5", "openai/gpt-5"),
        ("litellm", "gpt-5", "openai/gpt-5"),
    ],
)
def test_names_are_found(provider, model, found):
    resolved = resolve(provider, model)
    assert f"{resolved.provider.id}/{resolved.model.id}" == found


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openrouter", "openrouter/REDACTED"),
        ("unknown", "None"),
        ("unknown", "cohere_chat/REDACTED"),
        ("litellm", "ollama/llama3.3"),
        ("google", "gemini/gemini-exp-1114"),
        ("google", "gemini/gemini-1.5-flash-8b"),  # the library's clause says gemini-1.5-flash, at twice the price
        ("deepseek", "deepseek-r1-distill-qwen-32b"),
        ("anthropic", "claude-opus-4.8-fast"),
        ("vllm", "google/gemma-2-27b-it"),  # self-hosted: Google bills nothing
        ("openai", ""),
    ],
)
def test_names_are_not_found_by_accident(provider, model):
    assert resolve(provider, model) is None


def test_variants_of_a_lender_do_not_apply_to_who_resells_it():
    assert resolve("azure", "gpt-5-pro").is_borrowed
    assert price(Usage(1000, 0), NOON, "azure", "gpt-5-pro", "batch").cost_usd == usd(1000, 15)
    assert price(Usage(1000, 0), NOON, "openai", "gpt-5-pro", "batch").cost_usd == usd(1000, "7.5")


def test_suggestions_name_the_nearest_models_and_never_price():
    (nearest, *_) = suggest("google", "gemini/gemini-1.5-flash-8b")
    assert str(nearest) == "google/gemini-flash-1.5-8b (same model, same provider)"
    assert len(suggest("openai", "gpt-5-minni", limit=2)) == 2
    assert suggest("unknown", "None") == []
    assert compile_key(PriceKey("google", "gemini-1.5-flash-8b"))[0]["suggestions"][0] == str(nearest)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([*CATALOGUE, ("acme", "unknown-model")]),
    st.sampled_from([None, "batch"]),
    st.sampled_from([None, "priority", "flex", "default"]),
)
def test_the_rows_of_a_key_are_disjoint_and_cover_everything(pair, processing, service_tier):
    rows = compile_key(PriceKey(*pair, processing, service_tier))
    assert len({(row["price_row_key"], row["valid_from"]) for row in rows}) == len(rows)
    for instant in _corners(rows, "valid_from", datetime(2000, 1, 1, tzinfo=UTC)):
        for second in _corners(rows, "day_second_from", DAY_SECONDS - 1):
            for tokens in _corners(rows, "input_tokens_from", 10**9):
                moment = instant.replace(hour=second // 3600, minute=second // 60 % 60, second=second % 60, tzinfo=UTC)
                row_at(rows, moment, tokens)  # fails unless exactly one row holds


def _corners(rows, column, beyond):
    return {beyond, *(row[column] for row in rows if row[column] is not None)}


def test_every_row_is_a_proper_interval():
    for row in compile_key(PriceKey("deepseek", "deepseek-v4-flash")):
        assert all(row[start] is None or row[end] is None or row[start] < row[end] for start, end in AXES)
