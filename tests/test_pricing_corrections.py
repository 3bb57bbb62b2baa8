"""What names and variants cost at the time: dated corrections that ship with us, over the catalogue and under overrides."""

from decimal import Decimal
from itertools import combinations

import pytest

from pricing import corrections
from pricing.catalogue import get_snapshot, resolve_over_time
from pricing.compiler import compile_key
from pricing.corrections import CorrectedPrice, MeantAlias, every_correction
from pricing.overrides import NO_OVERRIDES, OverrideError, load_overrides
from pricing.reference import price
from pricing.rows import PriceKey
from pricing.units import Usage
from pricing.versions import version_entry
from tests.pipeline import COSTS, WITHOUT_TESTS, event, pipeline_at
from tests.test_pricing_catalogue import at

USAGE = Usage(10_000, 1_000)
NAMES = [model.id for provider in get_snapshot().providers for model in provider.models]


def cost(day: str, provider: str, model: str, usage: Usage = USAGE, **variant):
    return price(usage, at(day if "T" in day else f"{day}T09:00:00"), provider, model, **variant)


# ---- names whose meaning moved: rates in USD per million input and output tokens ----


@pytest.mark.parametrize(
    ("day", "provider", "model", "rates"),
    [
        ("2025-10-01", "google", "gemini-flash-latest", ("0.3", "2.5")),
        ("2026-01-20T23:59:59", "google", "gemini-flash-latest", ("0.3", "2.5")),
        ("2026-01-21T00:00:00", "google", "gemini-flash-latest", ("0.5", 3)),
        ("2026-05-18T23:59:59", "google", "gemini-flash-latest", ("0.5", 3)),
        ("2026-06-10", "google", "gemini-flash-latest", ("1.5", 9)),
        ("2026-06-10", "google", "models/gemini-flash-latest", ("1.5", 9)),
        ("2026-06-10", "litellm", "gemini/gemini-flash-latest", ("1.5", 9)),
        ("2026-06-10", "vertex_ai", "Gemini-Flash-Latest", ("1.5", 9)),
        ("2026-11-20", "google", "gemini-flash-latest", ("0.75", "3.75")),
        ("2025-10-01", "google", "gemini-flash-lite-latest", ("0.1", "0.4")),
        ("2026-06-10", "google", "gemini-flash-lite-latest", ("0.25", "1.5")),
        ("2026-11-20", "google", "gemini-flash-lite-latest", ("0.3", "2.5")),
        ("2025-10-01", "google", "gemini-pro-latest", ("1.25", 10)),
        ("2026-02-01", "google", "gemini-pro-latest", (2, 12)),
        ("2025-11-01", "mistral", "mistral-large-latest", (2, 6)),
        ("2025-12-01T23:59:59", "mistral", "mistral-large-latest", (2, 6)),
        ("2025-12-02T00:00:00", "mistral", "mistral-large-latest", ("0.5", "1.5")),
        ("2026-03-10", "mistral", "mistral-large-latest", ("0.5", "1.5")),
        ("2026-03-10", "litellm", "mistral/mistral-large-latest", ("0.5", "1.5")),
        ("2026-11-20", "mistral", "mistral-large-2512", ("0.5", "1.5")),
        ("2025-03-01", "mistral", "mistral-medium-latest", ("2.7", "8.1")),
        ("2026-06-15", "mistral", "mistral-medium-latest", ("0.4", 2)),
        ("2026-06-16", "mistral", "mistral-medium-latest", ("1.5", "7.5")),
        ("2025-11-01", "mistral", "ministral-3b-latest", ("0.04", "0.04")),
        ("2026-01-01", "mistral", "ministral-3b-latest", ("0.1", "0.1")),
        ("2024-10-01", "mistral", "mistral-large-latest", (2, 6)),
        ("2024-10-01", "mistral", "mistral-small-latest", ("0.2", "0.6")),
        ("2024-10-01", "mistral", "codestral-latest", ("0.2", "0.6")),
        ("2025-06-01", "mistral", "codestral-latest", ("0.3", "0.9")),
        ("2026-05-15T18:59:59", "x-ai", "grok-4-1-fast", ("0.2", "0.5")),
        ("2025-01-15", "deepseek", "deepseek-chat", ("0.14", "0.28")),
        ("2025-02-08T15:59:59", "deepseek", "deepseek-chat", ("0.14", "0.28")),
        ("2025-02-08T16:00:00", "deepseek", "deepseek-chat", ("0.27", "1.1")),
        ("2025-02-20T20:00:00", "deepseek", "deepseek-chat", ("0.27", "1.1")),  # no off-peak hours yet
        ("2025-02-20T20:00:00", "deepseek", "deepseek-reasoner", ("0.55", "2.19")),
        ("2025-06-01T20:00:00", "deepseek", "deepseek-chat", ("0.135", "0.55")),
        ("2025-09-05T16:00:00", "deepseek", "deepseek-chat", ("0.56", "1.68")),
        ("2025-09-10T20:00:00", "deepseek", "deepseek-reasoner", ("0.56", "1.68")),
        ("2025-11-01T20:00:00", "deepseek", "deepseek-chat", ("0.28", "0.42")),
        ("2026-03-10", "deepseek", "deepseek-reasoner", ("0.28", "0.42")),
        ("2026-06-10T02:00:00", "deepseek", "deepseek-chat", ("0.14", "0.28")),  # no peak hours yet
        ("2026-06-10T02:00:00", "litellm", "deepseek/deepseek-reasoner", ("0.14", "0.28")),
        ("2024-09-01", "openai", "gpt-4o", (5, 15)),
        ("2024-10-02", "openai", "gpt-4o", ("2.5", 10)),
    ],
)
def test_a_name_costs_what_it_meant(day, provider, model, rates, usd):
    priced = cost(day, provider, model)
    assert priced.cost_usd == usd(10_000, rates[0]) + usd(1_000, rates[1])
    assert priced.row["approximate_reason"] is None


@pytest.mark.parametrize(
    ("day", "provider", "model"),
    [
        ("2026-08-01", "google", "gemini-flash-latest"),
        ("2025-01-01", "google", "gemini-flash-latest"),
        ("2026-03-15", "google", "gemini-flash-lite-latest"),
        ("2025-12-25", "google", "gemini-pro-latest"),
        ("2024-03-01", "mistral", "mistral-large-latest"),
        ("2025-09-29", "deepseek", "deepseek-chat"),
        ("2024-06-01", "deepseek", "deepseek-chat"),
        ("2026-11-20", "deepseek", "deepseek-chat"),
        ("2026-11-20", "x-ai", "grok-latest"),
        ("2026-05-15T19:00:00", "x-ai", "grok-4-1-fast"),  # served by another model
        ("2026-05-15T19:00:00", "x-ai", "xai/grok-4"),
        ("2026-10-08", "google", "gemini-3.5-flash"),
        ("2026-08-01", "google", "models/gemini-flash-latest"),
        ("2026-08-01", "litellm", "gemini/gemini-flash-latest"),
        ("2026-11-20", "openai", "chat-latest"),
        ("2026-11-20", "openrouter", "~anthropic/claude-opus-latest"),
    ],
)
def test_what_a_name_meant_is_called_unknown_where_nobody_wrote_it_down(day, provider, model):
    priced = cost(day, provider, model)
    assert (priced.status, priced.row["approximate_reason"]) == ("priced", "moving_name")


@pytest.mark.parametrize("model", ["claude-3-7-sonnet-latest", "claude-opus-5-latest", "claude-opus-5"])
def test_the_latest_of_one_version_is_certain(model):
    assert cost("2026-11-20", "anthropic", model).row["approximate_reason"] is None


# ---- variants ----


@pytest.mark.parametrize(
    ("day", "model", "size", "rates"),
    [
        ("2026-03-10", "claude-opus-4-6", 10_000, (30, 150)),
        ("2026-03-10", "claude-opus-4-6", 200_000, (30, 150)),
        ("2026-03-10", "claude-opus-4-6", 200_001, (60, 225)),
        ("2026-03-13", "claude-opus-4-6", 200_001, (30, 150)),
        ("2026-06-28", "claude-opus-4-6[1m]", 10_000, (30, 150)),
        ("2026-06-29", "claude-opus-4-6", 10_000, (5, 25)),  # served, and billed, at standard speed
        ("2026-06-01", "claude-opus-4-7", 10_000, (30, 150)),
        ("2026-11-20", "claude-opus-5", 10_000, (10, 50)),
    ],
)
@pytest.mark.parametrize("word", ["fast", "FAST"])
def test_fast_mode_costs_what_it_cost_then(day, model, size, rates, word, usd):
    priced = cost(day, "anthropic", model, Usage(size, 1_000), price_context={"speed": word})
    assert priced.cost_usd == usd(size, rates[0]) + usd(1_000, rates[1])
    assert (priced.row["variant"], priced.row["missing_variant"]) == ("speed=fast", None)


def test_fast_mode_has_its_own_cache_prices(usd):
    usage = Usage(1_000, 0, cache_read_tokens=400, cache_write_tokens=300, cache_write_1h_tokens=100)
    priced = cost("2026-04-01", "anthropic", "claude-opus-4-6", usage, price_context={"speed": "fast"})
    assert priced.cost_usd == usd(300, 30) + usd(400, 3) + usd(200, "37.5") + usd(100, 60)


@pytest.mark.parametrize(("day", "model"), [("2026-02-10", "claude-opus-4-6"), ("2026-08-01", "claude-opus-4-7")])
def test_fast_mode_without_a_price_is_not_passed_over(day, model):
    row = cost(day, "anthropic", model, price_context={"speed": "fast"}).row
    assert (row["variant"], row["missing_variant"]) == (None, "speed=fast")


@pytest.mark.parametrize(
    ("model", "rates", "fees"),
    [
        ("sonar", (1, 1), {"low": 5, "medium": 8, "high": 12}),
        ("sonar-pro", (3, 15), {"low": 6, "medium": 10, "high": 14}),
        ("sonar-reasoning", (1, 5), {"low": 5, "medium": 8, "HIGH": 12}),
        ("sonar-reasoning-pro", (2, 8), {"low": 6, "Medium": 10, "high": 14}),
    ],
)
def test_the_request_fee_goes_by_what_was_searched(model, rates, fees, usd):
    for size, fee in fees.items():
        priced = cost("2026-11-20", "perplexity", model, price_context={"search_context_size": size})
        assert priced.cost_usd == usd(10_000, rates[0]) + usd(1_000, rates[1]) + Decimal(fee) / 1_000
        assert priced.row["missing_variant"] is None
    camel = cost("2026-11-20", "perplexity", model, price_context={"searchContextSize": "low"})
    assert (
        camel.cost_usd == cost("2026-11-20", "perplexity", model, price_context={"search_context_size": "low"}).cost_usd
    )
    assert cost("2026-11-20", "perplexity", model).row["missing_variant"] == "search_context_size=unknown"


@pytest.mark.parametrize(
    ("model", "rate"),
    [("text-embedding-3-small", "0.01"), ("text-embedding-3-large", "0.065"), ("text-embedding-ada-002", "0.05")],
)
def test_embeddings_in_a_batch_cost_half(model, rate, usd):
    priced = cost("2026-11-20", "openai", model, Usage(1_000_000), processing="batch")
    assert (priced.cost_usd, priced.row["missing_variant"]) == (usd(1_000_000, rate), None)
    assert cost("2026-11-20", "openai", model, Usage(1_000_000)).cost_usd == 2 * priced.cost_usd


@pytest.mark.parametrize("tier", ["flex", "Flex", "FLEX", " flex "])
def test_a_tier_in_any_case_is_the_same_tier(tier, usd):
    priced = cost("2026-11-20", "openai", "gpt-5.6-sol", service_tier=tier)
    assert (priced.cost_usd, priced.row["variant"]) == (usd(10_000, 2) + usd(1_000, 10), "service_tier=flex")
    assert cost("2026-11-20", "openai", "gpt-5.6-sol", service_tier="Standard").row["missing_variant"] is None


# ---- with overrides ----

SIGNED = "source: order form, approved_by: finance@example.com, recorded_at: 2026-11-20"


def overriding(tmp_path, text: str):
    (tmp_path / "team.yml").write_text(text.replace("SIGNED", SIGNED))
    return load_overrides(tmp_path)


def test_a_teams_price_comes_before_a_correction(tmp_path, usd):
    text = """prices:
  - {provider: mistral, model: mistral-large-latest, from: 2026-01-01, SIGNED,
     per_million_tokens: {input_tokens: 1, output_tokens: 2}}
"""
    overrides = overriding(tmp_path, text)
    assert cost("2026-03-10", "mistral", "mistral-large-latest", overrides=overrides).cost_usd == (
        usd(10_000, 1) + usd(1_000, 2)
    )
    before = cost("2025-12-31", "mistral", "mistral-large-latest", overrides=overrides).cost_usd
    assert before == usd(10_000, "0.5") + usd(1_000, "1.5")


def test_a_discount_applies_to_a_corrected_price(tmp_path, usd):
    overrides = overriding(
        tmp_path, "prices:\n  - {provider: mistral, discount_factor: 0.5, from: 2025-01-01, SIGNED}\n"
    )
    for day, rates in (("2025-11-01", (2, 6)), ("2026-03-10", ("0.5", "1.5"))):
        priced = cost(day, "mistral", "mistral-large-latest", overrides=overrides)
        assert priced.cost_usd * 2 == usd(10_000, rates[0]) + usd(1_000, rates[1])


def test_an_alias_of_a_team_holds_between_its_dates(tmp_path, usd):
    text = """aliases:
  - {provider: gateway, model: our-best, to_provider: anthropic, to_model: claude-opus-5, to: 2026-11-10, SIGNED}
  - {provider: gateway, model: our-best, to_provider: openai, to_model: gpt-5, from: 2026-11-12, SIGNED}
"""
    overrides = overriding(tmp_path, text)
    assert cost("2026-11-09", "gateway", "our-best", overrides=overrides).cost_usd == usd(10_000, 5) + usd(1_000, 25)
    assert cost("2026-11-11", "gateway", "our-best", overrides=overrides).status == "unpriced"
    after = cost("2026-11-12T00:00:00", "gateway", "our-best", overrides=overrides)
    assert after.cost_usd == usd(10_000, "1.25") + usd(1_000, 10)


def test_a_team_says_what_a_moving_name_meant(tmp_path):
    text = "aliases:\n  - {provider: google, model: gemini-flash-latest, to_provider: google, to_model: gemini-3.6-flash, SIGNED}\n"
    priced = cost("2026-08-01", "google", "gemini-flash-latest", overrides=overriding(tmp_path, text))
    assert (priced.row["price_model_id"], priced.row["approximate_reason"]) == ("gemini-3.6-flash", None)


def test_two_aliases_of_a_name_may_not_overlap(tmp_path):
    text = """aliases:
  - {provider: gateway, model: best, to_provider: openai, to_model: gpt-5, from: 2026-01-01, to: 2026-11-13, SIGNED}
  - {provider: gateway, model: best, to_provider: openai, to_model: gpt-5.2, from: 2026-11-12, SIGNED}
"""
    with pytest.raises(OverrideError, match=r"alias 1 and .* alias 2 both name gateway/best"):
        overriding(tmp_path, text)


# ---- the files ----


def test_every_correction_is_about_something_that_the_catalogue_has():
    for place, each in every_correction():
        assert "https://" in each.source or "catalogue" in each.source, place
        if isinstance(each, MeantAlias):
            stretch = resolve_over_time(each.to_provider, each.to_model)[-1]
            assert stretch.resolved is not None, place
        else:
            assert set(each.model) <= set(NAMES), place
        if isinstance(each, CorrectedPrice):
            assert each.by_tier(), place


def test_no_two_corrections_of_one_thing_hold_at_one_time():
    for (place, one), (other_place, other) in combinations(every_correction(), 2):
        alike = (type(one), one.provider, getattr(one, "when", None)) == (
            type(other),
            other.provider,
            getattr(other, "when", None),
        )
        if alike and set(one.model) & set(other.model):
            first, second = sorted((one, other), key=lambda each: str(each.starts_at or ""))
            assert first.ends_at <= second.starts_at, (place, other_place)


def test_a_row_names_the_correction_and_its_source():
    sources = {row["source"] for row in compile_key(PriceKey("mistral", "mistral-large-latest"))}
    assert any("pricing/corrections/mistral.yml alias 2 (https://github.com/mistralai/" in source for source in sources)


def test_the_corrections_are_part_of_the_version(monkeypatch):
    before = version_entry(NO_OVERRIDES)["price_book_version"]
    monkeypatch.setattr(corrections, "content_hash", lambda: "another")
    assert version_entry(NO_OVERRIDES)["price_book_version"] != before


# ---- in the marts ----


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pipeline = pipeline_at(tmp_path_factory.mktemp("corrections") / "data")
    usage = {"inputTokens": 10_000, "outputTokens": 1_000}
    events = [
        event("moved", "2026-08-01T10:00:00Z", provider="google", model="gemini-flash-latest", **usage),
        event("meant", "2026-06-10T10:00:00Z", provider="google", model="gemini-flash-latest", **usage),
        event("batch", provider="mistral", model="mistral-large-2411", processing="batch", **usage),
        event(
            "both",
            "2024-06-10T10:00:00Z",
            provider="mistral",
            model="mistral-large-latest",
            processing="batch",
            **usage,
        ),
        event("unknown", provider="selfhosted", model="nobody-latest", processing="batch", **usage),
        event("plain", provider="openai", model="gpt-5", **usage),
    ]
    pipeline.land("e.jsonl", events)
    pipeline.build(*WITHOUT_TESTS, *COSTS)
    return pipeline


def test_an_attempt_says_whether_and_why_its_cost_is_approximate(built):
    rows = built.inside("select request_id, is_approximate, approximate_reason, pricing_status from marts.fct_attempts")
    assert {request: rest for request, *rest in rows} == {
        "moved": [True, "moving_name", "priced"],
        "meant": [False, None, "priced"],
        "batch": [True, "missing_variant", "priced"],
        "both": [True, "moving_name, missing_variant", "priced"],
        "unknown": [False, None, "unpriced"],
        "plain": [False, None, "priced"],
    }


@pytest.mark.parametrize("mart", ["endpoint", "prompt_version", "tenant", "user", "model", "feature"])
def test_every_cost_mart_says_how_much_of_it_is_approximate(built, mart, usd):
    (row,) = built.inside(
        f"""select sum(approximate_cost_usd), sum(approximate_attempts), sum(cost_usd), sum(attempts)
        from marts.cost_by_{mart}_daily"""
    )
    moved, batch = usd(10_000, "0.75") + usd(1_000, "3.75"), usd(10_000, 2) + usd(1_000, 6)
    meant, plain = usd(10_000, "1.5") + usd(1_000, 9), usd(10_000, "1.25") + usd(1_000, 10)
    assert row == (moved + 2 * batch, 3, moved + 2 * batch + meant + plain, 6)
