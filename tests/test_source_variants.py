"""Older conventions, missing parts and other forms of what gateways and tracers write: each gives the call that was billed."""

import base64
import csv
import gzip
import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing.checking import checked
from orchestration.landing.files import LandingFile
from tests.pipeline import pipeline_at

CLAUDE = {"input_tokens": 20012, "output_tokens": 450, "cache_read_tokens": 18000, "cache_write_tokens": 1800}
GPT = {"provider": "openai", "input_tokens": 1536, "output_tokens": 120}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """What a file of a source gives: its good rows, what is skipped by reason, and the reasons of what is refused."""
    root = tmp_path_factory.mktemp("variants")
    settings = pipeline_at(root / "data", threads=1).settings

    def judge(source: str, content, name: str = "x.jsonl") -> tuple[list[dict], dict, list[str]]:
        if not isinstance(content, bytes):
            content = "\n".join(json.dumps(one) for one in content).encode()
        path = root / name
        path.write_bytes(content)
        with checked(path, settings, source) as found:
            rows = found.database.execute("from good order by line_number, item").to_arrow_table().to_pylist()
            refused = [detail for each in found.refused for _, detail in each.reasons]
            return rows, dict(found.skips), refused

    return judge


def attributes(values: dict) -> list[dict]:
    """Attributes as OTLP writes them."""
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}

    def value(one):
        if isinstance(one, list):
            return {"arrayValue": {"values": [value(each) for each in one]}}
        return {kinds[type(one)]: str(one) if type(one) is int else one}

    return [{"key": key, "value": value(one)} for key, one in values.items()]


def traced(scope: str, values: dict, name: str = "span", kind: int = 3, **fields) -> dict:
    """One span, in a batch of its own."""
    span = {
        "traceId": "t1",
        "spanId": "s1",
        "name": name,
        "kind": kind,
        "attributes": attributes(values),
        "startTimeUnixNano": "1795851459552683000",
        "endTimeUnixNano": "1795851460113008000",
        "status": {},
    }
    scoped = {"scope": {"name": scope}, "spans": [span | fields]}
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scoped]}]}


def logged(values: dict, body: str) -> dict:
    """One log event, in a batch of its own."""
    record = {"timeUnixNano": "1795851459552683000", "body": {"stringValue": body}, "attributes": attributes(values)}
    scoped = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [record]}
    return {"resourceLogs": [{"resource": {"attributes": attributes({"team.id": "web"})}, "scopeLogs": [scoped]}]}


OF_A_CALL = "gen_ai.client.inference.operation.details"
COUNTED = {"gen_ai.usage.input_tokens": 1536, "gen_ai.usage.output_tokens": 120}
LEGACY = {"gen_ai.usage.prompt_tokens": 1536, "gen_ai.usage.completion_tokens": 120}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.id": "c1",
    **COUNTED,
}
MESSAGES = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.provider": "anthropic.messages",
    "ai.model.id": "claude-sonnet-4-5",
    "ai.usage.inputTokens": 212,
    "ai.usage.outputTokens": 450,
    "ai.usage.cachedInputTokens": 18000,
}
USAGE = {"cache_creation_input_tokens": 1800, "cache_creation": {"ephemeral_1h_input_tokens": 800}}
SPANS = {
    "OpenLLMetry 0.33": (
        traced(
            "opentelemetry.instrumentation.openai.v1",
            {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.response.model": "gpt-4o"} | LEGACY,
        ),
        GPT | {"model": "gpt-4o"},
    ),
    "OpenLLMetry 0.33, Anthropic": (
        traced(
            "opentelemetry.instrumentation.anthropic",
            {
                "llm.request.type": "completion",
                "gen_ai.system": "Anthropic",
                "gen_ai.request.model": "claude-3",
                "gen_ai.usage.prompt_tokens": 20012,
                "gen_ai.usage.completion_tokens": 450,
                "gen_ai.usage.cache_read_input_tokens": 18000,
                "gen_ai.usage.cache_creation_input_tokens": 1800,
            },
        ),
        CLAUDE | {"provider": "anthropic"},
    ),
    "a framework is no provider": (
        traced(
            "opentelemetry.instrumentation.langchain",
            {
                "llm.request.type": "chat",
                "gen_ai.system": "Langchain",
                "gen_ai.request.model": "gpt-4o",
                "traceloop.association.properties.ls_provider": "azure",
                **LEGACY,
            },
        ),
        GPT | {"provider": "azure"},
    ),
    "Vercel 5, Anthropic": (
        traced("ai", MESSAGES | {"ai.response.providerMetadata": json.dumps({"anthropic": {"usage": USAGE}})}),
        CLAUDE | {"input_tokens": 212, "token_convention": "exclusive", "cache_write_1h_tokens": 800},
    ),
    "Vercel 5, streamed": (
        traced(
            "ai",
            {
                "ai.operationId": "ai.streamText.doStream",
                "ai.model.provider": "xai.chat",
                "ai.model.id": "grok-4",
                "ai.usage.inputTokens": 1536,
                "ai.usage.reasoningTokens": 7,
                "ai.usage.outputTokens": 120,
                "ai.usage.cachedInputTokens": 1280,
            },
        ),
        GPT | {"provider": "x-ai", "cache_read_tokens": 1280, "reasoning_tokens": 7},
    ),
    "pydantic-ai 1": (
        traced(
            "pydantic-ai",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.details.cached_tokens": 1280,
                **COUNTED,
            },
        ),
        GPT | {"cache_read_tokens": 1280},
    ),
    "an agent of pydantic-ai 1": (traced("pydantic-ai", {"model_name": "gpt-4o"} | COUNTED), None),
    "LangChain in Langfuse: disjoint counts": (
        traced(
            "langfuse-sdk",
            {
                "langfuse.observation.type": "generation",
                "langfuse.observation.model.name": "claude-sonnet-4-5",
                "langfuse.observation.usage_details": json.dumps(
                    {"input": 212, "input_cache_read": 18000, "input_cache_creation": 1800, "output": 450}
                ),
                "langfuse.trace.tags": ["faq", "endpoint:support"],
            },
        ),
        CLAUDE | {"provider": "anthropic", "endpoint_tag": "support"},
    ),
    "logfire 2": (
        traced(
            "logfire.openai",
            {
                "request_data": json.dumps({"model": "gpt-4o"}),
                "response_data": json.dumps({"usage": {"prompt_tokens": 1536, "completion_tokens": 120}}),
            },
        ),
        GPT | {"model": "gpt-4o"},
    ),
    "LiteLLM's second callback": (
        traced(
            "litellm",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.response.id": "c1",
                **COUNTED,
            },
        ),
        GPT | {"provider_request_id": "c1"},
    ),
    "Semantic Kernel 1.20": (
        traced(
            "semantic_kernel.utils.telemetry.model_diagnostics.decorators",
            {
                "gen_ai.operation.name": "chat.completions",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.response.prompt_tokens": 1536,
                "gen_ai.response.completion_tokens": 120,
            },
        ),
        GPT,
    ),
    "OpenLIT": (
        traced(
            "openlit.otel.tracing",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "o3",
                "gen_ai.usage.prompt_tokens_details.cache_read": 1280,
                "gen_ai.usage.completion_tokens_details.reasoning": 64,
                **COUNTED,
            },
        ),
        GPT | {"cache_read_tokens": 1280, "reasoning_tokens": 64},
    ),
    "OpenInference of Go": (
        traced(
            "openinference",
            {
                "openinference.span.kind": "LLM",
                "llm.system": "openai",
                "llm.model_name": "gpt-4o",
                "llm.token_count.prompt": 1536,
                "llm.token_count.completion": 120,
                "llm.token_count.prompt_details.cache_input": 1280,
            },
        ),
        GPT | {"cache_read_tokens": 1280},
    ),
    "OpenLLMetry of 2023": (
        traced(
            "opentelemetry.instrumentation.openai",
            {
                "llm.vendor": "Azure",
                "llm.request.type": "chat",
                "llm.request.model": "gpt-4",
                "llm.response.model": "gpt-4-0613",
                "llm.usage.prompt_tokens": 1536,
                "llm.usage.completion_tokens": 120,
            },
        ),
        GPT | {"provider": "azure", "model": "gpt-4-0613"},
    ),
    "kinds of tokens of the conventions of 2026": (
        traced(
            "acme",
            CHAT
            | {
                "gen_ai.usage.reasoning.output_tokens": 64,
                "gen_ai.usage.cache_creation.input_tokens": 5,
                "gen_ai.usage.image.input_tokens": 12,
                "gen_ai.usage.audio.input_tokens": 9,
                "gen_ai.response.time_to_first_chunk": 0.2,
            },
        ),
        GPT | {"reasoning_tokens": 64, "cache_write_tokens": 5, "input_image_tokens": 12, "input_audio_tokens": 9},
    ),
    "memory of an agent": (traced("acme", CHAT | {"gen_ai.operation.name": "search_memory"}), None),
    "the event of a call": (logged(CHAT | {"user.id": "u-77"}, OF_A_CALL), GPT | {"provider_request_id": "c1"}),
    "the event of a failed call": (logged(CHAT | {"error.type": "timeout"}, OF_A_CALL), None),
    "an event of a message": (logged({"gen_ai.system": "openai"}, "gen_ai.choice"), None),
    "LiteLLM 1.81: the proxy's span is the call": (
        traced("litellm", CHAT | {"gen_ai.operation.name": "acompletion"}, "Received Proxy Server Request", 2),
        GPT | {"provider_request_id": "c1"},
    ),
    "Anthropic's own counts in Langfuse": (
        traced(
            "langfuse-sdk",
            {
                "langfuse.observation.type": "generation",
                "langfuse.observation.model.name": "claude-sonnet-4-5",
                "langfuse.observation.usage_details": json.dumps(
                    {
                        "input_tokens": 212,
                        "cache_read_input_tokens": 18000,
                        "cache_creation_input_tokens": 1800,
                        "output_tokens": 450,
                    }
                ),
                "langfuse.trace.metadata": json.dumps({"tenant": "acme"}),
                "langfuse.environment": "default",
            },
        ),
        CLAUDE | {"tenant_id": "acme", "environment": "prod"},
    ),
    "Anthropic's own counts in an early logfire": (
        traced(
            "logfire.anthropic",
            {
                "request_data": json.dumps({"model": "claude-sonnet-4-5"}),
                "response_data": json.dumps(
                    {
                        "usage": {
                            "input_tokens": 212,
                            "cache_read_input_tokens": 18000,
                            "cache_creation_input_tokens": 1800,
                            "output_tokens": 450,
                        }
                    }
                ),
            },
        ),
        CLAUDE | {"input_tokens": 212, "token_convention": "exclusive", "provider": "anthropic"},
    ),
    "a stream of an early logfire, without counts": (
        traced(
            "logfire.openai",
            {
                "logfire.span_type": "log",
                "gen_ai.request.model": "gpt-4o",
                "response_data": json.dumps({"chunk_count": 3}),
                "duration": 1.5,
            },
            "streaming response from 'gpt-4o' took 1.50s",
            endTimeUnixNano="1795851459552683000",
        ),
        {"input_tokens": None, "latency_ms": 1500.0, "provider": "openai"},
    ),
    "its look at Redis": (traced("litellm", {"gen_ai.request.model": "gpt-4o"}, "redis"), None),
    "its server": (
        traced(
            "litellm", {"gen_ai.operation.name": "chat", "gen_ai.response.id": "c", "gen_ai.request.model": "m"}, kind=2
        ),
        None,
    ),
    "an operation of a later convention": (
        traced(
            "acme",
            {
                "gen_ai.operation.name": "converse",
                "gen_ai.provider.name": "aws.bedrock",
                "gen_ai.request.model": "m",
                "gen_ai.response.id": "r",
                **COUNTED,
            },
        ),
        GPT | {"provider": "aws"},
    ),
    "Claude Code without ids of requests": (
        logged(
            {
                "session.id": "s",
                "event.sequence": 4,
                "user.id": "a device",
                "user.account_uuid": "u-77",
                "model": "claude-sonnet-4-5",
                "input_tokens": 212,
                "output_tokens": 450,
                "cache_read_tokens": 18000,
                "cache_creation_tokens": 1800,
            },
            "claude_code.api_request",
        ),
        CLAUDE | {"input_tokens": 212, "external_request_id": "s:4", "user_id": "u-77", "tenant_id": "web"},
    ),
}


@pytest.mark.parametrize("case", SPANS)
def test_spans_of_other_versions(judged, case):
    record, wanted = SPANS[case]
    rows, skips, refused = judged("otel", [record])
    assert refused == []
    if wanted is None:
        assert (rows, sum(skips.values())) == ([], 1)
    else:
        assert [{name: rows[0][name] for name in wanted}] == [wanted]


def with_proto_names(value):
    """A batch as Protobuf's own JSON has it, with the names of the .proto file."""
    if isinstance(value, dict):
        names = {key: re.sub("(?<=[a-z])[A-Z]", lambda found: f"_{found[0].lower()}", key) for key in value}
        return {names[key]: with_proto_names(inside) for key, inside in value.items()}
    return [with_proto_names(inside) for inside in value] if isinstance(value, list) else value


def test_names_and_ids_as_protobuf_writes_them(judged):
    trace, span, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "b7ad6b7169203332"
    ids = {"traceId": trace, "spanId": span, "parentSpanId": parent}
    in_base_64 = {name: base64.b64encode(bytes.fromhex(value)).decode() for name, value in ids.items()}
    plain = traced("acme", CHAT, **ids)
    for written in (traced("acme", CHAT, **in_base_64), with_proto_names(plain), [with_proto_names(plain)]):
        rows, _, refused = judged("otel", json.dumps(written, indent=1).encode(), "x.json")
        assert refused == []
        assert [(row["trace_id"], row["span_id"], row["parent_span_id"]) for row in rows] == [(trace, span, parent)]
        assert [{name: row[name] for name in GPT} for row in rows] == [GPT]


@pytest.mark.parametrize("cut", ["cut \ud83d", "\ude00 cut", "\ud83d\ud83d\ude00", "\U0001f600 \ud83d\\", "\\ud83d"])
def test_a_prompt_that_was_cut_within_a_character_costs_no_span(judged, cut):
    """The escape of half a surrogate pair, also in JSON that is a text: DuckDB reads no line that has one."""
    usage = {"prompt_tokens": 1536, "completion_tokens": 120}
    said = json.dumps({"message": {"content": cut}, "usage": usage})
    spans = [
        traced("acme", {"input.value": cut} | CHAT),
        traced("logfire.openai", {"request_data": json.dumps({"model": "gpt-4o"}), "response_data": said}),
    ]
    for content, name in ((None, "x.jsonl"), (json.dumps(spans).encode(), "x.json")):
        rows, _, refused = judged("otel", content or spans, name)
        assert refused == []
        assert [{name: row[name] for name in GPT} for row in rows] == [GPT, GPT]


def test_whole_characters_in_escapes_stay(judged):
    said = {"id": "c-\U0001f600", "usage": {"prompt_tokens": 1536, "completion_tokens": 120}}
    texts = {"request_data": json.dumps({"model": "gpt-4o"}), "response_data": json.dumps(said)}
    rows, _, refused = judged("otel", [traced("logfire.openai", texts | {"user.id": "u-\U0001f600"})])
    assert refused == []
    assert [(row["user_id"], row["provider_request_id"]) for row in rows] == [("u-\U0001f600", "c-\U0001f600")]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("between", ["", " ", "\r\n\r\n"])
def test_documents_that_were_put_into_one_file(judged, indent, between):
    spans = [traced("acme", {"input.value": "} {"} | CHAT, spanId=f"s{number}") for number in range(3)]
    text = between.join(json.dumps(one, indent=indent) for one in spans)
    rows, skips, refused = judged("otel", text.encode(), "x.json")
    assert (skips, refused) == ({}, [])
    assert [row["external_request_id"] for row in rows] == ["s0", "s1", "s2"]
    rows, skips, refused = judged("otel", f"{text} {text[:-9]}".encode(), "cut.json")
    assert skips == {}
    assert refused != []
    assert {row["external_request_id"] for row in rows} <= {"s0", "s1", "s2"}


@pytest.mark.parametrize("ended", ["1795851459000000000", "0"])
def test_a_duration_below_zero_is_unknown(judged, ended):
    rows, _, refused = judged("otel", [traced("acme", CHAT, endTimeUnixNano=ended)])
    assert refused == []
    assert [(row["input_tokens"], row["latency_ms"]) for row in rows] == [(1536, None)]


def test_the_span_of_a_proxy_above_that_of_its_call_restates_it(judged):
    proxy = traced("litellm", CHAT, "Received Proxy Server Request", 2)
    call = traced("litellm", CHAT, "litellm_request", 1, spanId="s2", parentSpanId="s1")
    spans = call["resourceSpans"][0]["scopeSpans"][0]["spans"]
    proxy["resourceSpans"][0]["scopeSpans"][0]["spans"] += spans
    rows, skips, _ = judged("otel", [proxy])
    assert ([row["span_id"] for row in rows], sum(skips.values())) == (["s2"], 1)


def test_parts_beyond_the_input_are_refused_without_evidence_of_the_convention(judged):
    rows, _, refused = judged("otel", [traced("ai", MESSAGES)])
    assert rows == []
    assert refused == ["the parts of inputTokens add up to 18000, more than the 212 of inputTokens"]


CALL = {
    "id": "chatcmpl-1",
    "litellm_call_id": "call-1",
    "call_type": "acompletion",
    "status": "success",
    "custom_llm_provider": "openai",
    "model": "openai/gpt-4o",
    "startTime": 1795851459.552683,
    "endTime": 1795851460.113008,
    "prompt_tokens": 1536,
    "completion_tokens": 120,
    "total_tokens": 1656,
    "response_cost": 0.0,
    "metadata": {},
}
SPENT = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "model": "gpt-4o",
    "custom_llm_provider": "",
    "startTime": "2026-11-28 07:37:39.552683",
    "endTime": "2026-11-28 07:37:40.113008",
    "spend": 0.01,
    "prompt_tokens": 1536,
    "completion_tokens": 120,
    "total_tokens": 1656,
    "cache_hit": "",
    "metadata": "{}",
}
RECORDS = {
    "counts in hidden_params": (
        CALL | {"hidden_params": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 1280}}}},
        GPT | {"cache_read_tokens": 1280, "reported_cost_usd": None, "model": "gpt-4o"},
    ),
    "no provider but the prefix": (CALL | {"custom_llm_provider": None}, GPT | {"model": "gpt-4o"}),
    "zero is unknown": (
        CALL | {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"input_tokens": None, "output_tokens": None, "reported_cost_usd": None},
    ),
    "counts in the response alone": (
        CALL | {"response": {"model": "gpt-4o", "usage": {"prompt_tokens_details": {"cached_tokens": 1280}}}},
        GPT | {"cache_read_tokens": 1280},
    ),
    "SpendLogs of the API": (
        SPENT | {"startTime": "2026-11-28T07:37:39.552683Z", "endTime": "2026-11-28T07:37:40.113008Z", "metadata": {}},
        GPT | {"status": "success", "latency_ms": 560.325},
    ),
    "a batch that was polled": (
        CALL | {"call_type": "aretrieve_batch", "model": "", "hidden_params": {"batch_models": ["gpt-4o"]}},
        GPT | {"processing": "batch", "model": "gpt-4o"},
    ),
    "SpendLogs before statuses": (SPENT, GPT | {"status": "success", "latency_ms": 560.325}),
    "before it had a status": (
        {name: value for name, value in CALL.items() if name != "status"} | {"response_cost": 0.004},
        GPT | {"status": "success"},
    ),
    "the payload of 2024": (
        {
            "id": "chatcmpl-1",
            "call_type": "completion",
            "cache_hit": False,
            "startTime": "2026-11-28 07:37:39.552683",
            "endTime": "2026-11-28 07:37:40.113008",
            "model": "gpt-4o",
            "usage": {"prompt_tokens": 1536, "completion_tokens": 120, "total_tokens": 1656},
            "metadata": json.dumps({"user_api_key_team_id": "acme"}),
        },
        GPT | {"status": "success", "model": "gpt-4o", "tenant_id": "acme", "latency_ms": 560.325},
    ),
    "counts of the responses API": (
        CALL
        | {
            "metadata": {
                "usage_object": {
                    "input_tokens_details": {"cached_tokens": 1280},
                    "output_tokens_details": {"reasoning_tokens": 64},
                }
            }
        },
        GPT | {"cache_read_tokens": 1280, "reasoning_tokens": 64},
    ),
    "an id of the gateway's cache": (CALL | {"id": "chatcmpl-1_cache_hit1795851459"}, None),
}


@pytest.mark.parametrize("case", RECORDS)
def test_records_of_other_versions_of_litellm(judged, case):
    record, wanted = RECORDS[case]
    rows, skips, refused = judged("litellm", [record])
    assert refused == []
    if wanted is None:
        assert (rows, sum(skips.values())) == ([], 1)
    else:
        assert [{name: rows[0][name] for name in wanted}] == [wanted]


def test_a_failure_before_there_was_a_status_is_refused(judged):
    record = {name: value for name, value in CALL.items() if name != "status"} | {"error_str": "timeout"}
    rows, _, refused = judged("litellm", [record])
    assert rows == []
    assert refused == ["status is missing"]


# Answers of the APIs, as a shell script saves them.
PAGES = {
    "litellm": lambda: {"total": 1, "page": 1, "total_pages": 1, "data": [SPENT]},
    "langfuse": lambda: {"data": [OBSERVATION | {"model": "gpt-4o", "inputUsage": 1536, "outputUsage": 120}]},
    "helicone": lambda: {"error": None, "data": [HELICONE]},
    "openrouter": lambda: {"data": [GENERATION]},
}


@pytest.mark.parametrize("source", PAGES)
@pytest.mark.parametrize("indent", [None, 2])
def test_records_in_a_page_of_an_api(judged, source, indent):
    rows, skips, refused = judged(source, json.dumps(PAGES[source](), indent=indent).encode(), "page.json")
    assert (skips, refused) == ({}, [])
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(1536, 120)]


def test_spend_logs_as_csv(judged):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(SPENT))
    writer.writeheader()
    writer.writerow(SPENT)
    rows, _, refused = judged("litellm", gzip.compress(text.getvalue().encode()), "spend.csv.gz")
    assert refused == []
    assert [(row["external_request_id"], row["input_tokens"]) for row in rows] == [("chatcmpl-1", 1536)]


OBSERVATION = {"id": "o1", "type": "GENERATION", "start_time": "2026-11-22 09:15:04.120000", "level": "DEFAULT"}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"usage_details": {"input": "212", "input_cache_read": "18000", "output": "450"}}, (18212, 450, 18000)),
        (
            {"usage_details": {"input": 20012, "input_cache_read": 18000, "output": 450, "total": 20462}},
            (20012, 450, 18000),
        ),
        ({"usage_details": {}, "usage": {"input": 10, "output": 5, "unit": "TOKENS"}}, (10, 5, None)),
        ({"promptTokens": 10, "completionTokens": 5}, (10, 5, None)),
        ({"usage_details": {"input": 0, "output": 0}}, (None, None, None)),
        ({"usage_details": "{'input':212,'input_cache_read':18000,'output':450}"}, (18212, 450, 18000)),
        ({"usageDetails": {"input": 1536, "output": 120, "input_tokens_details.cached_tokens": 9}}, (1536, 120, 9)),
        ({"inputUsage": 10, "outputUsage": 5, "totalUsage": 15}, (10, 5, None)),
        ({"inputUsage": 0, "outputUsage": 0, "usageDetails": {}}, (None, None, None)),
        ({"usage": {"input": 900, "output": 500, "unit": "CHARACTERS"}}, (None, None, None)),
        ({"promptTokens": 900, "completionTokens": 500, "unit": "IMAGES"}, (None, None, None)),
    ],
)
def test_counts_of_langfuse(judged, fields, wanted):
    rows, _, refused = judged("langfuse", [OBSERVATION | {"model": "claude-sonnet-4-5"} | fields])
    assert refused == []
    assert [(row["input_tokens"], row["output_tokens"], row["cache_read_tokens"]) for row in rows] == [wanted]


def test_a_parquet_export_of_langfuse(judged):
    counts = [[("input", 212), ("input_cache_read", 18000), ("input_cache_creation_1h", 1800), ("output", 450)]]
    table = pa.table(
        {
            **{name: [value] for name, value in OBSERVATION.items() if name != "start_time"},
            "start_time": pa.array([1795851459552683], pa.timestamp("us", tz="UTC")),
            "provided_model_name": ["claude-sonnet-4-5"],
            "usage_details": pa.array(counts, pa.map_(pa.string(), pa.uint64())),
            "metadata": pa.array([[("tenant", "acme")]], pa.map_(pa.string(), pa.string())),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    rows, _, refused = judged("langfuse", sink.getvalue(), "o.parquet")
    assert refused == []
    assert [{name: row[name] for name in CLAUDE} for row in rows] == [CLAUDE]
    assert (rows[0]["tenant_id"], rows[0]["cache_write_1h_tokens"]) == ("acme", 1800)


def test_other_files_of_an_export_of_langfuse_are_skipped(judged):
    rows, skips, refused = judged("langfuse", [{"observations": {"rows": 9}}, {"id": "t", "timestamp": "2026-11-22"}])
    assert (rows, refused) == ([], [])
    assert skips == {"no observation: a manifest, trace or score of the export": 2}


HELICONE = {
    "request_id": "r1",
    "provider": "GROQ",
    "request_model": "llama-3.1-8b",
    "response_status": 200,
    "request_created_at": "2026-11-22 09:15:04.120",
    "prompt_tokens": 1536,
    "completion_tokens": 120,
}


def test_a_dump_of_helicone_has_quoted_numbers_and_maps(judged):
    dump = {
        "request_id": "r1",
        "response_id": "a1",
        "organization_id": "o",
        "user_id": "u-77",
        "provider": "ANTHROPIC",
        "model": "claude-sonnet-4-5",
        "request_created_at": "2026-11-22 09:15:04.120",
        "latency": "840",
        "status": "200",
        "prompt_tokens": "212",
        "completion_tokens": "450",
        "prompt_cache_read_tokens": "18000",
        "prompt_cache_write_tokens": "1800",
        "cost": "19536000",
        "properties": "{'tenant':'acme'}",
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dump))
    writer.writeheader()
    writer.writerow(dump)
    rows, _, refused = judged("helicone", text.getvalue().encode(), "dump.csv")
    assert refused == []
    assert [{name: row[name] for name in CLAUDE} for row in rows] == [CLAUDE]
    assert (rows[0]["tenant_id"], str(rows[0]["reported_cost_usd"])) == ("acme", "0.019536000000")


def codex(total: int, model: str | None = "gpt-5") -> dict:
    counts = {"input_tokens": total - 5, "output_tokens": 5, "cached_input_tokens": total // 2, "total_tokens": total}
    info = {"total_token_usage": counts} | ({"model": model} if model else {})
    return {"timestamp": "2026-11-22T09:15:04Z", "type": "event_msg", "payload": {"type": "token_count", "info": info}}


def test_running_totals_of_codex_alone_give_turns(judged):
    start = {"timestamp": "2026-11-22T09:15:00Z", "type": "session_meta", "payload": {"id": "S"}}
    context = {"timestamp": "2026-11-22T09:15:01Z", "type": "turn_context", "payload": {"model": "gpt-5-codex"}}
    rows, skips, refused = judged("codex", [start, context, codex(105, None), codex(105, None), codex(265, None)])
    assert refused == []
    assert [(row["external_request_id"], row["input_tokens"], row["cache_read_tokens"]) for row in rows] == [
        ("S:105", 100, 52), ("S:265", 160, 80),
    ]  # fmt: skip
    assert {row["model"] for row in rows} == {"gpt-5-codex"}
    assert sum(skips.values()) == 3


def test_lines_of_claude_code_without_a_type_or_ids(judged):
    usage = {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 10, "output_tokens": 5}}
    rows, skips, refused = judged(
        "claude_code",
        [
            {"timestamp": "2026-11-22T09:15:04Z", "message": usage | {"id": "msg_1"}, "requestId": "r"},
            {"timestamp": "2026-11-22T09:15:04Z", "message": usage, "uuid": "u1"},
            {"timestamp": "2026-11-22T09:15:04Z", "type": "user", "message": {"content": "x"}},
        ],
    )
    assert refused == []
    assert [row["external_request_id"] for row in rows] == ["r", "u1"]
    assert sum(skips.values()) == 1


def test_writes_of_claude_code_by_time_to_live_alone(judged):
    usage = {"output_tokens": 90, "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}}
    message = {"id": "m", "model": "claude-sonnet-4-5", "usage": usage | {"input_tokens": 2}}
    rows, _, refused = judged("claude_code", [{"timestamp": "2026-11-22T09:15:04Z", "message": message}])
    assert refused == []
    assert [(row["cache_write_tokens"], row["cache_write_1h_tokens"]) for row in rows] == [(7, 4)]


def test_a_batch_in_the_form_of_openai_is_of_the_provider_of_its_model(judged):
    body = {"id": "c", "created": 1795338900, "model": "mistral-small-latest"}
    usage = {"prompt_tokens": 1536, "completion_tokens": 120, "total_tokens": 1656}
    line = {
        "id": "b",
        "custom_id": "a",
        "error": None,
        "response": {"status_code": 200, "body": body | {"usage": usage}},
    }
    rows, _, refused = judged("provider_raw", [line])
    assert refused == []
    assert [(row["provider"], row["input_tokens"]) for row in rows] == [("mistral", 1536)]


GENERATION = {
    "id": "gen-1",
    "created_at": "2026-11-22T09:15:04Z",
    "model": "openai/gpt-4o",
    "usage": 0.00344,
    "native_tokens_prompt": 1536,
    "native_tokens_completion": 120,
    "tokens_prompt": 1382,
}
ENVELOPE = {"externalRequestId": "a", "occurredAt": "2026-11-22T09:15:00Z", "provider": "openai", "tenantId": "acme"}
REPLY = {"id": "resp_1", "model": "gpt-5-mini", "usage": {"input_tokens": 1536, "output_tokens": 120}}


@pytest.mark.parametrize(
    "record",
    [
        ENVELOPE | {"response": REPLY},
        ENVELOPE | {"response": json.dumps(REPLY)},
        {key: value for key, value in ENVELOPE.items() if key != "occurredAt"}
        | {"response": REPLY | {"created_at": 1795338900}},
        {"custom_id": "a", "tenantId": "acme", "response": {"status_code": 200, "body": REPLY | {"created_at": 1795338900}}},
    ],
)  # fmt: skip
def test_a_response_in_an_envelope_or_a_batch(judged, record):
    rows, _, refused = judged("provider_raw", [record])
    assert refused == []
    wanted = GPT | {"external_request_id": "a", "tenant_id": "acme", "model": "gpt-5-mini"}
    assert [{name: row[name] for name in wanted} for row in rows] == [wanted]


@pytest.mark.parametrize("wrapped", [lambda one: one, lambda one: {"data": one}, lambda one: [one]])
def test_a_generation_of_openrouter_alone_in_data_or_in_an_array(judged, wrapped):
    rows, _, refused = judged("openrouter", json.dumps(wrapped(GENERATION), indent=2).encode(), "generation.json")
    assert refused == []
    assert [(row["input_tokens"], str(row["reported_cost_usd"])) for row in rows] == [(1536, "0.003440000000")]


@pytest.mark.parametrize(
    "folder",
    ["dt=2026-11-22", "2026-11-22", "2026-11-22/09", "year=2026/month=11/day=22/hour=09", "2026/11/22/09"],
)
def test_days_of_folders_as_exporters_write_them(folder):
    file = LandingFile(f"otel/{folder}/batch.json", 1, "")
    assert str(file.arrival_date) == "2026-11-22"
    assert LandingFile("otel/prefix/batch.json", 1, "").arrival_date is None
    assert Path(file.path).suffix == file.extension
