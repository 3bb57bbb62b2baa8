"""The native event's fields, the raw zone's columns, and which field becomes which column."""

import re

from pricing.units import COUNTS


def snake_case(name: str) -> str:
    """cacheWrite1hTokens -> cache_write_1h_tokens."""
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", name).lower()


def camel_case(column: str) -> str:
    """cache_write_1h_tokens -> cacheWrite1hTokens."""
    first, *others = column.split("_")
    return first + "".join(word.capitalize() for word in others)


STRINGS = [
    "externalRequestId",
    "providerRequestId",
    "provider",
    "model",
    "status",
    "errorCode",
    "endpointTag",
    "promptVersion",
    "featureTag",
    "tenantId",
    "userId",
    "environment",
    "dataMode",
    "usageSource",
    "processing",
    "serviceTier",
    "requestedServiceTier",
    "region",
    "tokenConvention",
    "billingAccountId",
    "subAccountId",
    "apiKeyId",
    "traceId",
    "spanId",
    "parentSpanId",
]
TOKENS = [camel_case(column) for column in COUNTS]
OTHERS = [
    "attempt",
    "occurredAt",
    "createdAt",
    "httpStatus",
    "priceContext",
    "usage",
    "latencyMs",
    "costUsd",
    "metadata",
    "withdrawn",
]
FIELDS = (*STRINGS, *TOKENS, *OTHERS)
FIELD = "f."  # begins the name of a column of a batch that holds a field: other columns may be named as a field is
CHOICES = {
    "dataMode": ("real", "test", "demo"),
    "usageSource": ("provider", "provider_partial", "estimate"),
    "tokenConvention": ("inclusive", "exclusive"),
    "processing": ("realtime", "batch"),
}
LONGEST_ID = 256  # characters
REQUIRED = ("externalRequestId", "occurredAt", "provider", "model", "status")

# Column -> type, in the order of the raw files. event_date is the hive column: in the path, not in the file.
RAW_COLUMNS = {
    **dict.fromkeys(("external_request_id", "provider_request_id"), "VARCHAR"),
    "attempt": "INTEGER",
    **dict.fromkeys(("provider", "model", "status", "error_code"), "VARCHAR"),
    "http_status": "INTEGER",
    **dict.fromkeys(
        [
            "endpoint_tag",
            "prompt_version",
            "feature_tag",
            "tenant_id",
            "user_id",
            "environment",
            "data_mode",
            "usage_source",
            "processing",
            "service_tier",
            "requested_service_tier",
            "region",
            "price_context",
            "token_convention",
            "billing_account_id",
            "sub_account_id",
            "api_key_id",
            "trace_id",
            "span_id",
            "parent_span_id",
        ],
        "VARCHAR",
    ),
    **dict.fromkeys(COUNTS, "BIGINT"),
    "usage": "VARCHAR",
    "latency_ms": "DOUBLE",
    "reported_cost_usd": "DECIMAL(38,12)",
    "metadata": "VARCHAR",
    "withdrawn": "BOOLEAN",
    "content_hash": "VARCHAR",
    "line_number": "BIGINT",
    "load_id": "VARCHAR",
    "occurred_at": "TIMESTAMP",
    "source": "VARCHAR",
    "item": "BIGINT",
    "emitter": "VARCHAR",
    "source_version": "VARCHAR",
}
# What a batch may say of a row beyond its fields.
OF_ROW = ("item", "emitter", "source_version")
PRICE_KEY = ("provider", "model", "processing", "service_tier", "region", "price_context")


NATIVE_NAMES = {snake_case(name): name for name in FIELDS}


def native_names(columns: list[str]) -> list[str]:
    """Column names of a table file as event fields: snake_case is taken as camelCase unless both are there."""
    names = []
    for column in columns:
        name = NATIVE_NAMES.get(column, column)
        names.append(column if name in columns or name in names else name)
    return names
