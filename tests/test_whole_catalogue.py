"""Every model of the catalogue compiles, and random usages of each cost the same three times: by the catalogue's own
calculator, by the reference in Decimal, and by the warehouse's SQL.
"""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random

from genai_prices.data_snapshot import get_snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing.catalogue import MINIMUM_BILLED, _clauses, compile_catalogue, context_of, resolve
from pricing.reference import COST_SCALE, leaf_cost, row_at
from pricing.rows import PriceKey, Row
from pricing.units import LEAVES, Usage, leaves_from
from tests.pipeline import Pipeline
from tests.test_pricing_reference import _for_the_library, _inclusive

MODELS = [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]


MATCHES = {(provider.id, model.id): model.match for provider in get_snapshot().providers for model in provider.models}


def name_of(provider: str, model: str) -> str | None:
    """A name that resolves to a model: its id, or a literal of the clauses by which the catalogue knows it."""
    literals = [next(iter(vars(clause).values())) for clause in _clauses(MATCHES[provider, model])]
    for name in (model, *(literal for literal in literals if isinstance(literal, str))):
        found = resolve(provider, name)
        if found and (found.provider.id, found.model.id) == (provider, model):
            return name
    return None


REACHABLE = [(pair[0], name) for pair in MODELS if (name := name_of(*pair))]
USAGES_EACH = 10
# Days on which prices begin, and their eves.
DAYS = [
    datetime.fromisoformat(f"{day}T00:00:00+00:00")
    for day in (
        *("2025-06-15", "2026-03-13", "2026-07-29", "2026-07-30", "2026-08-21", "2026-10-13", "2026-10-14"),
        *("2026-10-18", "2026-10-19", "2026-11-03", "2026-11-09", "2026-11-20", "2027-01-01"),
    )
]
CONTEXTS = [(None, None)] * 3 + [
    ("batch", None),
    (None, "priority"),
    (None, "flex"),
    (None, "default"),
    ("batch", "flex"),
]
SIZES = (0, 1, 50, 5_000, 31_999, 127_999, 128_000, 128_001, 199_999, 200_000, 200_001, 271_999, 272_000, 272_001)


@cache
def rows_of(key: PriceKey) -> list[Row]:
    from pricing.compiler import compile_key

    return compile_key(key)


def random_usage(dice: Random, pair: tuple[str, str]) -> tuple[PriceKey, datetime, Usage]:
    """A call of a model that uses nothing but what has a price at that instant."""
    key = PriceKey(*pair, *dice.choice(CONTEXTS))
    at = dice.choice(DAYS) + timedelta(seconds=dice.choice([0, 1, 86_399, dice.randrange(86_400)]))
    size = max(0, dice.choice(SIZES) + dice.choice([0, 0, dice.randrange(900)]))
    tokens = [leaf.name for leaf in LEAVES if leaf.kind == "tokens"]
    counts = {name: dice.choice([0, 0, 1, dice.randrange(2_000)]) for name in tokens}
    counts["uncached_input"], counts["text_output"] = size, dice.choice([0, 1, 211, dice.randrange(9_000)])
    searches = dice.choice([0, 0, 1, 3])
    while True:
        # what has no price costs nothing there and is unpriced here: it is left out, which may move the tier
        usage = _inclusive(counts, searches)
        row = row_at(rows_of(key), at, usage.total_input_tokens or 0)
        bare = {name for name, count in counts.items() if count and row[f"{name}_price_usd"] is None}
        if not bare and (not searches or row["web_searches_price_usd"] is not None):
            return key, at, usage
        counts |= dict.fromkeys(bare, 0)
        searches = searches if row["web_searches_price_usd"] is not None else 0


def by_reference(key: PriceKey, at: datetime, usage: Usage) -> Decimal:
    row, leaves = row_at(rows_of(key), at, usage.total_input_tokens or 0), leaves_from(usage)
    parts = [(leaves[leaf.name], row[leaf.price_column]) for leaf in LEAVES]
    return sum((leaf_cost(count, rate) for count, rate in parts if count and rate), Decimal(0))


def by_library(key: PriceKey, at: datetime, usage: Usage) -> Decimal:
    found = resolve(key.provider, key.model)
    context = {} if found.is_borrowed else context_of(key)
    theirs = found.model.calc_price(
        _for_the_library(usage), found.provider, genai_request_timestamp=at, price_context=context
    )
    return theirs.total_price


def is_corrected(key: PriceKey, at: datetime, usage: Usage) -> bool:
    """Whether a correction that ships with us says what the library does not know: test_corrections.py has its arithmetic."""
    return "pricing/corrections" in row_at(rows_of(key), at, usage.total_input_tokens or 0)["source"]


def world(seed: int) -> list[tuple[PriceKey, datetime, Usage]]:
    return [random_usage(Random(f"{seed} {pair}"), pair) for pair in REACHABLE]


@cache
def calls() -> list[tuple[PriceKey, datetime, Usage]]:
    return [call for seed in range(USAGES_EACH) for call in world(seed)]


def land(pipeline: Pipeline) -> None:
    """Every usage of every model as a native event."""
    pipeline.land("everything.jsonl", [_event(number, *call) for number, call in enumerate(calls())], "2026-11-20")


def _event(number: int, key: PriceKey, at: datetime, usage: Usage) -> dict:
    counts = {name: count for name, count in asdict(usage).items() if name != "other" and count}
    return {
        "externalRequestId": f"catalogue-{number}",
        "occurredAt": at.astimezone(UTC).isoformat(),
        "provider": key.provider,
        "model": key.model,
        "status": "success",
        "processing": key.processing,
        "serviceTier": key.service_tier,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
    } | {_camel(name): count for name, count in counts.items() if name not in ("input_tokens", "output_tokens")}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def test_the_whole_catalogue_compiles():
    rows = [*compile_catalogue()]
    assert {(row["price_provider_id"], row["price_model_id"]) for row in rows} == set(MODELS)
    assert len(rows) > len(MODELS)


def test_models_without_any_price_are_free_or_listed_here():
    """The catalogue lists these and gives no price: unknown, where the library's calculator says 0. 0.4 % of models."""
    resolved = [(pair, rows_of(PriceKey(pair[0], name))) for pair in MODELS if (name := name_of(*pair))]
    bare = {
        pair for pair, rows in resolved if all(row[leaf.price_column] is None for row in rows for leaf in LEAVES[:-1])
    }
    assert {
        pair for pair in bare if not any(row["other_prices"] for row in rows_of(PriceKey(pair[0], name_of(*pair))))
    } == {
        ("cerebras", "qwen-3-coder-480b"),
        ("groq", "whisper-large-v3"),  # bills at least 10 seconds a call
        ("groq", "whisper-large-v3-turbo"),
        ("huggingface_together", "ServiceNow-AI/Apriel-1.6-15b-Thinker"),
        ("huggingface_together", "prism-ml/Ternary-Bonsai-27B-AWQ-4bit"),
        ("huggingface_together", "prism-ml/Ternary-Bonsai-27B-gguf"),
        ("openrouter", "google/lyria-3-clip-preview"),
        ("openrouter", "google/lyria-3-pro-preview"),
        ("openrouter", "stealth/crouton-alpha"),
    }


def test_every_model_can_be_meant_by_a_name():
    assert [pair for pair in MODELS if name_of(*pair) is None] == []


@settings(max_examples=USAGES_EACH, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck])
@given(st.integers(0, 10**9))
def test_the_reference_is_the_librarys_own_calculation(seed):
    differing = {
        call[0].provider + "/" + call[0].model
        for call in world(seed)
        if (call[0].provider, call[0].model) not in MINIMUM_BILLED
        and not is_corrected(*call)
        and abs(by_reference(*call) - by_library(*call)) > COST_SCALE * len(LEAVES) / 2
    }
    assert differing == set()


def test_the_warehouse_is_the_reference_to_the_last_digit(priced_calls):
    ours = "select request_id, cost_usd from marts.fct_attempts where request_id like 'catalogue-%'"
    booked = dict(priced_calls.inside(ours))
    assert len(booked) == len(calls()) == USAGES_EACH * len(REACHABLE)
    differing = [
        f"{call[0]} at {call[1]:%Y-%m-%d}: {booked[name]} is not {cost}"
        for number, call in enumerate(calls())
        if booked[name := f"catalogue-{number}"] != (cost := by_reference(*call))
    ]
    assert differing == []


def test_each_leafs_cost_adds_up_to_the_attempts(priced_calls):
    total = " + ".join(leaf.cost_column for leaf in LEAVES)
    wrong = f"select count(*) from marts.fct_attempts where {total} + other_cost_usd <> cost_usd"
    assert priced_calls.inside(wrong) == [(0,)]
