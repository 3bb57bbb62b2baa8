"""`make bench-silence`: how often senders that never stop are called silent, and after how many hours those that do are.

A sender is drawn by when it makes calls, by how many a week, and by how they come: one by one, in small batches, or in sessions
of twenty on days that differ by a factor. Those that rest at weekends have five days off a year as well. A year of each.
"""

# ruff: noqa: DTZ001 - the warehouse has UTC without a zone

import argparse
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import mean, median

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.dbt import run_dbt
from orchestration.settings import Settings, from_environment

FIRST = datetime(2025, 10, 6)  # a Monday
DAYS_OFF = (28, 87, 140, 235, 316)  # days after the first: two Mondays, a Thursday, a Friday and a Tuesday
CALLS_A_WEEK = (3, 7, 20, 70, 300, 2000, 50_000)
BATCHES = {"calls come one by one": 1, "in batches of 3": 3, "in sessions of 20, days differ": 20}
MODELS = (
    *("int_source_delays", "int_source_pauses", "int_source_rhythms", "int_judged_pauses"),
    *("int_source_silences", "int_source_silent_days", "int_source_freshness", "source_freshness", "source_silences"),
)
HOURS = ("event_date", "source", "environment", "data_mode", "hour_at", "attempts", "first_event_at", "last_event_at")
LOADS = ("source", "content_hash", "arrival_date", "event_date", "rows_loaded", "first_occurred_at", "last_occurred_at")


@dataclass(frozen=True)
class Drawn:
    """One sender, which is an environment."""

    name: str
    rhythm: str
    calls_a_week: int
    batches: str


def judge(settings: Settings, hours: pa.Table, loads: Iterable[tuple]) -> None:
    """Builds the models that judge senders over the hours in which they made calls and the files in which these came."""
    (settings.state / "spill").mkdir(parents=True, exist_ok=True)
    rows = list(loads)
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.register("made_up", hours)
        warehouse.register("landed", pa.table({name: [row[at] for row in rows] for at, name in enumerate(LOADS)}))
        for statement in TABLES.split(";"):
            warehouse.execute(statement)
    run_dbt(settings, "build", "--quiet", "--exclude-resource-type", "unit_test", "--select", *MODELS)


TABLES = """
    create schema if not exists intermediate;
    create schema if not exists staging;
    create or replace table intermediate.int_source_hours as from made_up;
    create or replace table staging.stg_loads as from landed;
    create or replace table intermediate.int_arrivals as
        select source, content_hash, min(arrival_date) as arrival_date from landed group by all
"""


def draw(seed: int, weeks: int, copies: int) -> tuple[list[Drawn], pa.Table]:
    """Senders and the hours in which they made calls."""
    dice, senders, tables = np.random.default_rng(seed), [], []
    hours = np.arange(weeks * 168)
    for rhythm, share in _rhythms(hours).items():
        for calls in CALLS_A_WEEK:
            for batches, size in BATCHES.items():
                for _ in range(copies):
                    senders.append(Drawn(f"sender-{len(senders)}", rhythm, calls, batches))
                    expected = share * calls
                    if size == 20:
                        expected = expected * np.repeat(dice.lognormal(-0.4, 0.9, weeks * 7), 24)
                    made = dice.poisson(expected / size) * dice.geometric(1 / size, len(hours))
                    tables.append(_table(senders[-1].name, np.nonzero(made)[0], made))
    return senders, pa.concat_tables(tables)


def _rhythms(hours: np.ndarray) -> dict[str, np.ndarray]:
    """For each kind of sender, which share of a week's calls falls into each hour."""
    day, hour, is_off = hours // 24, hours % 24, np.isin(hours // 24, DAYS_OFF)
    works = day % 7 < 5
    awake = 0.05 + ((hour >= 7) & (hour < 20))
    shapes = {
        "day and night": 0.6 + 0.4 * np.sin((hour - 9) / 24 * 2 * np.pi),
        "office hours": works & (hour >= 8) & (hour < 18),
        "weekdays": works * awake,
        "quiet weekends": np.where(works, 1, 0.05) * awake,
        "nightly": hour == 2,
        "weekly": (hour == 3) & (day % 7 == 6),
    }
    rests = ("office hours", "weekdays")
    return {
        name: np.where(is_off, 0, shape) * (1 / shape[:168].sum()) if name in rests else shape / shape[:168].sum()
        for name, shape in shapes.items()
    }


def _table(name: str, active: np.ndarray, made: np.ndarray) -> pa.Table:
    starts = [FIRST + timedelta(hours=int(hour)) for hour in active]
    columns = (
        [start.date() for start in starts],
        *([word] * len(starts) for word in ("events", name, "real")),
        starts,
        made[active].astype(np.int64),
        [start + timedelta(minutes=5) for start in starts],
        [start + timedelta(minutes=50) for start in starts],
    )
    types = (pa.date32(), *[pa.string()] * 3, pa.timestamp("us"), pa.int64(), pa.timestamp("us"), pa.timestamp("us"))
    return pa.table({name: pa.array(values, kind) for name, values, kind in zip(HOURS, columns, types, strict=True)})


def measure(root: Path, seed: int, weeks: int = 56, copies: int = 1) -> list[tuple[Drawn, int, int | None]]:
    """Each sender with how often it was called silent in error, and the hours after its last call from which on it would be in truth."""
    end = FIRST + timedelta(weeks=weeks)
    settings = from_environment({"TOKENTRAIL_DATA": str(root), "TOKENTRAIL_AS_OF": f"{end.isoformat()}Z"})
    senders, hours = draw(seed, weeks, copies)
    judge(settings, hours, [("events", "file", end.date(), end.date(), 1, end, end)])
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        found = {
            name: (errors, hours)
            for name, errors, hours in warehouse.execute("""
                select pauses.environment, count(silences.silent_since), max(silent_after_hours) filter (where pauses.returned_at is null)
                from intermediate.int_judged_pauses as pauses
                left join marts.source_silences as silences
                    on pauses.environment = silences.environment and pauses.last_event_at = silences.silent_since
                    and silences.status = 'returned'
                group by pauses.environment
            """).fetchall()
        }
    return [(each, *found[each.name]) for each in senders if each.name in found]


def main() -> None:
    """Prints what was measured, as tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--copies", type=int, default=8, help="senders of each kind")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        found = measure(Path(root), given.seed, copies=given.copies)
    print(f"{len(found)} sender-years, seed {given.seed}.\n", file=sys.stdout)
    print("| In error, per sender and year | " + " | ".join(BATCHES) + " |\n| --- " + "| --- " * len(BATCHES) + "|")
    for rhythm in dict.fromkeys(each.rhythm for each, *_ in found):
        errors = [
            mean(errors for each, errors, _ in found if (each.rhythm, each.batches) == (rhythm, batches))
            for batches in BATCHES
        ]
        print(f"| {rhythm} | " + " | ".join(f"{rate:.2f}" for rate in errors) + " |")
    print("\n| Hours until silent, median | " + " | ".join(map(str, CALLS_A_WEEK)) + " a week |")
    print("| --- " + "| --- " * len(CALLS_A_WEEK) + "|")
    for rhythm in dict.fromkeys(each.rhythm for each, *_ in found):
        waits = [
            [hours for each, _, hours in found if each.rhythm == rhythm and each.calls_a_week == calls and hours]
            for calls in CALLS_A_WEEK
        ]
        print(f"| {rhythm} | " + " | ".join(f"{median(each):.0f}" if each else "never" for each in waits) + " |")


if __name__ == "__main__":
    main()
