"""Price cases that two independent engines computed, landed as native events and priced by the warehouse."""

import json
from decimal import Decimal

import pytest

from tests.pipeline import Pipeline, pipeline_at
from tests.test_whole_catalogue import _camel

EXCEPTIONS: dict[str, str] = {}  # case id -> why the warehouse says otherwise: at most 0.5 % of cases


@pytest.fixture(scope="module")
def cases(shared_data) -> list[dict]:
    return [json.loads(line) for line in (shared_data / "price_cases_sample.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def priced(tmp_path_factory, cases) -> Pipeline:
    pipeline = pipeline_at(tmp_path_factory.mktemp("cases") / "data")
    pipeline.land("cases.jsonl", [_event(case) for case in cases])
    pipeline.price()
    return pipeline


def _event(case: dict) -> dict:
    counts = {name: count for name, count in case["usage"].items() if name != "cache_write_5m_tokens"}
    counts["reasoning_tokens"] = counts.pop("output_reasoning_tokens", None)
    context = dict(case["price_context"])
    return {
        "externalRequestId": case["case_id"],
        "occurredAt": case["request_ts"],
        "provider": case["provider"],
        "model": case["model_ref"],
        "status": "success",
        "processing": context.pop("processing", None),
        "serviceTier": context.pop("service_tier", None),
        "priceContext": context,
    } | {_camel(name): count for name, count in counts.items()}


def test_every_case_costs_what_was_expected(priced, cases):
    booked = dict(priced.inside("select request_id, cost_usd from marts.fct_attempts"))
    assert len(booked) == len(cases)
    expected = {case["case_id"]: round(Decimal(case["expected"]["total_usd"]), 12) for case in cases}
    assert {name for name, cost in expected.items() if booked[name] != cost} == set(EXCEPTIONS)
    assert len(EXCEPTIONS) <= 0.005 * len(cases)
