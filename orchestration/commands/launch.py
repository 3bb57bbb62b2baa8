"""The jobs behind `make run`, `make weekly` and `make backfill`, started once their arguments are valid.

Their arguments are in the environment (WEEK; FROM, TO, FULL_REFRESH), where no shell reads it.
"""

import gc
import os
import sys
from datetime import date, datetime
from typing import Any

from orchestration.commands.home import dead_runs, make_ready
from orchestration.commands.screen import SCREEN_WIDTH, print_screen
from orchestration.launching import run_job
from orchestration.news import news
from orchestration.plain import ArgumentError, plain_console, visible
from orchestration.settings import Settings, from_environment
from orchestration.warm_dbt.start import start_ahead
from orchestration.weekly import WeekError, complete_at, not_complete

FIRST_DATE, END_DATE = date(2015, 1, 1), date(2101, 1, 1)  # events outside are rejected while they are loaded
# When the interpreter looks for garbage: nearly all that Dagster makes stays, and looking through it was a sixth of its start.
RARELY = (50_000, 20, 20)
YES, NO = ("true", "yes", "1"), ("false", "no", "0", "")


def weekly_config(settings: Settings, week: str) -> dict[str, str | bool]:
    """The configuration of `weekly_recurrence`. Raises WeekError for what is not a week, or one that is not complete."""
    if week and settings.as_of < complete_at(settings, week):
        raise not_complete(settings, week)
    return {"week": week}


def backfill_config(first: str, last: str, full_refresh: str) -> dict[str, str | bool]:
    """The configuration of `backfill`. Raises ArgumentError with a sentence."""
    days = [_event_date(name, text) for name, text in (("FROM", first), ("TO", last)) if text]
    if len(days) == 1:
        raise ArgumentError(
            "A backfill has both dates or neither: give FROM and TO, or FULL_REFRESH=true for everything."
        )
    if days and days[0] > days[1]:
        raise ArgumentError(f"FROM is {first}, which is after TO, {last}: give the earlier date as FROM.")
    if full_refresh.lower() not in YES + NO:
        raise ArgumentError(f"FULL_REFRESH is {full_refresh!r}: write true or false.")
    return {"from": first, "to": last, "full_refresh": full_refresh.lower() in YES}


def _event_date(name: str, text: str) -> date:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a UTC event date, which has no time
    except ValueError:
        raise ArgumentError(f"{name} is {text!r}: give a date that exists, as YYYY-MM-DD.") from None
    if not FIRST_DATE <= day < END_DATE or day.isoformat() != text:
        raise ArgumentError(f"{name} is {text!r}: give an event date of 2015 to 2100, as YYYY-MM-DD.")
    return day


def main(arguments: list[str] | None = None) -> int:
    """Runs a job and says how it ended: 1 where it failed, 2 with a sentence on stderr where it could not be started.

    Where nothing is new, it says so and starts nothing; a week or dates that are asked for by name are always new.
    """
    [command] = sys.argv[1:] if arguments is None else arguments
    given = {name: os.environ.get(name, "").strip() for name in ("WEEK", "FROM", "TO", "FULL_REFRESH")}
    try:
        settings = from_environment()
        job, config = _job(settings, command, given)
        home = make_ready(settings)
    except (ArgumentError, WeekError, ValueError) as problem:  # ValueError: a setting, with its sentence
        print(visible(problem), file=sys.stderr)
        return 2
    if command == "run" or (command == "weekly" and not given["WEEK"]):
        found = news(settings)
        print(found.sentence, file=sys.stderr if found else sys.stdout)
        if not found:
            print_screen(settings, plain_console(SCREEN_WIDTH))
            return 0
    start_ahead(settings)
    for sentence in dead_runs(settings, home):
        print(sentence, file=sys.stderr)
    outcome = run_job(settings, job, config)
    print_screen(settings, plain_console(SCREEN_WIDTH), outcome)
    gc.freeze()  # or the interpreter looks through all that Dagster and Great Expectations made before it ends: 1.4 s
    return 1 if outcome.failed else 0


def _job(settings: Settings, command: str, given: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The job of a command and its configuration."""
    if command == "run":
        return "daily_attribution", {}
    if command == "weekly":
        return "weekly_recurrence", weekly_config(settings, given["WEEK"])
    return "backfill", backfill_config(given["FROM"], given["TO"], given["FULL_REFRESH"])


if __name__ == "__main__":
    gc.set_threshold(*RARELY)
    sys.exit(main())
