"""What pricing costs: `python -m benchmarks.pricing --data DIR`, over a data root that `make bench` or `make run` filled.

The fact is built with prices, and the same rows without the join to prices and without the cost columns, in turn and
several times; the ratio of the fastest of each is the price of pricing. Then the catalogue library prices a sample of
the same attempts, one by one.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import duckdb
from genai_prices import types

from orchestration.settings import from_environment
from pricing.catalogue import context_of, resolve
from pricing.rows import PriceKey

REPEAT = 5
# What the model computes itself: a fact without prices has these too, and only the last goes with the prices.
OWN = {
    "landing_content_hash": "content_hash",
    "landing_line_number": "line_number",
    "is_future": "occurred_at > cast(now() as timestamp)",
    "built_at": "cast(now() as timestamp)",
}
STATUS = {
    "pricing_status": """
        case when cost_usd is not null then 'priced' when usage_source = 'missing' then 'no_usage' else 'unpriced' end
    """
}
COLUMNS = "select column_name from duckdb_columns() where schema_name = ? and table_name = ? order by column_index"
USED = """
    select occurred_at, provider, model, processing, service_tier, region, price_context,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens
    from marts.fct_attempts
    where pricing_status = 'priced' and other_usage is null
    using sample 20000 (reservoir, 1)
"""


def main() -> int:
    """Prints both ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pricing", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a data root that was built")
    settings = from_environment(os.environ | {"TOKENTRAIL_DATA": str(parser.parse_args().data)})
    with duckdb.connect(str(settings.warehouse)) as engine:
        engine.execute(f"set memory_limit = '{settings.memory_limit}'; set preserve_insertion_order = false")
        _run(engine)
    return 0


def _run(engine: duckdb.DuckDBPyConnection) -> None:
    sides = {"int_attempts": OWN, "int_priced_attempts": OWN | STATUS}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(REPEAT):
        for name, computed in sides.items():
            statement = f"create or replace table bench as {_fact(engine, name, computed)}"
            seconds[name].append(_seconds(lambda statement=statement: engine.execute(statement)))
    engine.execute("drop table bench")
    (attempts,) = engine.execute("select count(*) from marts.fct_attempts").fetchone()
    plain, priced = (min(seconds[name]) for name in sides)
    used = engine.execute(USED).fetchall()
    by_library = _seconds(lambda: [_price(*row) for row in used]) / len(used)
    by_sql = (priced - plain) / attempts
    _say(f"{attempts:,} attempts; fastest of {REPEAT}, in turn")
    _say(f"without prices {plain:.2f} s, with prices {priced:.2f} s: {priced / plain:.2f} times")
    _say(f"pricing by SQL {1 / by_sql:,.0f} attempts/s; building the priced fact {attempts / priced:,.0f} attempts/s")
    _say(f"the catalogue library, row by row: {1 / by_library:,.0f} attempts/s")
    _say(f"ratio {by_library / by_sql:,.0f} (pricing alone), {by_library * attempts / priced:,.0f} (the whole fact)")


def _fact(engine: duckdb.DuckDBPyConnection, view: str, computed: dict[str, str]) -> str:
    """The fact's columns, as far as a view of attempts has them."""
    known = {name: name for name in _columns(engine, "intermediate", view)} | computed
    columns = [f"{known[name]} as {name}" for name in _columns(engine, "marts", "fct_attempts") if name in known]
    return f"select {', '.join(columns)} from intermediate.{view}"  # noqa: S608 (names from the catalogue)


def _price(at, provider, model, processing, tier, region, context, *counts) -> object:
    """One attempt as a row-by-row pipeline would price it: find the model, build the usage, calculate."""
    key = PriceKey(provider, model, processing, tier, region, context)
    resolve.cache_clear()
    found = resolve(provider, model)
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens")
    usage = types.Usage(**{name: count for name, count in zip(names, counts, strict=True) if count})
    return found.model.calc_price(
        usage, found.provider, genai_request_timestamp=at.replace(tzinfo=UTC), price_context=context_of(key)
    )


def _columns(engine: duckdb.DuckDBPyConnection, schema: str, name: str) -> list[str]:
    return [row[0] for row in engine.execute(COLUMNS, [schema, name]).fetchall()]


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
