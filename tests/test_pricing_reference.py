"""The reference price against what others computed: recorded cases, and the catalogue's own calculator."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from genai_prices import types
from genai_prices.data_units import unit_data
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pricing.catalogue import context_of, get_snapshot, resolve
from pricing.corrections import corrected_prices
from pricing.reference import leaf_cost, price
from pricing.rows import PriceKey
from pricing.units import LEAVES, UNIT_OF_COUNT, Usage

CASES = Path(__file__).parents[2] / "shared" / "data" / "price_cases_sample.jsonl"

# A model may be listed under an id that its own clauses do not match; no sender can mean it then.
REACHABLE = [
    (provider.id, model.id)
    for provider in get_snapshot().providers
    for model in provider.models
    if resolve(provider.id, model.id)
]


def test_recorded_cases_cost_what_was_expected():
    if not CASES.exists():
        pytest.skip(f"{CASES} is not here: the recorded price cases are not part of the repository.")
    differing = [
        f"{case['case_id']}: expected {case['expected']['total_usd']}, priced {cost}"
        for case in map(json.loads, CASES.read_text().splitlines())
        if (cost := _cost_of(case)) != Decimal(case["expected"]["total_usd"])
    ]
    assert not differing, "\n".join(differing)


def _cost_of(case: dict) -> Decimal | None:
    counts = {
        name: count for name, count in case["usage"].items() if name != "cache_write_5m_tokens"
    }  # in the sum of writes
    usage = Usage(reasoning_tokens=counts.pop("output_reasoning_tokens", None), **counts)
    context = dict(case["price_context"])
    return price(
        usage,
        datetime.fromisoformat(case["request_ts"]),
        case["provider"],
        case["model_ref"],
        processing=context.pop("processing", None),
        service_tier=context.pop("service_tier", None),
        price_context=context,
    ).cost_usd


COUNT = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 400_000))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(REACHABLE),
    st.integers(0, 3 * 365 * 86_400),
    st.sampled_from([None, "batch"]),
    st.sampled_from([None, None, "priority", "flex"]),
    st.fixed_dictionaries({leaf.name: COUNT for leaf in LEAVES if leaf.kind == "tokens"}),
    st.integers(0, 3),
)
def test_the_catalogues_own_calculator_agrees(pair, second, processing, service_tier, leaves, web_searches):
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    key = PriceKey(*pair, processing, service_tier)
    assume(not corrected_prices(*pair, context_of(key)))  # there the catalogue is wrong
    row = price(_inclusive(leaves, 0), at, *key).row
    assume("pricing/corrections" not in (row["source"] or ""))  # a name that meant another model then
    # what has no price costs nothing there and is unpriced here
    priced = {name: count for name, count in leaves.items() if row[f"{name}_price_usd"] is not None}
    usage = _inclusive(
        leaves | dict.fromkeys(leaves.keys() - priced.keys(), 0), web_searches if row["web_searches_price_usd"] else 0
    )
    ours = price(usage, at, *key)
    assert ours.status == "priced"

    resolved = resolve(*pair)
    theirs = resolved.model.calc_price(
        _for_the_library(usage), resolved.provider, genai_request_timestamp=at, price_context=context_of(key)
    )
    half_a_unit_per_part = Decimal("0.5e-12") * len(ours.parts)
    assert abs(ours.cost_usd - theirs.total_price) <= half_a_unit_per_part


def _inclusive(leaves: dict[str, int], web_searches: int) -> Usage:
    """Inclusive counts whose disjoint leaves are these."""
    counts = {
        leaf.column: leaves[leaf.name] + sum(leaves[part.name] for part in leaf.parts)
        for leaf in LEAVES
        if leaf.kind == "tokens"
    }
    return Usage(**counts, web_searches=web_searches)


def _for_the_library(usage: Usage) -> types.Usage:
    # it does not know our own units, which are a part of what it prices
    counts = {unit: getattr(usage, column) for column, unit in UNIT_OF_COUNT.items() if unit in unit_data}
    return types.Usage(**counts)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**13 - 1), st.integers(0, 10**20)), min_size=50, max_size=50))
def test_a_cost_part_is_what_the_engine_computes(pairs):
    priced = [(tokens, Decimal(units).scaleb(-18)) for tokens, units in pairs]
    with duckdb.connect() as engine:
        engine.execute("create table used (n INTEGER, tokens BIGINT, price_usd DECIMAL(23, 18))")
        engine.executemany("insert into used values (?, ?, ?)", [(n, *pair) for n, pair in enumerate(priced)])
        cost = "cast(tokens::DECIMAL(13, 0) * price_usd as DECIMAL(38, 12))"
        by_engine = [row[0] for row in engine.execute(f"select {cost} from used order by n").fetchall()]
    assert by_engine == [leaf_cost(*pair) for pair in priced]
