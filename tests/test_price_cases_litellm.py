"""What LiteLLM computes, from its own rates written as overrides: by the reference price, and by the warehouse."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
import yaml

from pricing.overrides import load_overrides
from pricing.reference import price
from pricing.units import Usage
from tests.conftest import SHARED
from tests.litellm_rates import entries, location_of, scope_of
from tests.pipeline import event, pipeline_at

FILE = SHARED / "data" / "price_cases_litellm_sample.jsonl"

# case id -> why no override can say what LiteLLM computes
CANNOT: dict[str, str] = {}
HIGHEST_SHARE_THAT_CANNOT = 0.005

# Inclusive counts as a native event names them.
FIELDS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_tokens": "cacheReadTokens",
    "cache_write_tokens": "cacheWriteTokens",
    "cache_write_1h_tokens": "cacheWrite1hTokens",
    "reasoning_tokens": "reasoningTokens",
    "input_audio_tokens": "inputAudioTokens",
    "cache_audio_read_tokens": "cacheAudioReadTokens",
    "output_audio_tokens": "outputAudioTokens",
    "input_image_tokens": "inputImageTokens",
    "output_image_tokens": "outputImageTokens",
}
SCOPE_FIELDS = {"processing": "processing", "service_tier": "serviceTier", "region": "region"}


@cache
def cases() -> list[dict]:
    return [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []


def model_of(case: dict) -> str:
    """Models differ in their rates between cases: each case has a model of its own."""
    return f"{case['model_ref']}#{case['case_id']}"


def usage_of(case: dict) -> dict[str, int]:
    counts = dict(case["usage"])
    counts.pop("cache_write_5m_tokens", None)  # in the sum of writes
    reasoning = counts.pop("output_reasoning_tokens", None)
    return counts if reasoning is None else counts | {"reasoning_tokens": reasoning}


def write_overrides(folder: Path, chosen: list[dict]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    prices = [
        entry
        for case in chosen
        for entry in entries(case["provider"], model_of(case), case["rates_per_token"], location_of(case))
    ]
    (folder / "litellm.yml").write_text(yaml.safe_dump({"prices": prices}, sort_keys=False))
    return folder


def differences(costs: dict[str, Decimal | None]) -> list[str]:
    return [
        f"{case['case_id']}: LiteLLM {case['expected']['total_usd']}, priced {costs.get(case['case_id'])}"
        for case in cases()
        if case["case_id"] not in CANNOT and not agrees(case, costs.get(case["case_id"]))
    ]


def agrees(case: dict, cost: Decimal | None) -> bool:
    expected = Decimal(repr(case["expected"]["total_usd"]))
    return cost is not None and abs(cost - expected) <= Decimal(repr(case["tolerance_usd"]))


def test_hardly_any_case_is_left_out(shared_data):
    assert len(CANNOT) <= HIGHEST_SHARE_THAT_CANNOT * len(cases())
    assert CANNOT.keys() <= {case["case_id"] for case in cases()}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["case_id"])
def test_the_reference_price_is_litellms(case, tmp_path):
    if case["case_id"] in CANNOT:
        pytest.skip(CANNOT[case["case_id"]])
    overrides = load_overrides(write_overrides(tmp_path / "prices", [case]))
    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    priced = price(Usage(**usage_of(case)), at, case["provider"], model_of(case), **scope_of(case), overrides=overrides)
    assert agrees(case, priced.cost_usd), (priced.cost_usd, case["expected"])


# What the recorded cases hardly have: USD per token of a made-up model, and what a count of each kind must cost.
MADE_UP = {
    "input_cost_per_token": 3e-6,
    "input_cost_per_token_above_200k_tokens": 6e-6,
    "input_cost_per_token_priority": 4e-6,
    "input_cost_per_token_ultrafast": 9e-6,
    "input_cost_per_token_batches": 1.5e-6,
    "output_cost_per_token": 15e-6,
    "output_cost_per_reasoning_token": 10e-6,
    "cache_read_input_token_cost": 0.3e-6,
    "cache_read_input_token_cost_above_200k_tokens_priority": 0.8e-6,
    "cache_creation_input_token_cost": 3.75e-6,
    "cache_creation_input_token_cost_above_1hr": 6e-6,
    "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 12e-6,
    "input_cost_per_audio_token": 7e-6,
    "input_cost_per_image_token": 2e-6,
}


@pytest.mark.parametrize(
    ("scope", "usage", "per_million"),
    [
        ({}, {"input_tokens": 1000, "cache_write_tokens": 1000, "cache_write_1h_tokens": 400}, [(600, 3.75), (400, 6)]),
        ({}, {"input_tokens": 200_001, "cache_write_tokens": 1, "cache_write_1h_tokens": 1}, [(200_000, 6), (1, 12)]),
        (
            {},
            {"input_tokens": 1000, "input_audio_tokens": 200, "input_image_tokens": 300},
            [(500, 3), (200, 7), (300, 2)],
        ),
        ({}, {"output_tokens": 1000, "input_tokens": 0, "reasoning_tokens": 400}, [(600, 15), (400, 10)]),
        ({"service_tier": "ultrafast"}, {"input_tokens": 1000, "cache_read_tokens": 400}, [(600, 9), (400, 0.3)]),
        ({"service_tier": "ultrafast"}, {"input_tokens": 200_001}, [(200_001, 6)]),  # the standard tier outranks it
        ({"service_tier": "priority"}, {"input_tokens": 200_001, "cache_read_tokens": 1}, [(200_000, 6), (1, 0.8)]),
        ({"processing": "batch"}, {"input_tokens": 1000, "cache_read_tokens": 400}, [(1000, 1.5)]),
        ({"processing": "batch"}, {"input_tokens": 0, "output_tokens": 10, "reasoning_tokens": 4}, [(10, 7.5)]),
    ],
)
def test_every_kind_of_litellm_key_is_translated(tmp_path, usd, scope, usage, per_million):
    folder = tmp_path / "prices"
    folder.mkdir(parents=True)
    prices = entries("acme", "made-up", MADE_UP, location=None)
    (folder / "acme.yml").write_text(yaml.safe_dump({"prices": prices}))
    at = datetime(2026, 11, 20, tzinfo=UTC)
    counts = Usage(**{"output_tokens": 0} | usage)
    priced = price(counts, at, "acme", "made-up", **scope, overrides=load_overrides(folder))
    assert priced.cost_usd == sum(usd(count, per_million=rate) for count, rate in per_million)


def test_the_warehouse_price_is_litellms(shared_data, tmp_path):
    pipeline = pipeline_at(tmp_path / "data")
    write_overrides(pipeline.settings.overrides, cases())
    pipeline.land("litellm.jsonl", [event_of(case) for case in cases()])
    pipeline.price()
    costs = dict(pipeline.inside("select request_id, cost_usd from marts.fct_attempts"))
    assert len(costs) == len(cases())
    assert not differences(costs)


def event_of(case: dict) -> dict:
    counts = {FIELDS[name]: count for name, count in usage_of(case).items()}
    scope = {SCOPE_FIELDS[name]: value for name, value in scope_of(case).items()}
    return event(case["case_id"], provider=case["provider"], model=model_of(case)) | counts | scope
