"""The yardstick: by_hand.sql in one process, from landing files and a price book to a DuckDB file with the same tables."""

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.parquet import lines_sql

MARTS = {
    "cost_by_endpoint_daily": ["endpoint_tag"],
    "cost_by_prompt_version_daily": ["endpoint_tag", "prompt_version"],
    "cost_by_tenant_daily": ["tenant_id"],
    "cost_by_user_daily": ["tenant_id", "user_id"],
    "cost_by_model_daily": ["provider", "model"],
    "cost_by_feature_daily": ["feature_tag"],
}
# A date is complete after six more hours, the default of the product.
MART = """
    create table {name} as
    select
        event_date, environment, data_mode, {members},
        getvariable('as_of') >= event_date + interval 30 hour as is_complete,
        count(*) filter (is_first_try) as requests,
        count(*) filter (is_last_try and status = 'success') as successful_requests,
        count(*) as attempts,
        count(*) filter (status = 'success') as successes,
        count(*) filter (status = 'error') as errors,
        sum(input_tokens)::bigint as input_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(reasoning_tokens)::bigint as reasoning_tokens,
        sum(cost_usd)::decimal(38, 12) as cost_usd,
        if(bool_and(is_last_try), 0, sum(cost_usd) filter (not is_last_try))::decimal(38, 12) as retry_cost_usd,
        if(bool_and(usage_source <> 'estimate'), 0, sum(cost_usd) filter (usage_source = 'estimate'))::decimal(38, 12)
            as estimated_cost_usd,
        if(bool_and(not is_approximate), 0, sum(cost_usd) filter (is_approximate))::decimal(38, 12) as approximate_cost_usd,
        sum(reported_cost_usd)::decimal(38, 12) as reported_cost_usd,
        count(*) filter (pricing_status = 'unpriced') as unpriced_attempts,
        count(*) filter (pricing_status = 'no_usage') as no_usage_attempts,
        count(*) filter (is_approximate) as approximate_attempts,
        avg(latency_ms) as avg_latency_ms
    from fct_attempts
    group by all
"""


def main() -> None:
    """One full run; prints a JSON line for each step with its wall seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--price-book", required=True, help="glob of the compiled price book")
    parser.add_argument("--identity-map", required=True, help="the team's file that gives tenants to service accounts")
    parser.add_argument("--as-of", required=True, help="later events are flagged is_future (UTC)")
    parser.add_argument("--out", type=Path, required=True, help="DuckDB file, replaced")
    options = parser.parse_args()
    options.out.unlink(missing_ok=True)
    options.scratch = options.out.with_suffix(".scratch")
    config = {"temp_directory": str(options.scratch)}  # and DuckDB's own memory limit: nothing holds the script back
    with duckdb.connect(str(options.out), config=config) as database:
        database.execute("set TimeZone = 'UTC'")
        database.execute("set preserve_insertion_order = false")
        for step in (_look_at_files, _run_script, _group):
            for name, seconds in step(database, options):
                sys.stdout.write(json.dumps({"step": name, "seconds": seconds}) + "\n")
                sys.stdout.flush()
    shutil.rmtree(options.scratch, ignore_errors=True)


def _look_at_files(database: duckdb.DuckDBPyConnection, options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Names the files to read, all of one format, without those that repeat another byte for byte.

    DuckDB 1.5's read_json with ignore_errors takes the line after a torn one for part of it and drops both: a file with
    torn lines is read from a copy without them.
    """
    began = time.monotonic()
    files = sorted(options.landing.glob("events/dt=*/*.*"))
    is_parquet = any(file.suffix == ".parquet" for file in files)
    kept = {}
    for file in files:
        content = file.read_bytes()
        whole = file
        if not is_parquet and content.count(b"\n") != content.count(b"}\n"):
            whole = options.scratch / file.parent.name / file.name
            whole.parent.mkdir(parents=True, exist_ok=True)
            whole.write_bytes(b"".join(line for line in content.splitlines(keepends=True) if line.endswith(b"}\n")))
        kept.setdefault(hashlib.sha256(content).hexdigest(), str(whole))
    database.execute(
        "create temp table landed as select unnest(?) as filename, unnest(?) as content_hash",
        [list(kept.values()), list(kept)],
    )
    for name, value in (
        ("files", list(kept.values())),
        ("price_book", options.price_book),
        ("identity_map", options.identity_map),
    ):
        database.execute(f"set variable {name} = ?", [value])
    database.execute("set variable as_of = ?::timestamp", [options.as_of])
    files = "getvariable('files')"
    source = f"read_parquet({files}, hive_partitioning = false, filename = true)" if is_parquet else lines_sql(files)
    database.execute(f"create temp view line as from {source}")
    yield "look at files", time.monotonic() - began


def _run_script(database: duckdb.DuckDBPyConnection, options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    script = Path(__file__).with_suffix(".sql").read_text()
    for part in script.split("-- step: ")[1:]:
        name, _, sql = part.partition("\n")
        began = time.monotonic()
        database.execute(sql)
        yield name, time.monotonic() - began


def _group(database: duckdb.DuckDBPyConnection, options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    began = time.monotonic()
    for name, dimensions in MARTS.items():
        database.execute(MART.format(name=name, members=", ".join(dimensions)))
    database.execute("checkpoint")
    yield "marts", time.monotonic() - began


if __name__ == "__main__":
    main()
