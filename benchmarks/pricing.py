"""What pricing costs: `python -m benchmarks.pricing --data DIR`, over a data root that this code built (`make run`).

Two questions, each answered with what the other side would have to do as well.

**How much longer does it take to build the facts?** Without prices a warehouse still has to decide which deliveries are
the same attempt and to build `fct_attempts` and `fct_requests`. So both sides build all three, for every date, from the
raw zone, by the SQL that dbt compiles for a full refresh; the side without prices has no price book, no join to it, and
neither computes nor stores a column that is made from prices. Writing the evidence counts as pricing. What dbt itself
takes (parsing, tests) is the same on both sides and left out: it would only bring the ratio nearer to 1.

**How much faster than the catalogue library, called row by row?** The library returns a price and stores nothing. So
the SQL prices every attempt and stores nothing: it sums each cost and counts each piece of evidence, so that none is
left out, joins included. Both sides start from attempts in memory. The library is called as its documentation says
(`calc_price(usage, model_ref, provider_id=...)`) and keeps its own cache of the models it has found. It prices on one
core, as a loop over rows does, and DuckDB on as many as the settings give: the ratio per core is printed too.

The sides run in turn, because whatever else the machine does then meets both; CPU seconds are printed next to the wall's.
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb
from genai_prices import calc_price, types

from orchestration.dbt import run_dbt
from orchestration.settings import Settings, from_environment
from orchestration.warehouse import duckdb_config
from pricing.rows import PriceKey
from pricing.units import LEAVES

REPEAT = 5
IDENTITY = ("int_identity_candidates", "int_candidate_attempts", "int_repeated_deliveries")
PRICED, ATTEMPTS = "int_priced_attempts", "int_attempts"
MADE_FROM_PRICES = {
    "fct_attempts": ["pricing_status"],  # and all that the join to prices adds
    "fct_requests": ["cost_usd", "retry_cost_usd", "unpriced_attempts", "no_usage_attempts"],
}
COLUMNS = """
    select column_name, data_type from duckdb_columns()
    where database_name = 'warehouse' and table_name = ? order by column_index
"""
# What a price depends on; the library gets its attempts from the same table.
READ = (
    *PriceKey._fields,
    "tenant_id",
    "occurred_at",
    "input_tokens",
    "other_usage",
    *(leaf.quantity for leaf in LEAVES),
)
USED = """
    select occurred_at, provider, model, processing, service_tier,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens
    from warehouse.marts.fct_attempts
    where pricing_status = 'priced' and other_usage is null
    using sample 20000 (reservoir, 1)
"""
USAGE = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens")


class Spent(NamedTuple):
    """Seconds on the wall and of all cores."""

    wall: float
    cpu: float


def main() -> int:
    """Prints both ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pricing", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a data root that this code built")
    data = parser.parse_args().data.resolve()
    settings = from_environment(os.environ | {"TOKENTRAIL_DATA": str(data)})
    scratch = settings.state / "bench-pricing.duckdb"
    scratch.unlink(missing_ok=True)
    compiled = _compiled(settings)
    with duckdb.connect(config=duckdb_config(settings) | {"preserve_insertion_order": "false"}) as engine:
        engine.execute(f"attach '{settings.warehouse}' as warehouse (read_only); attach '{scratch}' as bench")
        _say("the median of the pairs, and from the lowest to the highest; seconds are of the fastest")
        _compare_builds(engine, compiled)
        _compare_pricing(engine, compiled)
    scratch.unlink()
    return 0


def _compiled(settings: Settings) -> dict[str, str]:
    """The SQL of the models as a full refresh would run it."""
    names = (*IDENTITY, "int_price_book", PRICED, "fct_attempts", "fct_requests")
    run_dbt(settings, "compile", "--full-refresh", "--quiet", "--select", *names)
    folder = settings.state / "dbt" / "compiled"
    return {name: next(folder.rglob(f"{name}.sql")).read_text() for name in names}


def _compare_builds(engine: duckdb.DuckDBPyConnection, compiled: dict[str, str]) -> None:
    sides = {"without prices": _without_prices(engine, compiled), "with prices": _with_prices(compiled)}
    runs: dict[str, list[dict[str, Spent]]] = {side: [] for side in sides}
    for _ in range(REPEAT):
        for side, steps in sides.items():
            runs[side].append({name: _build(engine, name, sql) for name, sql in steps.items()})
    counted = "select count(*), current_setting('threads') from bench.fct_attempts"
    attempts, threads = engine.execute(counted).fetchone()
    _say(f"{attempts:,} attempts, {threads} threads")
    for name in ("fct_attempts", "fct_requests", "all"):
        without, priced = ([_step(run, name) for run in runs[side]] for side in sides)
        _say(
            f"{name}: without prices {_fastest(without)}, with {_fastest(priced)}; "
            f"ratio {_ratios([p.wall / w.wall for w, p in zip(without, priced, strict=True)])}, "
            f"of CPU seconds {_ratios([p.cpu / w.cpu for w, p in zip(without, priced, strict=True)])}"
        )


def _with_prices(compiled: dict[str, str]) -> dict[str, str]:
    return _steps(compiled, *IDENTITY, "int_price_book", "fct_attempts", "fct_requests")


def _without_prices(engine: duckdb.DuckDBPyConnection, compiled: dict[str, str]) -> dict[str, str]:
    """The same models over attempts whose price columns are NULL, and without the columns made from them."""
    steps = _steps(compiled, *IDENTITY, "fct_attempts", "fct_requests")
    columns = {name: dict(engine.execute(COLUMNS, [name]).fetchall()) for name in (ATTEMPTS, PRICED, "fct_attempts")}
    added = {name: kind for name, kind in columns[PRICED].items() if name not in columns[ATTEMPTS]}
    own = [name for name in columns["fct_attempts"] if name in added] + MADE_FROM_PRICES["fct_attempts"]
    absent = {name: columns["fct_attempts"][name] for name in own}
    reads = {
        "fct_attempts": (_relation(PRICED, "intermediate"), _and_nulls(_relation(ATTEMPTS, "intermediate"), added)),
        "fct_requests": ("bench.fct_attempts", _and_nulls("bench.fct_attempts", absent)),
    }
    for name, (relation, instead) in reads.items():
        gone = absent if name == "fct_attempts" else MADE_FROM_PRICES[name]
        read = steps[name].replace(relation, instead)
        steps[name] = f"select * exclude ({', '.join(gone)}) from ({read})"  # noqa: S608 (names from the catalogue)
    return steps


def _and_nulls(relation: str, columns: dict[str, str]) -> str:
    nulls = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in columns.items())
    return f"(select *, {nulls} from {relation})"  # noqa: S608 (names from the catalogue)


def _steps(compiled: dict[str, str], *names: str) -> dict[str, str]:
    """The SQL of the models that a side builds, by name; what it has built itself is read where it built it."""
    steps = {name: compiled[name] for name in names}
    for built in names:
        for schema in ("intermediate", "marts"):
            steps = {name: sql.replace(_relation(built, schema), f"bench.{built}") for name, sql in steps.items()}
    return steps


def _relation(name: str, schema: str) -> str:
    return f'"warehouse"."{schema}"."{name}"'


def _build(engine: duckdb.DuckDBPyConnection, name: str, sql: str) -> Spent:
    engine.execute(f"drop table if exists bench.{name}")
    return _spent(lambda: engine.execute(f"create table bench.{name} as {sql}"))


def _step(run: dict[str, Spent], name: str) -> Spent:
    kept = run.values() if name == "all" else [run[name]]
    return Spent(sum(spent.wall for spent in kept), sum(spent.cpu for spent in kept))


def _compare_pricing(engine: duckdb.DuckDBPyConnection, compiled: dict[str, str]) -> None:
    engine.execute(f"create table attempts as select {', '.join(READ)} from warehouse.intermediate.{ATTEMPTS}")  # noqa: S608
    (attempts,) = engine.execute("select count(*) from attempts").fetchone()
    statement = _priced_and_counted(engine, compiled[PRICED].replace(_relation(ATTEMPTS, "intermediate"), "attempts"))
    used = engine.execute(USED).fetchall()
    by_sql, by_library = [], []
    for _ in range(REPEAT):
        by_sql.append(_spent(lambda: engine.execute(statement).fetchall()))
        by_library.append(_spent(lambda: [_price(*row) for row in used]))
    in_sql, in_library = min(by_sql), min(by_library)
    _say(
        f"pricing by SQL, nothing stored: {attempts / in_sql.wall:,.0f} attempts/s, {attempts / in_sql.cpu:,.0f} per core"
    )
    _say(f"the catalogue library, row by row: {len(used) / in_library.wall:,.0f} attempts/s")
    ratios = [
        [
            (attempts / getattr(sql, kind)) / (len(used) / getattr(library, kind))
            for sql, library in zip(by_sql, by_library, strict=True)
        ]
        for kind in Spent._fields
    ]
    _say(f"ratio {_ratios(ratios[0], 0)}, per core {_ratios(ratios[1], 0)}")


def _priced_and_counted(engine: duckdb.DuckDBPyConnection, priced: str) -> str:
    """All that the join to prices adds, used up: money summed, the rest counted."""
    columns = [row[0] for row in engine.execute(f"describe {priced}").fetchall() if row[0] not in READ]
    parts = [f"{'sum' if name.endswith('cost_usd') else 'count'}({name})" for name in columns]
    return f"select {', '.join(parts)} from ({priced})"  # noqa: S608 (names from the catalogue)


def _price(at, provider, model, processing, tier, *counts) -> object:
    """One attempt as a row-by-row pipeline would price it; None where the library does not know the model."""
    usage = types.Usage(**{name: count for name, count in zip(USAGE, counts, strict=True) if count})
    asked = {"processing": processing, "service_tier": tier}
    with contextlib.suppress(LookupError):
        return calc_price(
            usage,
            model,
            provider_id=provider,
            genai_request_timestamp=at.replace(tzinfo=UTC),
            price_context={name: value for name, value in asked.items() if value},
        )


def _spent(work: Callable[[], object]) -> Spent:
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Spent(time.monotonic() - wall, time.process_time() - cpu)


def _fastest(spent: list[Spent]) -> str:
    return f"{min(each.wall for each in spent):.2f} s (CPU {min(each.cpu for each in spent):.2f})"


def _ratios(ratios: list[float], places: int = 2) -> str:
    """The median of the pairs, and how far they lie apart."""
    low, middle, high = (f"{ratio:,.{places}f}" for ratio in (min(ratios), median(ratios), max(ratios)))
    return f"{middle} ({low} to {high})"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
