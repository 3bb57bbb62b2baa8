"""One screen after a run, for whoever looks once a day: what came in, what it cost against usual, what stands out, what is missing.

`make run` ends with it; `python -m orchestration.commands.screen` prints it again. The tables are those of `make report`.
"""

import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import duckdb
from rich.console import Console
from rich.text import Text

from orchestration.invoices.months import last_month
from orchestration.landing.database import open_memory
from orchestration.landing.manifests import manifest_files, manifest_rows_sql
from orchestration.landing.sources import NOT_USAGE
from orchestration.landing.trouble import LoadStopped
from orchestration.launching import Outcome
from orchestration.notifications.failed_runs import FailedRun
from orchestration.notifications.silences import silent_senders
from orchestration.plain import plain_console, visible, wrapped
from orchestration.settings import Settings, from_environment
from orchestration.tables import print_table
from orchestration.warehouse import open_marts, what_readers_see
from orchestration.wording import count, day, many, percent, stamp, usd

SCREEN_WIDTH = 110
NAME = 48  # characters of a name: the screen is for reading, `make report` has names whole
REASONS, ENVIRONMENTS, ALERTS, BUDGETS, MODELS, NAMES = 4, 5, 3, 4, 3, 3  # shown; what is more is counted
WEEKS = 4  # that make what is usual, of the same weekdays
SILENT = "The calls of the silent senders named above."
ALL_THERE = "Nothing: every model has a price, and the last day is complete."
Days = dict[date, tuple[Decimal | None, int, int]]  # cost, calls, calls without a price


def main() -> int:
    """Prints the screen of what is published now."""
    print_screen(from_environment(), plain_console(SCREEN_WIDTH))
    return 0


def print_screen(settings: Settings, console: Console, outcome: Outcome | None = None) -> None:
    """The screen of a run; without one, of what is published. After a failed run the last line says why it failed."""
    if outcome and outcome.failed:
        _print_failure(settings, console, outcome, outcome.failed)
        return
    if not settings.published_marts.exists():
        _say(console, f"Nothing is published yet under {settings.published}: `make run` does that.")
        return
    _say(console, _headline(settings, outcome), "")
    with open_marts(settings) as marts:
        silent = list(silent_senders(marts))
        for sentence in silent:
            console.print(Text(visible(sentence), style="bold red"), "", sep="\n", soft_wrap=True)
        for title, lines in (
            ("CAME IN", _came_in(settings, outcome)),
            ("STANDS OUT", _alerts(marts)),
            ("BUDGETS", _budgets(marts)),
            ("BILLS", [*last_month(marts, settings.as_of)]),
            ("MISSING", [*_missing(marts)] or [SILENT if silent else ALL_THERE]),
        ):
            if title == "BILLS" and not lines:
                continue  # none has landed
            _say(console, title, *(f"  {line}" for line in lines), "")
            if title == "CAME IN":
                _print_costs(marts, console)
    _say(console, *_next_steps(settings))


def _print_failure(settings: Settings, console: Console, outcome: Outcome, failed: FailedRun) -> None:
    """Why a run failed, and what readers have. The last line, which is not broken, has the cause and where to look."""
    first, *others = failed.error.splitlines()
    more = f" ({many(len(others), 'more line')} above)" if others else ""
    lines = [
        f"{failed.title} after {_duration(outcome.seconds)}. {what_readers_see(settings)}",
        *([f"  {line}" for line in (first, *others)] if others else []),
        f"The log is {outcome.log}.",
        f"{first}{more} Run: {failed.address}",
    ]
    console.print(*(Text(visible(line)) for line in lines), sep="\n", soft_wrap=True)


def _headline(settings: Settings, outcome: Outcome | None) -> str:
    seen = what_readers_see(settings)
    if outcome is None:
        return seen
    return f"{outcome.job} succeeded after {_duration(outcome.seconds)}. {seen}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def _say(console: Console, *lines: str) -> None:
    """Lines no wider than the screen, broken between words; a name that is wider stays whole."""
    for line in lines:
        for piece in wrapped(line, SCREEN_WIDTH):
            is_title = piece.isupper() and piece.isascii()
            console.print(Text(piece, style="bold" if is_title else ""), soft_wrap=True)


def _short(name: str | None) -> str:
    """A name for a screen, its end kept: versions and numbers are there."""
    name = visible(name or "-")
    return name if len(name) <= NAME else f"{name[: NAME // 2]}…{name[-NAME // 2 + 1 :]}"


def _came_in(settings: Settings, outcome: Outcome | None) -> Iterator[str]:
    """The newest load of usage events, if it is of this run, and the one before it."""
    try:
        loads = _loads(settings)
    except LoadStopped as trouble:
        yield str(trouble)
        return
    of_run = [load for load in loads if outcome and load.loaded_at >= outcome.started_at.replace(tzinfo=None)]
    if of_run:
        files, rows, loaded, rejected = (
            sum(getattr(load, name) for load in of_run) for name in ("files", "rows", "loaded", "rejected")
        )
        skipped = f", {count(rows - loaded - rejected)} skipped (no provider call)" if rows > loaded + rejected else ""
        dates = [day for load in of_run for day in (load.first_date, load.last_date) if day]
        of_dates = f" Event dates {min(dates)} to {max(dates)}." if dates else ""
        yield (
            f"{many(files, 'file')}, {many(rows, 'line')}: "
            f"{count(loaded)} loaded, {count(rejected)} rejected{skipped}.{of_dates}"
        )
        if rejected:
            reasons = _reasons(settings, min(load.loaded_at for load in of_run))
            yield f"Rejected: {reasons} (rejected_events says why, line by line)."
    else:
        yield "No new file of usage events."
    for load in [load for load in loads if load not in of_run][:1]:
        yield (
            f"The load before, {stamp(load.loaded_at.isoformat())}: {many(load.files, 'file')}, "
            f"{many(load.rows, 'line')}, {count(load.rejected)} rejected."
        )


class Load(NamedTuple):
    """A load of one source: what it read, and the event dates of what it kept."""

    loaded_at: datetime
    files: int
    rows: int
    loaded: int
    rejected: int
    first_date: date | None
    last_date: date | None


def _loads(settings: Settings) -> list[Load]:
    """Loads of usage events, the newest first; each source has its own."""
    if not manifest_files(settings):
        return []
    with open_memory(settings) as database:
        rows = database.execute(
            f"""
            select loaded_at, count(distinct landing_file), sum(rows_in)::bigint, sum(rows_loaded)::bigint,
                sum(rows_rejected)::bigint, min(event_date), max(event_date)
            from {manifest_rows_sql(settings)} where not list_contains(?, source) and file_status <> 'already_loaded'
            group by load_id, loaded_at order by load_id desc
            """,  # noqa: S608
            [list(NOT_USAGE)],
        ).fetchall()
    return [Load(*row) for row in rows]


def _reasons(settings: Settings, since: datetime) -> str:
    with open_memory(settings) as database:
        reasons = database.execute(
            f"""
            with counted as (
                select unnest(map_entries(rejects_by_reason), recursive := true)
                from {manifest_rows_sql(settings)} where not list_contains(?, source) and loaded_at >= ?
            )
            select key, sum(value)::bigint from counted group by key order by 2 desc, 1
            """,  # noqa: S608
            [list(NOT_USAGE), since],
        ).fetchall()
    shown = [f"{reason} {count(lines)}" for reason, lines in reasons[:REASONS]]
    more = [f"{count(sum(lines for _, lines in reasons[REASONS:]))} for other reasons"] if reasons[REASONS:] else []
    return ", ".join(shown + more)


COSTS = """
    select environment, event_date, sum(cost_usd), sum(attempts)::bigint, sum(unpriced_attempts)::bigint
    from data_quality_daily
    where data_mode = 'real' and attempts > 0 and is_complete
        and event_date > (
            select max(event_date) from data_quality_daily where data_mode = 'real' and attempts > 0 and is_complete
        ) - 35
    group by environment, event_date
"""


def _print_costs(marts: duckdb.DuckDBPyConnection, console: Console) -> None:
    """The last complete day and week of each environment, next to what the same weekdays cost before."""
    days: dict[str, Days] = {}
    for environment, event_date, *figures in marts.execute(COSTS).fetchall():
        days.setdefault(environment, {})[event_date] = tuple(figures)
    if not days:
        _say(console, "COST", "  No complete day of real data yet.", "")
        return
    last = max(day for of_environment in days.values() for day in of_environment)
    week = [last - timedelta(days=back) for back in range(7)]
    dearest_first = sorted(days, key=lambda environment: -(_sum(days[environment], week) or 0))
    rows = [_cost_row(environment, days[environment], week) for environment in dearest_first]
    _say(
        console,
        "COST",
        f"  Real data on {last:%A} {last.day} {last:%B}, the last complete day, and in the 7 days up to it. "
        f"Usual: the same weekdays of {WEEKS} weeks before.",
    )
    columns = ("environment", "day", "usual", "change", "7_days", "usual", "change", "calls_in_7_days", "without_price")
    print_table(console, "", columns, rows[:ENVIRONMENTS], numbers=columns[1:])
    if rows[ENVIRONMENTS:]:
        _say(console, f"  {many(len(rows) - ENVIRONMENTS, 'more environment')}: make report")


def _cost_row(environment: str, days: Days, week: list[date]) -> tuple:
    """Cost of the last day, what is usual, the change; the same of the week; its calls, and those without a price."""
    before = [[day - timedelta(weeks=weeks) for day in week] for weeks in range(1, WEEKS + 1)]
    figures: list[object] = []
    for now, then in ((week[:1], [each[:1] for each in before]), (week, before)):
        cost = _sum(days, now)
        of_weeks = [found for each in then if (found := _sum(days, each)) is not None]
        usual = sum(of_weeks, Decimal(0)) / len(of_weeks) if of_weeks else None
        change = percent(cost / usual - 1, signed=True) if cost is not None and usual else None
        figures += [usd(cost) if cost is not None else None, usd(usual) if usual is not None else None, change]
    there = [days[each] for each in week if each in days]
    return (_short(environment), *figures, sum(calls for _, calls, _ in there), sum(unpriced for *_, unpriced in there))


def _sum(days: Days, wanted: list[date]) -> Decimal | None:
    """What these days cost together; None where nothing of them is known."""
    known = [cost for day in wanted if day in days and (cost := days[day][0]) is not None]
    return sum(known, Decimal(0)) if known else None


OPEN_ALERTS = """
    select severity, spike_type, environment, scope_dimension, scope_value, onset_date, total_excess_usd,
        delta_is_understated, top_driver_dimension, top_driver_value, containment_action, owner,
        count(*) over () as alerts
    from alerts where data_mode = 'real' and status in ('open', 'extended')
    order by severity <> 'critical', severity <> 'warning', total_excess_usd desc nulls last, alert_id limit ?
"""


def _alerts(marts: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Open alerts, the most urgent first: what rose, its driver, and what to do first."""
    alerts = _rows(marts, OPEN_ALERTS, ALERTS)
    if not alerts:
        yield "No open alert."
    for alert in alerts:
        where = (
            "the whole bill"
            if alert["scope_dimension"] == "total"
            else f"{alert['scope_dimension']} {_short(alert['scope_value'])}"
        )
        least = "at least " if alert["delta_is_understated"] else ""
        excess = f"{least}{usd(alert['total_excess_usd'])} above the forecast"
        yield (
            f"{alert['severity']}: {alert['spike_type']} at {where} ({_short(alert['environment'])}) "
            f"since {day(str(alert['onset_date']))}, {excess}."
        )
        yield f"  Driver: {alert['top_driver_dimension']} {_short(alert['top_driver_value'])}. Owner: {_short(alert['owner'])}."
        yield f"  First: {alert['containment_action'] or 'open it: docs/alerts.md says how to read it'}."
    if alerts and alerts[0]["alerts"] > len(alerts):
        yield f"{many(alerts[0]['alerts'] - len(alerts), 'more open alert')}: make report"


BUDGETS_NOW = """
    select budget_id, state, spent_usd, limit_usd, utilisation, projection_usd, driver_1, owner, is_understated,
        silent_senders, projection_as_of
    from budget_status where is_open
    order by state <> 'exceeded', state <> 'spend_alert', state <> 'warning', utilisation desc nulls last, budget_id
"""


def _budgets(marts: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Budgets in trouble, the worst first, and how many are not."""
    budgets = _rows(marts, BUDGETS_NOW)
    trouble = [budget for budget in budgets if budget["state"] != "ok"]
    for budget in trouble[:BUDGETS]:
        least = "at least " if budget["is_understated"] else ""
        projection = f", projection {usd(budget['projection_usd'])}" if budget["projection_usd"] is not None else ""
        yield (
            f"{_short(budget['budget_id'])} is in {budget['state']}: {least}{usd(budget['spent_usd'])} of "
            f"{usd(budget['limit_usd'])} ({percent(budget['utilisation'])}){projection}. Owner: {_short(budget['owner'])}."
        )
        if budget["driver_1"]:
            yield f"  Driver: {budget['driver_1']}."
    if len(trouble) > BUDGETS:
        yield f"{many(len(trouble) - BUDGETS, 'more budget')} in trouble: make report"
    if not budgets:
        yield "No budget is open: budgets.csv is where they are written (docs/budgets.md)."
    elif fine := len(budgets) - len(trouble):
        yield f"{fine} of {many(len(budgets), 'budget')} {'is' if fine == 1 else 'are'} ok."
    waiting = [budget for budget in budgets if budget["silent_senders"]]
    for budget in waiting[:BUDGETS]:
        stopped = f"its projection is that of {stamp(budget['projection_as_of'].isoformat())}"
        yield f"{_short(budget['budget_id'])} waits for {_short(budget['silent_senders'])}: {stopped}."
    if len(waiting) > BUDGETS:
        yield f"{many(len(waiting) - BUDGETS, 'more budget')} that wait: make report"


UNPRICED = """
    select provider, model, sum(attempts)::bigint as attempts, sum(exposure_usd) as exposure_usd,
        bool_or(is_over_sla) as is_over_sla, max(sla_days) as sla_days, min(owner) as owner, count(*) over () as models
    from unpriced_models where data_mode = 'real' and status = 'open'
    group by provider, model order by exposure_usd desc nulls last, attempts desc, provider, model limit ?
"""
UNSEEN = """
    select sentence, count(*) over () as names from unseen_names order by file, line_number, column_name, name limit ?
"""
WITHOUT_DATA = """
    select max(event_date) filter (where attempts > 0) as last_date,
        max(event_date) filter (where attempts > 0 and is_complete) as last_complete_date
    from data_quality_daily where data_mode = 'real'
"""


def _missing(marts: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What no figure above has: models without a price, names that no call has, days that are not over, or on which nothing came."""
    models = _rows(marts, UNPRICED, MODELS)
    for model in models:
        late = f", for longer than {model['sla_days']} days" if model["is_over_sla"] else ""
        likely = f", likely {usd(model['exposure_usd'])}" if model["exposure_usd"] is not None else ""
        yield (
            f"No price: {_short(model['provider'])}/{_short(model['model'])}, {many(model['attempts'], 'call')}{likely}{late}. "
            f"Owner: {_short(model['owner'])}."
        )
    if models and models[0]["models"] > len(models):
        yield f"{many(models[0]['models'] - len(models), 'more model')} without a price: make report"
    if models:
        yield "  unpriced_models has an override to paste for each (docs/pricing.md#overrides)."
    names = _rows(marts, UNSEEN, NAMES)
    yield from (name["sentence"] for name in names)
    if names and names[0]["names"] > len(names):
        yield f"{many(names[0]['names'] - len(names), 'more name')} in the team's files that no call has: make report"
    [seen] = _rows(marts, WITHOUT_DATA)
    if seen["last_date"] is None:
        yield "No call of real data has arrived yet."
        return
    if seen["last_complete_date"] != seen["last_date"]:
        yield f"{day(str(seen['last_date']))} is not complete yet: its figures will rise."


def _next_steps(settings: Settings) -> list[str]:
    return [
        f"make inbox serves alerts, drivers and calls at {settings.base_url.rstrip('/')}/inbox.",
        "make report has the tables behind this, make ui the runs and checks.",
        f"{settings.published}/ has tokentrail.duckdb for SQL, exports/ for spreadsheets, weekly/ for reading, docs/ for every column.",
    ]


def _rows(marts: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> list[dict]:
    result = marts.execute(sql, list(parameters))
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, values, strict=True)) for values in result.fetchall()]


if __name__ == "__main__":
    sys.exit(main())
