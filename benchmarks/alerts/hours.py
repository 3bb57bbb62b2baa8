"""Hours from the start of an incident to its alert, where each hour of each day is judged as the hourly job would have judged it.

`python -m benchmarks.alerts.hours` builds each world, then calls every day open through its last hour, so that one run judges all
hours of all days: an hour's judgement reads nothing that occurred after it.
"""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.alerts.__main__ import ALERT_MODELS, _worlds, build
from benchmarks.alerts.calendar import TUNING_SEEDS, UNSEEN_SEEDS, WARM_UP_DAYS
from benchmarks.report import table
from orchestration.settings import PROJECT

HOURLY_MODELS = "int_open_series int_hour_shares int_hourly_judgements int_hourly_signals"
LARGE = 0.2  # share of a day's spend from which an incident is to be announced within hours
OPEN_SHARE_FACTOR = 1.25  # as in macros/alerts/parameters.sql
AFTERMATH = timedelta(days=3)  # days after an incident that belong to it: baselines and versions settle
# Every hour of every day in prod/real, once a series has a past.
OPEN_EVERY_DAY = """
    create or replace table intermediate.int_open_hours as
    select distinct event_date, environment, data_mode, 23 as through_hour
    from marts.fct_attempts
    where environment = 'prod' and data_mode = 'real' and event_date >= $first;
    create or replace table intermediate.alert_open_days as
    select distinct event_date, md5(event_date::varchar) as input_fingerprint from intermediate.int_open_hours;
"""
# A model without a price stands out once its likely cost is large enough, whatever the hour. A day's signals are confirmed where
# a series of them belongs to a problem of the complete day.
SIGNALS = """
    with unknown_models as (
        select hours.event_date, hours.scope_dimension, hours.scope_value, min(hours.hour_of_day) as first_hour
        from intermediate.int_open_series as hours
        inner join intermediate.int_newcomers as newcomers
            using (environment, data_mode, scope_dimension, scope_value, event_date)
        inner join staging.stg_alert_rules as rules using (alert_type, scope_dimension)
        where newcomers.alert_type = 'unknown_model' and environment = 'prod' and data_mode = 'real'
            and rules.environment = '*' and rules.scope_value = '*'
            and hours.exposure_usd >= greatest(
                rules.min_usd, rules.min_share_of_spend * $open_share_factor * newcomers.usual_spend_usd
            )
        group by all
    ),

    signals as (
        select event_date, scope_dimension, scope_value, first_hour from intermediate.int_hourly_signals
        where environment = 'prod' and data_mode = 'real'
        union all
        from unknown_models
    )

    select
        signals.event_date, signals.scope_dimension, signals.scope_value, signals.first_hour,
        bool_or(problems.event_date is not null) over (partition by signals.event_date) as is_confirmed
    from signals
    left join (
        select distinct belonging.event_date, belonging.scope_dimension, belonging.scope_value
        from intermediate.int_problem_signals as belonging
        inner join intermediate.int_problems as problems using (event_date, environment, data_mode, round)
        where belonging.environment = 'prod' and belonging.data_mode = 'real'
    ) as problems using (event_date, scope_dimension, scope_value)
    order by all
"""


@dataclass(frozen=True)
class Signal:
    """A series that stood out on a day, `first_hour`: by the end of which hour at the earliest."""

    day: date
    dimension: str
    value: str
    first_hour: int
    is_confirmed: bool

    @property
    def heard_at(self) -> datetime:
        """When the hour was over; how late its calls arrive comes on top."""
        return datetime.combine(self.day, time()) + timedelta(hours=self.first_hour + 1)


@dataclass(frozen=True)
class Heard:
    """One world: hours until the first alert of each large incident (None: none while it lasted), and the other alerts.

    Of the days with a false alarm, `further_days` are those whose complete day shows nothing.
    """

    hours: list[float | None]
    false_days: int
    further_days: int
    quiet_weeks: float
    days_with_signals: int
    withdrawn_days: int


def heard(signals: list[Signal], truth: dict) -> Heard:
    """Scores the signals of a world."""
    first = date.fromisoformat(truth["world"]["first"]) + timedelta(days=WARM_UP_DAYS)
    last = date.fromisoformat(truth["world"]["last"])
    days = {first + timedelta(days=place) for place in range((last - first).days + 1)}
    quiet = days - _busy(truth)
    alerted = {signal.day for signal in signals}
    unconfirmed = {signal.day for signal in signals if not signal.is_confirmed}
    return Heard(
        [_hours(signals, incident) for incident in truth["incidents"] if incident["share"] >= LARGE],
        len(alerted & quiet),
        len(unconfirmed & quiet),
        len(quiet) / 7,
        len(alerted),
        len(unconfirmed),
    )


def _busy(truth: dict) -> set[date]:
    found = set()
    for incident in truth["incidents"] + truth["planned"]:
        day = date.fromisoformat(incident["onset_date"])
        while day <= date.fromisoformat(incident["end_date"]) + AFTERMATH:
            found.add(day)
            day += timedelta(days=1)
    return found


def _hours(signals: list[Signal], incident: dict) -> float | None:
    start = datetime.fromisoformat(incident["start"]).replace(tzinfo=None)
    end = datetime.fromisoformat(incident["end"]).replace(tzinfo=None)
    names = {incident[name] for name in ("endpoint", "prompt_version", "tenant", "user", "model")} - {None}
    about = [
        signal.heard_at
        for signal in signals
        if start < signal.heard_at <= end and (signal.dimension == "total" or names & set(signal.value.split(" | ")))
    ]
    return (min(about) - start).total_seconds() / 3600 if about else None


def signals_of(warehouse: Path, truth: dict) -> list[Signal]:
    """Judges every hour of a built world."""
    first = date.fromisoformat(truth["world"]["first"]) + timedelta(days=WARM_UP_DAYS)
    with duckdb.connect(str(warehouse)) as database:
        for statement in OPEN_EVERY_DAY.split(";")[:-1]:
            database.execute(statement, {"first": first} if "$first" in statement else None)
    build(warehouse, date.fromisoformat(truth["world"]["last"]), HOURLY_MODELS)
    with duckdb.connect(str(warehouse), read_only=True) as database:
        return [Signal(*row) for row in database.execute(SIGNALS, {"open_share_factor": OPEN_SHARE_FACTOR}).fetchall()]


def markdown(worlds: list[Heard], seeds: list[int]) -> str:
    """The scores as a table."""
    hours = [hour for world in worlds for hour in world.hours]
    known = np.array([np.inf if hour is None else hour for hour in hours])
    alerted = sum(world.days_with_signals for world in worlds)
    rows = [
        (f"Incidents of at least {LARGE:.0%} of a day's spend", str(len(hours))),
        ("Hours from onset to alert (median)", f"{np.median(known):.1f}" if hours else "none"),
        ("Alerted within 3 hours", f"{(known <= 3).mean():.2f}" if hours else "none"),
        ("Alerted within 6 hours", f"{(known <= 6).mean():.2f}" if hours else "none"),
        ("Days with a false alarm, a week", f"{_a_week([world.false_days for world in worlds], worlds):.2f}"),
        (
            "... of which the complete day shows nothing",
            f"{_a_week([world.further_days for world in worlds], worlds):.2f}",
        ),
        ("Withdrawn by the complete day", f"{sum(world.withdrawn_days for world in worlds) / max(alerted, 1):.2f}"),
    ]
    return f"{len(seeds)} worlds (seeds {seeds[0]} to {seeds[-1]}), every hour judged.\n\n" + table(
        ("The day that is not over", "measured"), rows
    )


def _a_week(days: list[int], worlds: list[Heard]) -> float:
    return sum(days) / sum(world.quiet_weeks for world in worlds)


def main(arguments: list[str] | None = None) -> int:
    """Writes, builds and scores each world; prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts.hours", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many worlds (default: %(default)s)")
    parser.add_argument("--tuning", action="store_true", help="the worlds thresholds may be tuned on")
    parser.add_argument("--data", type=Path, default=PROJECT / "data" / "benchmarks" / "alert_hours")
    options = parser.parse_args(arguments)
    seeds = list(TUNING_SEEDS if options.tuning else UNSEEN_SEEDS)[: options.seeds]
    worlds = []
    for path in _worlds(options.data, seeds):
        truth = json.loads(path.with_suffix(".json").read_text())
        warehouse = options.data.resolve() / "warehouse.duckdb"
        shutil.copyfile(path, warehouse)
        build(warehouse, date.fromisoformat(truth["world"]["last"]), ALERT_MODELS)
        worlds.append(heard(signals_of(warehouse, truth), truth))
        sys.stderr.write(f"{path}: {worlds[-1]}\n")
    sys.stdout.write(markdown(worlds, seeds) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
