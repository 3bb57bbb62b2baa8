"""The demo's calls as a gateway's log or a tracer's spans have them: native lines, each written anew by its call.

The records are those of emitters that were run (docs/sources.md names their versions), down to what they leave out.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime

SOURCES = {"native": "events", "litellm": "litellm", "otlp": "otel"}  # dialect -> folder of the landing zone
GATEWAY_PROVIDERS = {"google": "gemini"}  # as LiteLLM and the SDK's instrumentation name AI Studio
# What LiteLLM raises for each of the demo's errors, and the status that it reports: its own for what it does not know.
GATEWAY_ERRORS = {
    "rate_limited": ("RateLimitError", 429),
    "overloaded": ("InternalServerError", 500),
    "timeout": ("Timeout", 408),
    "server_error": ("InternalServerError", 500),
    "schema_mismatch": ("UnprocessableEntityError", 422),
}
SCOPES = {
    "anthropic": ("com.anthropic.sdk.python", "anthropic.messages.create", "chat"),
    "google": ("opentelemetry.instrumentation.google_genai", "generate_content", "generate_content"),
}
OTHER_SCOPE = ("opentelemetry.instrumentation.openai.v1", "openai.chat", "chat")
EMBEDDINGS = ("opentelemetry.instrumentation.openai.v1", "openai.embeddings", "embeddings")
REDACTED = "redacted-by-litellm"  # with turn_off_message_logging


def translated(dialect: str, parts: list) -> list:
    """The parts of a landing file of native lines as parts of a file of the dialect."""
    if dialect == "native":
        return parts
    records = (WRITERS[dialect](json.loads(line)) for line in b"".join(parts).splitlines())
    return [json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records if record]


def _litellm(event: dict) -> dict:
    """A StandardLoggingPayload, as the proxy's logger writes it for a call that its key's team made."""
    started, usage = _micros(event), _litellm_usage(event)
    is_error, is_embedding = event["status"] == "error", "embedding" in event["model"]
    call_type = "aretrieve_batch" if event.get("processing") == "batch" else "aembedding" if is_embedding else ""
    provider = GATEWAY_PROVIDERS.get(event["provider"], event["provider"])
    request, latency = event["externalRequestId"], event.get("latencyMs", 0)
    error, http = GATEWAY_ERRORS.get(event.get("errorCode"), ("", None))
    record = {
        "id": request if is_error else event.get("providerRequestId") or f"chatcmpl-{_id_of_call(event, 'id', 32)}",
        "litellm_call_id": request,
        "trace_id": request,
        "call_type": call_type or "acompletion",
        "cache_hit": None,
        "status": "failure" if is_error else "success",
        "custom_llm_provider": provider,
        "saved_cache_cost": 0.0,
        "startTime": started / 1e6,
        "endTime": (started + latency * 1000) / 1e6,
        "model": f"{provider}/{event['model']}",
        "model_group": event["model"],
        "response_cost": event.get("costUsd", 0.0) if not is_error else 0.0,
        "request_tags": [
            f"{tag}:{event[name]}" for tag, name in (("endpoint", "endpointTag"), ("prompt", "promptVersion"))
            if name in event
        ] + [f"environment:{event.get('environment', 'prod').lower()}", "User-Agent: demo"],
        "model_parameters": {"service_tier": event.get("requestedServiceTier")},
        "error_information": {"error_class": error, "error_code": str(http or "")},
        "metadata": {
            "user_api_key_team_id": _tenant(event),
            "user_api_key_user_id": event.get("userId"),
            "user_api_key_request_route": "/v1/embeddings" if is_embedding else "/v1/chat/completions",
            "spend_logs_metadata": {"feature": event.get("featureTag")},
            "usage_object": usage,
        },
        "messages": [{"role": "user", "content": REDACTED}],
        "response": {"id": None, "choices": [{"message": {"content": REDACTED}}]},
    }  # fmt: skip
    return record | {name: usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}


def _litellm_usage(event: dict) -> dict:
    """The usage object of a call; empty for a failure, whose counts LiteLLM writes as zeros."""
    counts = _counts(event)
    if event["status"] == "error" or "inputTokens" not in counts:
        return {}
    sent, made = counts["inputTokens"], counts.get("outputTokens", 0)
    searches = counts.get("webSearches")
    usage = {
        "prompt_tokens": sent,
        "completion_tokens": made,
        "total_tokens": sent + made,
        "prompt_tokens_details": {
            "cached_tokens": counts.get("cacheReadTokens"),
            "cache_creation_tokens": counts.get("cacheWriteTokens"),
            "cache_creation_token_details": {"ephemeral_1h_input_tokens": counts.get("cacheWrite1hTokens")},
            "web_search_requests": searches if event["provider"] == "google" else None,
        },
        "completion_tokens_details": {"reasoning_tokens": counts.get("reasoningTokens")},
        "service_tier": event.get("serviceTier"),
    }
    return usage | ({"server_tool_use": {"web_search_requests": searches}} if event["provider"] == "anthropic" else {})


def _otlp(event: dict) -> dict | None:
    """A batch of two spans: the service's around the call, which knows for whom it is, and that of an instrumentation.

    Nothing instruments the calls of a provider's batch: their results are files.
    """
    if event.get("processing") == "batch":
        return None
    started, latency = _micros(event), event.get("latencyMs", 0)
    trace, root = _trace_of(event["externalRequestId"]), _id_of_call(event, "service")
    scope, name, operation = EMBEDDINGS if "embedding" in event["model"] else SCOPES.get(event["provider"], OTHER_SCOPE)
    whom = {
        "user.id": event.get("userId"),
        "tenant.id": _tenant(event),
        "tokentrail.endpoint": event.get("endpointTag"),
        "tokentrail.prompt_version": event.get("promptVersion"),
        "tokentrail.feature": event.get("featureTag"),
    }
    is_error = event["status"] == "error"
    call = {"gen_ai.operation.name": operation} | _otlp_call(event)
    spans = [
        _span(trace, _id_of_call(event, "call"), root, name, started, latency, call, is_error),
        _span(trace, root, "", "request", started, latency, whom, False),
    ]
    where = {"service.name": "demo", "deployment.environment.name": event.get("environment", "prod").lower()}
    scopes = [{"scope": {"name": who}, "spans": [span]} for who, span in zip((scope, "demo"), spans, strict=True)]
    return {"resourceSpans": [{"resource": {"attributes": _attributes(where)}, "scopeSpans": scopes}]}


def _otlp_call(event: dict) -> dict[str, object]:
    """What the span of a call says; of a failed one neither counts nor the provider's id."""
    asked = {
        "gen_ai.provider.name": GATEWAY_PROVIDERS.get(event["provider"], event["provider"]),
        "gen_ai.request.model": event["model"],
        "openai.request.service_tier": event.get("requestedServiceTier"),
        "tokentrail.request_id": event["externalRequestId"],  # copied from the baggage
    }
    if event["status"] == "error":
        return asked | {"error.type": event.get("errorCode"), "http.response.status_code": event.get("httpStatus")}
    counts = _counts(event)
    written = "cache_write" if event["provider"] == "anthropic" else "cache_creation"
    thought = "reasoning.output_tokens" if event["provider"] == "google" else "reasoning_tokens"
    return asked | {
        "gen_ai.response.model": event["model"],
        "gen_ai.response.id": event.get("providerRequestId"),
        "gen_ai.usage.input_tokens": counts.get("inputTokens"),
        "gen_ai.usage.output_tokens": counts.get("outputTokens"),
        "gen_ai.usage.cache_read.input_tokens": counts.get("cacheReadTokens"),
        f"gen_ai.usage.{written}.input_tokens": counts.get("cacheWriteTokens"),
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": counts.get("cacheWrite1hTokens"),
        f"gen_ai.usage.{thought}": counts.get("reasoningTokens"),
        "openai.response.service_tier": event.get("serviceTier"),
    }


def _span(
    trace: str, span: str, parent: str, name: str, started: int, latency: int, attributes: dict, is_error: bool
) -> dict:
    """A span as the Collector writes it: 64-bit integers are text."""
    return {
        "traceId": trace,
        "spanId": span,
        "parentSpanId": parent,
        "name": name,
        "kind": 3 if parent else 2,
        "startTimeUnixNano": str(started * 1000),
        "endTimeUnixNano": str((started + latency * 1000) * 1000),
        "attributes": _attributes(attributes),
        "status": {"code": 2} if is_error else {},
    }


def _attributes(values: dict) -> list[dict]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
        if value is not None
    ]


def _counts(event: dict) -> dict[str, int]:
    """The token counts of a native event, the input with the cached tokens."""
    counts = {name: value for name, value in event.items() if name.endswith("Tokens") or name == "webSearches"}
    if event.get("tokenConvention") == "exclusive" and "inputTokens" in counts:
        counts["inputTokens"] += counts.get("cacheReadTokens", 0) + counts.get("cacheWriteTokens", 0)
    return counts


def _tenant(event: dict) -> str | None:
    return event.get("tenantId", event.get("metadata", {}).get("tenantId"))


def _micros(event: dict) -> int:
    """When the call began, in microseconds since 1970."""
    at = datetime.fromisoformat(event.get("occurredAt") or event["createdAt"])
    return round(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond


def _trace_of(request: str) -> str:
    """The trace of a request."""
    return hashlib.sha256(request.encode()).hexdigest()[:32]


def _id_of_call(event: dict, what: str, digits: int = 16) -> str:
    """An id that is the same whenever the call is delivered."""
    about = f"{what} {event['externalRequestId']} {_micros(event)}"
    return hashlib.sha256(about.encode()).hexdigest()[:digits]


WRITERS: dict[str, Callable[[dict], dict | None]] = {"litellm": _litellm, "otlp": _otlp}
