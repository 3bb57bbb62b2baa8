"""Providers' own usage payloads: normalised to inclusive counts, priced, and landed under `usage.raw`."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pricing.reference import price
from pricing.units import Usage
from pricing.usage import normalise
from tests.pipeline import Pipeline, event

CASES = Path(__file__).parents[2] / "shared" / "data" / "provider_usage_cases_sample.jsonl"
WHERE = "recorded payloads are not part of the repository"


# The library leaves the compaction out, 55,196 tokens in and 125 out, which is billed: see below.
COMPACTED = "nu-00220"


def cases() -> list[dict]:
    if not CASES.exists():
        pytest.skip(f"{CASES} is not here: {WHERE}.")
    found = (json.loads(line) for line in CASES.read_text().splitlines())
    return [case for case in found if case["case_id"] != COMPACTED]


# The catalogue lists the model and gives no price: that is unknown here, and 0 to the library's calculator.
LISTED_WITHOUT_A_PRICE = {("cerebras", "qwen-3-coder-480b")}


def cost_of(case: dict) -> Decimal | None:
    if not case["expected"] or (case["provider"], case["model_ref"]) in LISTED_WITHOUT_A_PRICE:
        return None
    return Decimal(case["expected"]["total_usd"])


def model_of(case: dict) -> str:
    return case["model_ref"] or "not-named"


def test_recorded_payloads_become_the_expected_counts():
    differing = []
    for case in cases():
        usage = normalise(case["provider"], case["native_response_subset"], case["api_flavor"]).usage
        ours = {
            name: count for name, count in vars(usage).items() if count and name not in ("other", "total_tokens")
        } | usage.other
        if "reasoning_tokens" in ours:
            ours["output_reasoning_tokens"] = ours.pop("reasoning_tokens")
        expected = {
            name: count
            for name, count in case["normalized_usage_inclusive"].items()
            if count and "text" not in name and name != "cache_write_5m_tokens"
        }
        if ours != expected:
            differing.append((case["case_id"], ours, expected))
    assert differing == []


def test_recorded_payloads_cost_what_was_expected():
    differing = []
    for case in cases():
        usage = normalise(case["provider"], case["native_response_subset"], case["api_flavor"]).usage
        cost = price(usage, datetime.fromisoformat(case["priced_at"]), case["provider"], model_of(case)).cost_usd
        expected = cost_of(case)
        if cost != expected:
            differing.append((case["case_id"], cost, expected))
    assert differing == []


def land(pipeline: Pipeline) -> None:
    lines = [
        {
            "externalRequestId": case["case_id"],
            "occurredAt": case["priced_at"],
            "provider": case["provider"],
            "model": model_of(case),
            "status": "success",
            "usage": {"raw": case["native_response_subset"], "apiFlavor": case["api_flavor"]},
        }
        for case in (cases() if CASES.exists() else [])
    ]
    pipeline.land("payloads.jsonl", lines)
    pipeline.land("own.jsonl", [OPENAI, CONFLICT, UNREADABLE, NESTED, CACHED_VIDEO, TEXT, TOO_MANY])
    pipeline.land("words.jsonl", [FAST, BATCH, COMPACTED_CALL, ADVISED])


SMALL = {"input_tokens": 1_000, "output_tokens": 200}
RAW_OPENAI = {
    "prompt_tokens": 1_000,
    "completion_tokens": 300,
    "prompt_tokens_details": {"cached_tokens": 600},
    "completion_tokens_details": {"reasoning_tokens": 100},
}
NO_COUNTS = {"inputTokens": None, "outputTokens": None}
GPT5 = {"provider": "openai", "model": "gpt-5"}
OPENAI = event("own-openai", **GPT5, **NO_COUNTS, usage={"raw": RAW_OPENAI}, metadata={"keep": "me"})
CONFLICT = event("own-conflict", **GPT5, usage={"raw": RAW_OPENAI}) | {"inputTokens": 5, "outputTokens": 300}
UNREADABLE = event("own-unreadable", provider="vllm", model="m", usage={"raw": {"tokens": 1}})
NESTED = event("own-nested", usage={"audio_seconds": 10, "input_audio_seconds": 4})
CACHED_VIDEO = event("own-video", cacheReadTokens=800, inputVideoTokens=700, usage={"cache_video_read_tokens": 600})
TEXT = event("own-text", usage={"input_text_tokens": 1_000, "output_text_tokens": 200})
TOO_MANY = event("own-too-many", cacheReadTokens=900, usage={"input_tool_tokens": 200})
MESSAGE = {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000, "cache_read_input_tokens": 5}
COMPACTION = {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500, "cache_read_input_tokens": 7}
ADVISOR = {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 9, "output_tokens": 9}
ANSWER = {"input_tokens": 23_000, "output_tokens": 1_000, "cache_read_input_tokens": 5}
FAST = event("own-fast", **NO_COUNTS, usage={"raw": SMALL | {"speed": "fast", "service_tier": "standard"}})
FAST["model"] = "claude-opus-5"
BATCH = event("own-batch", **NO_COUNTS, usage={"raw": SMALL | {"service_tier": "batch"}})
COMPACTED_CALL = event("own-compacted", **NO_COUNTS, usage={"raw": ANSWER | {"iterations": [COMPACTION, MESSAGE]}})
ADVISED = event("own-advised", **NO_COUNTS, usage={"raw": ANSWER | {"iterations": [MESSAGE, ADVISOR]}})


def test_recorded_payloads_cost_the_same_when_they_land(priced_calls):
    booked = dict(
        priced_calls.inside("select request_id, cost_usd from marts.fct_attempts where request_id not like 'own-%'")
    )
    expected = {case["case_id"]: cost_of(case) for case in cases()}
    assert {name for name in expected if booked.get(name, "not loaded") != expected[name]} == set()


def test_payloads_without_a_price_are_queued(priced_calls):
    unpriced = {(case["provider"], model_of(case)) for case in cases() if cost_of(case) is None}
    assert unpriced
    queued = priced_calls.inside("select provider, model from marts.unpriced_models where status = 'open'")
    assert unpriced <= set(queued)


def test_a_payload_becomes_leaves_and_stays_out_of_the_raw_zone(priced_calls, usd):
    columns = "uncached_input_tokens, cached_input_tokens, text_output_tokens, reasoning_tokens, cost_usd, metadata"
    [row] = priced_calls.inside(f"select {columns} from marts.fct_attempts where request_id = 'own-openai'")
    cost = usd(400, "1.25") + usd(600, "0.125") + usd(300, 10)
    assert row == (400, 600, 200, 100, cost, '{"keep":"me"}')


def test_what_contradicts_or_cannot_be_read_is_rejected_with_a_sentence(priced_calls):
    rejected = dict(priced_calls.inside("select line, reason_code || ': ' || message from marts.rejected_events"))
    by_id = {json.loads(line)["externalRequestId"]: reason for line, reason in rejected.items()}
    assert "bad_value: inputTokens is 5, but usage.raw says 1000: send one of them" in by_id["own-conflict"]
    assert (
        "bad_value: usage.raw of provider 'vllm' cannot be read: send the counts as fields" in by_id["own-unreadable"]
    )
    assert "parts_exceed_total: input_tokens is 1000, less than its parts together" in by_id["own-too-many"]
    assert len(by_id) == 3


def test_other_units_are_counted_once(priced_calls):
    columns = "other_usage, uncached_input_tokens, cached_input_tokens, input_video_tokens, text_output_tokens"
    rows = {row[0]: row[1:] for row in priced_calls.inside(f"select request_id, {columns} from marts.fct_attempts")}
    assert rows["own-nested"] == ('{"audio_seconds":6,"input_audio_seconds":4}', 1_000, 0, 0, 200)
    # 1,000 input: 800 from the cache, 600 of these video; 100 video besides; 100 plain
    assert rows["own-video"] == ('{"cache_video_read_tokens":600}', 100, 200, 100, 200)
    assert rows["own-text"] == (None, 1_000, 0, 0, 200)


@pytest.mark.parametrize(
    ("provider", "payload", "expected"),
    [
        ("openai", RAW_OPENAI, Usage(1_000, 300, cache_read_tokens=600, reasoning_tokens=100)),
        (
            "openai",
            {"input_tokens": 50, "output_tokens": 81, "input_tokens_details": {"cached_tokens": 8}},
            Usage(50, 81, cache_read_tokens=8),
        ),
        (
            "anthropic",
            {
                "input_tokens": 3,
                "output_tokens": 550,
                "cache_read_input_tokens": 10,
                "cache_creation_input_tokens": 12_304,
                "cache_creation": {"ephemeral_5m_input_tokens": 10_000, "ephemeral_1h_input_tokens": 2_304},
            },
            Usage(12_317, 550, cache_read_tokens=10, cache_write_tokens=12_304, cache_write_1h_tokens=2_304),
        ),
        (
            "google",
            {"usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20, "thoughtsTokenCount": 30}},
            Usage(100, 50, reasoning_tokens=30),
        ),
        (
            "aws",
            {"inputTokens": 64, "outputTokens": 4, "cacheWriteInputTokens": 36},
            Usage(100, 4, cache_write_tokens=36),
        ),
    ],
    ids=["openai chat", "openai responses", "anthropic", "google", "bedrock"],
)
def test_a_payload_says_what_it_says(provider, payload, expected):
    counts = {name: count for name, count in vars(normalise(provider, payload).usage).items() if count}
    assert counts == {name: count for name, count in vars(expected).items() if count}


@pytest.mark.parametrize(
    ("iterations", "counts", "is_partial"),
    [
        ([MESSAGE], (23_005, 1_000, 5), False),
        ([COMPACTION, MESSAGE], (203_012, 4_500, 12), False),
        ([COMPACTION, COMPACTION, MESSAGE | {"type": "message"}], (383_019, 8_000, 19), False),
        ([MESSAGE, ADVISOR], (23_005, 1_000, 5), True),  # at the prices of another model
        ([], (23_005, 1_000, 5), False),
        ([{"input_tokens": 5}, "?"], (23_005, 1_000, 5), True),
        (None, (23_005, 1_000, 5), False),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_every_billed_iteration_is_counted(iterations, counts, is_partial, wrapped):
    usage = ANSWER | {"iterations": iterations}
    payload = {"model": "claude-sonnet-4-5", "usage": usage} if wrapped else usage
    found = normalise("anthropic", payload)
    usage = found.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == counts
    assert found.is_partial is is_partial


def test_iterations_that_a_gateway_added_up_are_not_added_again():
    whole = {"input_tokens": 203_000, "output_tokens": 4_500, "iterations": [COMPACTION, MESSAGE]}
    usage = normalise("anthropic", whole).usage
    assert (usage.input_tokens, usage.output_tokens) == (203_012, 4_500)


@pytest.mark.parametrize(
    ("provider", "payload", "tier", "words"),
    [
        ("anthropic", {"speed": "fast", "service_tier": "standard"}, "standard", {"speed": "fast"}),
        (
            "anthropic",
            {"speed": None, "inference_geo": "us", "service_tier": "batch"},
            "batch",
            {"inference_geo": "us"},
        ),
        ("anthropic", {"inference_geo": "global"}, None, {}),
        ("anthropic", {"inference_geo": "not_available", "speed": ""}, None, {}),
        ("google", {"trafficType": "ON_DEMAND"}, None, {}),
        ("google", {"trafficType": "ON_DEMAND_FLEX"}, "flex", {}),
        ("google", {"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput", {}),
        ("google", {"serviceTier": "SERVICE_TIER_PRIORITY"}, "priority", {}),
        ("openai", {"service_tier": "Flex"}, "flex", {}),
        ("openrouter", {"is_byok": True}, None, {"is_byok": "true"}),
        ("perplexity", {"search_context_size": "low"}, None, {"search_context_size": "low"}),
    ],
)
@pytest.mark.parametrize("place", ["inside", "outside"])
def test_words_that_select_a_price_are_read_inside_and_outside_of_the_usage(provider, payload, tier, words, place):
    counts = {
        "anthropic": {"input_tokens": 1, "output_tokens": 1},
        "google": {"promptTokenCount": 1, "candidatesTokenCount": 1},
    }.get(provider, {"prompt_tokens": 1, "completion_tokens": 1})
    root = "usageMetadata" if provider == "google" else "usage"
    found = normalise(provider, {root: counts | payload} if place == "inside" else {root: counts, **payload})
    assert (found.service_tier, found.price_words) == (tier, words)


def test_the_tier_of_a_response_of_bedrock_is_an_object():
    counts = {"inputTokens": 1, "outputTokens": 1}
    payload = {"usage": counts, "serviceTier": {"type": "flex"}, "performanceConfig": {"latency": "optimized"}}
    found = normalise("aws", payload)
    assert (found.service_tier, found.price_words) == ("flex", {"latency": "optimized"})


@pytest.mark.parametrize(
    ("flavor", "model", "details", "images"),
    [
        ("images", "gpt-image-1.5", {}, 1_056),
        (None, "gpt-image-1.5-2025-12-16", {}, 1_056),
        ("images", "a-deployment", {}, 1_056),
        (None, "openai/chatgpt-image-latest", {}, 1_056),
        ("images", "gpt-image-1.5", {"output_tokens_details": {"text_tokens": 56, "image_tokens": 1_000}}, 1_000),
        ("images", "gpt-image-1.5", {"output_tokens_details": {"text_tokens": 1_056}}, None),
        (None, "gpt-5", {}, None),
    ],
)
def test_output_of_an_image_model_is_images(flavor, model, details, images):
    payload = {"input_tokens": 50, "output_tokens": 1_056, "total_tokens": 1_106, **details}
    assert normalise("openai", payload, flavor, model).usage.output_image_tokens == images


def test_a_total_that_has_the_reasoning_on_top_of_the_output():
    details = {"completion_tokens_details": {"reasoning_tokens": 600}}
    payload = {"prompt_tokens": 10_120, "completion_tokens": 1_499, "total_tokens": 12_219, **details}
    for provider in ("x-ai", "openai"):  # an endpoint that is like OpenAI's may count as xAI does
        usage = normalise(provider, payload).usage
        assert (usage.total_output_tokens, usage.reasoning_tokens) == (2_099, 600)


def test_words_and_iterations_of_a_payload_select_the_price_when_they_land(priced_calls, usd):
    columns = "price_variant, missing_variant, usage_source, input_tokens, cost_usd"
    rows = {row[0]: row[1:] for row in priced_calls.inside(f"select request_id, {columns} from marts.fct_attempts")}
    assert rows["own-fast"] == ("speed=fast", None, "provider", 1_000, usd(1_000, 10) + usd(200, 50))
    assert rows["own-batch"][0] == "processing=batch"
    assert rows["own-compacted"][2:4] == ("provider", 203_012)
    assert rows["own-advised"][2:4] == ("provider_partial", 23_005)


@pytest.mark.parametrize(
    ("provider", "payload", "flavor", "sentence"),
    [
        ("vllm", {}, None, "usage.raw of provider 'vllm' cannot be read: send the counts as fields"),
        ("openai", RAW_OPENAI, "fax", "usage.apiFlavor 'fax' is none of"),
        ("openai", 7, None, "usage.raw is no object"),
        ("openai", {"x": 1}, None, "usage.raw has no usage of openai"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(provider, payload, flavor, sentence):
    with pytest.raises(ValueError, match=sentence):
        normalise(provider, payload, flavor)
