"""A simulated world as Parquet, as a warehouse or a gateway exports it: the same files, typed, torn lines left out."""

from pathlib import Path

import duckdb

from orchestration.landing.fields import TOKENS
from orchestration.storage import written_whole

# What a good exporter writes: counts as integers, times and objects as text. by_hand.py reads JSON lines with the same types.
COLUMNS = {
    **dict.fromkeys(("externalRequestId", "providerRequestId"), "varchar"),
    "attempt": "integer",
    **dict.fromkeys(("occurredAt", "createdAt", "provider", "model", "status", "errorCode"), "varchar"),
    "httpStatus": "integer",
    **dict.fromkeys(
        [
            "endpointTag",
            "promptVersion",
            "featureTag",
            "tenantId",
            "userId",
            "environment",
            "dataMode",
            "usageSource",
            "tokenConvention",
            "processing",
            "serviceTier",
            "requestedServiceTier",
            "region",
            "billingAccountId",
            "subAccountId",
            "apiKeyId",
            "traceId",
            "spanId",
            "parentSpanId",
        ],
        "varchar",
    ),
    **dict.fromkeys(TOKENS, "bigint"),
    "latencyMs": "double",
    "costUsd": "decimal(38, 12)",
    "metadata": "json",
}


def lines_sql(files: str) -> str:
    """A FROM item: JSON lines of `files` (an SQL list of paths) in the columns above and `filename`; no torn lines."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
    options = "ignore_errors = true, hive_partitioning = false, filename = true"
    return f"read_json({files}, format = 'newline_delimited', {options}, columns = {{{columns}}})"


def as_parquet(world: Path, target: Path) -> None:
    """Write each landing file of a world of JSON lines as Parquet under `target`, unless it is there."""
    with duckdb.connect() as database:
        for file in sorted(world.glob("landing/events/*/*.jsonl")):
            there = target / file.relative_to(world).with_suffix(".parquet")
            if not there.exists():
                rows = f"select * exclude (filename) from {lines_sql('[?]')}"  # noqa: S608 (our own columns)
                with written_whole(there) as partial:
                    database.execute(f"copy ({rows}) to '{partial}' (format parquet, compression zstd)", [str(file)])
