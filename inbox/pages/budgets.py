"""Budgets: where each open period stands and will end; and one period of a budget, with its spend over time and its changes."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches

from inbox import words
from inbox.filters import DIMENSIONS, EVERYTHING, Filters, among, days_between
from inbox.marts import Marts, Row
from inbox.page import File, NotFoundError, Page, Visit
from inbox.series import CALLS, ZERO, mart_of
from inbox.tables import csv_addresses, csv_of

SEVERITY = ("exceeded", "spend_alert", "warning", "ok")
HOURS = {"day": 1, "week": 6}  # of a step of the line; a day for longer periods
STATUS = """
    select * from budget_status
    qualify is_open or row_number() over (partition by budget_id order by period_start desc) = 1
"""
PERIODS = "select * from budget_status where budget_id = $id order by period_start desc"
CHANGES = "select * from budget_transitions where budget_id = $id and period_start = $start order by changed_at desc"
# Steps that are days of UTC are those of the daily marts, of which there are far fewer rows than calls.
SPEND_BY_DAY = """
    select cast(event_date - cast($starts_at as date) as integer) as step, sum(coalesce(cost_usd, 0)) as usd
    from {mart}
    where {days} and event_date >= $starts_at and event_date < $ends_at and {scope} and {members}
    group by 1
"""
SPEND = """
    select cast(floor(date_diff('minute', $starts_at, occurred_at) / (60.0 * $hours)) as integer) as step,
        sum(coalesce(cost_usd, 0)) as usd
    from fct_attempts
    where {days} and occurred_at >= $starts_at and occurred_at < $ends_at and {scope} and {members}
    group by 1
"""


def show(visit: Visit) -> Page | File:
    """All budgets of the environment, the worst first."""
    filters = visit.filters
    rows = [row for row in visit.marts.rows(STATUS) if _is_within(row, filters)]
    rows.sort(key=lambda row: (SEVERITY.index(row["state"]), -(row["utilisation"] or 0), row["budget_id"]))
    tables = {"budgets": rows}
    return csv_of(visit, "budgets", tables) or Page(
        "budgets.html",
        "Budgets",
        {
            "csv": csv_addresses(visit, "budgets", tables),
            "rows": [_described(row, filters) for row in rows],
            "everywhere": filters.address("budgets", environment=EVERYTHING, data_mode=EVERYTHING),
        },
    )


def show_one(visit: Visit) -> Page | File:
    """One period of a budget: the one that begins on `from`, else the latest."""
    wanted = visit.words.get("budget", "")
    periods = visit.marts.rows(PERIODS, id=wanted)
    if not periods:
        raise _unknown(visit, wanted)
    at = next((row for row in periods if row["period_start"] == visit.filters.from_date), periods[0])
    filters = _filters(at)
    changes = visit.marts.rows(CHANGES, id=wanted, start=at["period_start"])
    tables = {"changes": changes, "periods": periods}
    return csv_of(visit, "budget", tables) or Page(
        "budget.html",
        f"Budget {words.name(wanted)}",
        {
            "csv": csv_addresses(visit, "budget", tables),
            "f": filters,
            "budget": _described(at, filters),
            "line": _line(visit.marts, at, filters),
            "changes": changes,
            "drivers": [at[name] for name in ("driver_1", "driver_2", "driver_3") if at[name]],
            "periods": [_described(row, filters) for row in periods],
            "explore": filters.address("explore", by="tenant" if filters.endpoint else "endpoint"),
            "budgets": visit.filters.travelling.address("budgets"),
        },
    )


def _unknown(visit: Visit, wanted: str) -> NotFoundError:
    rows = visit.marts.rows(STATUS)
    names = [row["budget_id"] for row in rows]
    near = get_close_matches(wanted, names, n=3) or names[:5]
    links = [(row["budget_id"], _described(row, visit.filters)["address"]) for row in rows if row["budget_id"] in near]
    sentence = f"No budget is called {words.name(wanted)}." if wanted else "The address names none."
    if not names:
        sentence += " The team folder has no budgets: budgets.csv lists them."
    return NotFoundError("Which budget?", sentence, links)


def _is_within(row: Row, filters: Filters) -> bool:
    """Whether a budget counts calls of the environment and data mode."""
    for column, wanted in (("environments", filters.environment), ("data_modes", filters.data_mode)):
        if EVERYTHING not in (wanted, row[column]) and not {*row[column].split()} & {*wanted.split(",")}:
            return False
    return True


def _filters(row: Row) -> Filters:
    """The filters of a period: its days, environments, data modes and scope."""
    return Filters(
        from_date=row["period_start"],
        to_date=row["period_end"],
        environment=row["environments"].replace(" ", ","),
        data_mode=row["data_modes"].replace(" ", ","),
        **{word: row[column] for word, column in DIMENSIONS.items() if row.get(column)},
    )


def _described(row: Row, filters: Filters) -> Row:
    """A period with what its bar shows: percents of the larger of limit, spend and projection."""
    limit, spent, projection = row["limit_usd"], row["spent_usd"], row["projection_usd"]
    most = max(limit, spent, projection or ZERO) or Decimal(1)
    return row | {
        "address": _filters(row).address("budget", budget=row["budget_id"]),
        "spent_percent": round(float(max(spent, ZERO) / most) * 100, 2),
        "limit_percent": round(float(limit / most) * 100, 2),
        "projection_percent": None if projection is None else round(float(projection / most) * 100, 2),
        "when": words.days(row["period_start"], row["period_end"] - timedelta(days=1)),
    }


def _line(marts: Marts, row: Row, filters: Filters) -> Row:
    """Spend as it grew, in a box of 100 by 100 from the begin of the period to its end, with limit, warning and projection."""
    hours = HOURS.get(row["period"], 24)
    starts, ends = row["starts_at"], row["ends_at"]
    days = days_between(starts.date() - timedelta(days=1), ends.date() + timedelta(days=2))
    scope, of_scope = filters.of_scope()
    members, of_members = filters.of_members()
    mart = mart_of(filters.members)
    is_daily = hours == 24 and starts.time() == ends.time() == time.min and mart != CALLS
    template, of_step = (SPEND_BY_DAY, {}) if is_daily else (SPEND, {"hours": hours})
    sql = template.format(mart=mart, days=among(days), scope=scope, members=members)
    found = {
        each["step"]: each["usd"]
        for each in marts.rows(sql, starts_at=starts, ends_at=ends, **of_step, **of_scope, **of_members)
    }
    now: datetime = min(marts.publication.as_of, ends)
    length = (ends - starts).total_seconds()
    reached = row["projection_usd"] if row["is_open"] else None
    top = max(row["limit_usd"], row["spent_usd"], reached or ZERO, row["naive_projection_usd"] or ZERO) * Decimal(
        "1.05"
    )
    top = top or Decimal(1)

    def place(seconds: float, usd: Decimal) -> str:
        return f"{min(100.0, seconds / length * 100):.2f},{100 - float(usd / top) * 100:.2f}"

    points, total = [place(0, ZERO)], ZERO
    steps = int((now - starts).total_seconds() // (hours * 3600))
    for step in range(steps + 1):
        total += found.get(step, ZERO)
        end = min((step + 1) * hours * 3600.0, (now - starts).total_seconds())
        points.append(place(max(0.0, end), total))
    at_end = (now - starts).total_seconds()
    cone = None
    if reached is not None and now < ends:
        naive = row["naive_projection_usd"] if row["naive_projection_usd"] is not None else reached
        cone = " ".join([place(at_end, row["spent_usd"]), place(length, reached), place(length, naive)])
    return {
        "points": " ".join(points),
        "cone": cone,
        "projection": None if cone is None else f"{place(at_end, row['spent_usd'])} {place(length, reached or ZERO)}",
        "limit": round(100 - float(row["limit_usd"] / top) * 100, 2),
        "warning": round(100 - float(row["warning_usd"] / top) * 100, 2) if row["warning_usd"] else None,
        "top": top,
    }
