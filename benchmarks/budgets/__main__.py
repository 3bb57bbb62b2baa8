"""`make bench-budgets`: how early a spend alert comes before the limit is crossed, and how often in error.

Every scope spends by hours and weekdays of its own, with the noise of days and of calls; four weeks lie before the period that
is judged, except for every eighth scope, which is new. What it ends at, in shares of its limit, is drawn. `steady` scopes spend
at one level all the time, `step` ones change theirs within the period's first half, `burst` ones lose a day's spend in hours.
"""

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.budgets.world import Spend, World, budget, world_at

# period: first local date, days, how many are drawn
PERIODS = {
    "day": (date(2026, 11, 4), 1, 120),
    "week": (date(2026, 11, 2), 7, 160),
    "month": (date(2026, 10, 1), 31, 240),
}
AS_OF = "2026-11-12T00:00:00"
KINDS = ("steady",) * 6 + ("step", "burst")
HISTORY_DAYS = 28


@dataclass(frozen=True)
class Drawn:
    """One budget and what will come of it."""

    name: str
    kind: str
    period: str
    ends_at: float  # share of the limit
    limit: float
    spend: list[Spend]


def draw(number: int, period: str, seed: int) -> Drawn:
    """A scope whose period ends at a drawn share of its limit."""
    dice = random.Random(f"{seed}-{number}")  # noqa: S311 (a simulation)
    kind, is_new = KINDS[number % len(KINDS)], number % 8 == 3
    first, days, _ = PERIODS[period]
    share = math.exp(dice.uniform(math.log(0.35), math.log(2)))
    calls, spread = dice.choice([40, 150, 600]), dice.choice([0.6, 1.2])
    noise, busy, night, weekend = (
        dice.uniform(0.05, 0.25),
        dice.uniform(8, 16),
        dice.uniform(0.1, 0.9),
        dice.uniform(0.2, 1),
    )
    step_at, step = dice.uniform(0.1, 0.5) * days, dice.uniform(1.5, 3)
    usd: dict[datetime, float] = {}
    for place in range(0 if is_new else -HISTORY_DAYS, days):
        day = first + timedelta(days=place)
        level = dice.lognormvariate(0, noise) * (weekend if day.weekday() > 4 else 1)
        for hour in range(24):
            shape = 1 + night + math.cos((hour - busy) / 24 * 2 * math.pi)
            mean = level * calls * shape / (24 * (1 + night))
            if kind == "step" and place + hour / 24 >= step_at:
                mean *= step
            if kind == "burst" and place == days // 2 and 10 <= hour < 12:
                mean += calls / 2
            count = max(0, round(dice.gauss(mean, math.sqrt(mean))))
            if count:
                at = datetime.fromisoformat(f"{day}T{hour:02}:{15 * dice.randrange(4):02}")
                usd[at] = sum(dice.lognormvariate(0, spread) for _ in range(count))
    total = sum(value for at, value in usd.items() if at.date() >= first)
    spend = [Spend(at.isoformat(), f"{value / total * share * 100:.6f}") for at, value in usd.items()]
    return Drawn(f"{period}-{number}", kind, period, share, 100, spend)


def main(arguments: list[str] | None = None) -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other periods (default: %(default)s)")
    seed = parser.parse_args(arguments).seed
    drawn = [draw(number, period, seed) for period, (*_, count) in PERIODS.items() for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        world = _built(Path(folder), drawn)
        alerts = _first(world, "spend_alert")
        crossings = _first(world, "exceeded")
    sys.stdout.write("\n".join(_report(drawn, alerts, crossings)) + "\n")
    return 0


def _built(folder: Path, drawn: list[Drawn]) -> World:
    world = world_at(folder)
    for each in drawn:
        world.spend[each.name] = each.spend
        first, days, _ = PERIODS[each.period]
        until = first + timedelta(days=days)
        row = budget(each.name, each.period, each.limit, valid_from=first, valid_to=until, is_spend_alert_on="")
        world.budgets.append(row)
    return world.build(AS_OF)


def _first(world: World, state: str) -> dict[str, float]:
    """By budget: when it first reached the state, as a share of the period."""
    rows = world.ask(
        """
        select budget_id, min((epoch(changed_at) - epoch(starts_at)) / (epoch(ends_at) - epoch(starts_at)))
        from budget_transitions inner join budget_status using (budget_id, period_start)
        where to_state = ? group by budget_id
        """,
        state,
    )
    return dict(rows)


def _report(drawn: list[Drawn], alerts: dict[str, float], crossings: dict[str, float]) -> Iterator[str]:
    yield f"{len(drawn)} periods: " + ", ".join(f"{count} of a {name}" for name, (*_, count) in PERIODS.items())
    yield ""
    yield "| ends exceeded | periods | with an alert first | median lead, share of the period | lower quarter |"
    yield "| --- | --- | --- | --- | --- |"
    for name, chosen in _groups([each for each in drawn if each.name in crossings]):
        leads = [crossings[each.name] - min(alerts.get(each.name, math.inf), crossings[each.name]) for each in chosen]
        early = sum(lead > 0 for lead in leads)
        yield f"| {name} | {len(leads)} | {early / len(leads):.0%} | {median(leads):.0%} | {sorted(leads)[len(leads) // 4]:.0%} |"
    yield ""
    yield "| ends at, of the limit | periods | with a spend alert |"
    yield "| --- | --- | --- |"
    for low, high in ((0, 0.7), (0.7, 0.9), (0.9, 1), (1, 1.1), (1.1, 9)):
        chosen = [each.name in alerts for each in drawn if low <= each.ends_at < high]
        yield f"| {low:.0%} to {high:.0%} | {len(chosen)} | {sum(chosen) / len(chosen):.1%} |"
    below = [each for each in drawn if each.ends_at < 0.9]
    for name, chosen in _groups(below):
        cried = sum(each.name in alerts for each in chosen)
        yield f"| below 90 %, {name} | {len(chosen)} | {cried / len(chosen):.1%} |"


def _groups(drawn: list[Drawn]) -> Iterator[tuple[str, list[Drawn]]]:
    yield "all", drawn
    for kind in dict.fromkeys(KINDS):
        yield kind, [each for each in drawn if each.kind == kind]
    for period in PERIODS:
        yield f"steady, {period}", [each for each in drawn if each.kind == "steady" and each.period == period]


if __name__ == "__main__":
    sys.exit(main())
