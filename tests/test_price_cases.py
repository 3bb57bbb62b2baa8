"""Price cases that two independent engines computed, landed as native events and priced by the warehouse."""

import json
from decimal import Decimal

from tests.conftest import SHARED
from tests.pipeline import Pipeline
from tests.test_whole_catalogue import _camel

EXCEPTIONS: dict[str, str] = {}  # case id -> why the warehouse says otherwise: at most 0.5 % of cases


def read_cases() -> list[dict]:
    path = SHARED / "data" / "price_cases_sample.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def land(pipeline: Pipeline) -> None:
    pipeline.land("cases.jsonl", [_event(case) for case in read_cases()])


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


def test_every_case_costs_what_was_expected(priced_calls, shared_data):
    booked = dict(priced_calls.inside("select request_id, cost_usd from marts.fct_attempts"))
    expected = {case["case_id"]: round(Decimal(case["expected"]["total_usd"]), 12) for case in read_cases()}
    assert len(expected) > 100
    assert {name for name, cost in expected.items() if booked[name] != cost} == set(EXCEPTIONS)
    assert len(EXCEPTIONS) <= 0.005 * len(expected)
