"""`make bench-budgets`: how early a spend alert comes before the limit is crossed, and how often in error.

Every scope spends by hours and weekdays of its own, with the noise of days and of calls; four weeks lie before the period that
is judged, except for every eighth scope, which is new. What it ends at, in shares of its limit, is drawn. `steady` scopes spend
at one level all the time, `step` ones change theirs within the period's first half, `burst` ones lose half a day's spend in two
hours. `batch` scopes spend mostly in one quarter-hour on the hour, every night or every week, a third of them nothing else.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.budgets.world import budget, world_at

# period: first local date, days
PERIODS = {
    "day": (date(2026, 11, 4), 1),
    "week": (date(2026, 11, 2), 7),
    "month": (date(2026, 10, 1), 31),
    "quarter": (date(2026, 7, 1), 92),
}
AS_OF = "2026-11-12T00:00:00"
KINDS = ("steady",) * 6 + ("step", "burst")
HISTORY_DAYS = 28
# calls a day, and whether they come in batches
SIZES = {"2 a day": (2, False), "10": (10, False), "40": (40, False), "150": (150, False), "600": (600, False)}
SIZES |= {"batch of 10": (2, True), "batch of 200": (40, True)}
BATCH = 2000  # budgets of one warehouse
LARGE = ("40", "150", "600")


@dataclass(frozen=True)
class Drawn:
    """One budget and what will come of it: spend and calls by quarter-hour, from four weeks before the period."""

    name: str
    size: str
    period: str
    kind: str
    ends_at: float  # share of the limit, which is 100
    is_new: bool
    usd: np.ndarray
    calls: np.ndarray


def draw(number: int, size: str, period: str, seed: int) -> Drawn:
    """A scope whose period ends at a drawn share of its limit."""
    mean_calls, is_batch = SIZES[size]
    dice = np.random.default_rng([seed, number, list(SIZES).index(size), list(PERIODS).index(period)])
    kind, is_new = KINDS[number % len(KINDS)], number // len(KINDS) % 8 == 3
    first, days = PERIODS[period]
    # a tenth are far above: 2 to 5 times their limit
    share = float(
        np.exp(dice.uniform(np.log(2), np.log(5)) if dice.random() < 0.1 else dice.uniform(np.log(0.35), np.log(2)))
    )
    weekdays = np.array(
        [(first + timedelta(days=place - HISTORY_DAYS)).weekday() for place in range(HISTORY_DAYS + days)]
    )
    expected = _expected(dice, mean_calls * dice.uniform(0.5, 1.5), weekdays, kind, days)
    calls = _with_batches(dice, mean_calls, weekdays, expected) if is_batch else dice.poisson(expected)
    if is_new:
        calls[:HISTORY_DAYS] = 0
    calls = calls.reshape(-1)
    spread = dice.choice([0.6, 1.2])
    of_call = np.repeat(np.arange(len(calls)), calls)
    usd = np.bincount(of_call, dice.lognormal(0, spread, len(of_call)), len(calls))
    ends_at = usd[HISTORY_DAYS * 96 :].sum()
    usd = usd / ends_at * share * 100 if ends_at else usd * 0
    name = f"{period}-{size}-{number}".replace(" ", "-")
    return Drawn(name, size, period, kind, share if ends_at else 0.0, is_new, usd, calls)


def _expected(dice: np.random.Generator, calls: float, weekdays: np.ndarray, kind: str, days: int) -> np.ndarray:
    """Calls by day and quarter-hour."""
    noise, busy, night, weekend = (dice.uniform(*span) for span in ((0.05, 0.25), (8, 16), (0.1, 0.9), (0.2, 1)))
    level = dice.lognormal(0, noise, len(weekdays)) * np.where(weekdays > 4, weekend, 1)
    shape = 1 + night + np.cos((np.arange(96) / 4 - busy) / 24 * 2 * np.pi)
    expected = calls * level[:, None] * (shape / shape.sum())[None, :]
    step_at, step = int(dice.uniform(0.1, 0.5) * days * 96), dice.uniform(1.5, 3)
    if kind == "step":
        expected.reshape(-1)[HISTORY_DAYS * 96 + step_at :] *= step
    if kind == "burst":
        expected[HISTORY_DAYS + days // 2, 40:48] += calls / 2 / 8
    return expected


def _with_batches(dice: np.random.Generator, calls: float, weekdays: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """A batch on the hour each night, or each week, and none, some or all of the other calls."""
    runs = weekdays == dice.integers(0, 7) if dice.random() < 0.25 else weekdays >= 0
    batches = np.zeros(expected.shape)
    batches[runs, dice.integers(0, 8) * 4] = calls * dice.uniform(1, 8)
    batches *= dice.lognormal(0, 0.05, (len(weekdays), 1))
    return dice.poisson(expected * dice.choice([0, 0.3, 1])) + batches.round().astype(int)


def main(arguments: list[str] | None = None) -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other periods (default: %(default)s)")
    parser.add_argument("--periods", type=int, default=1000, help="of all cells together (default: %(default)s)")
    parser.add_argument("--below", type=int, help="periods of each cell that end below 90 %% of the limit, instead")
    parser.add_argument("--lengths", nargs="+", default=["day", "week", "month"], choices=PERIODS, help="of periods")
    chosen = parser.parse_args(arguments)
    cells = [(size, period) for period in chosen.lengths for size in SIZES]
    drawn = [
        each for cell in cells for each in _cell(*cell, chosen.seed, chosen.below, -(-chosen.periods // len(cells)))
    ]
    judged: list[tuple[Drawn, float, float]] = []
    for some in (drawn[at : at + BATCH] for at in range(0, len(drawn), BATCH)):
        with tempfile.TemporaryDirectory() as folder:
            alerts, crossings = _judged(Path(folder), some)
        judged += [(each, alerts.get(each.name, np.inf), crossings.get(each.name, np.inf)) for each in some]
    sys.stdout.write("\n".join(_report(judged)) + "\n")
    return 0


def _cell(size: str, period: str, seed: int, below: int | None, count: int) -> Iterator[Drawn]:
    number = found = 0
    while found < below if below else number < count:
        drawn = draw(number, size, period, seed)
        found += drawn.ends_at < 0.9
        number += 1
        yield drawn


def _judged(folder: Path, drawn: Sequence[Drawn]) -> tuple[dict[str, float], dict[str, float]]:
    """By budget: when it was alerted and when it was exceeded, as a share of the period."""
    world = world_at(folder / "data")
    for each in drawn:
        first, days = PERIODS[each.period]
        until = first + timedelta(days=days)
        row = budget(each.name, each.period, 100, valid_from=first, valid_to=until, is_spend_alert_on="")
        world.budgets.append(row)
    world.judge(AS_OF, pa.concat_tables(_usage(each) for each in drawn))
    return world.first("spend_alert"), world.first("exceeded")


def _usage(drawn: Drawn) -> pa.Table:
    first, _ = PERIODS[drawn.period]
    begins = np.datetime64(datetime.combine(first - timedelta(days=HISTORY_DAYS), datetime.min.time()), "us")
    places = np.flatnonzero(drawn.calls)
    return pa.table(
        {
            "budget_id": pa.array([drawn.name] * len(places), pa.string()),
            "quarter_at": pa.array(begins + places * np.timedelta64(15, "m")),
            "attempts": pa.array(drawn.calls[places].astype(np.int64)),
            "usd": pa.array(drawn.usd[places].astype(float)),
        }
    )


def _report(judged: list[tuple[Drawn, float, float]]) -> Iterator[str]:
    yield f"{len(judged)} periods"
    yield ""
    yield "| period | calls | end below 90 % | of these alerted | steady overspend | alerted before | median lead |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    cells = list(dict.fromkeys((each.period, each.size) for each, *_ in judged))
    for period, size in cells:
        yield _row(period, size, [found for found in judged if (found[0].period, found[0].size) == (period, size)])
    yield _row("all", "of 40 a day and more", [found for found in judged if found[0].size in LARGE])
    yield _row("all", "all", judged)


def _row(period: str, size: str, judged: list[tuple[Drawn, float, float]]) -> str:
    below = [alerted < np.inf for each, alerted, _ in judged if each.ends_at < 0.9]
    steady = [found for found in judged if found[0].kind == "steady" and found[2] < np.inf]
    leads = np.array([crossed - min(alerted, crossed) for _, alerted, crossed in steady] or [0.0])
    return (
        f"| {period} | {size} | {len(below)} | {np.mean(below or [0]):.1%} "
        f"| {len(steady)} | {np.mean(leads > 0):.0%} | {np.median(leads):.0%} |"
    )


if __name__ == "__main__":
    sys.exit(main())
