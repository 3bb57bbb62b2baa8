"""The inbox: alerts, the most urgent first, each with its dollars, its days, its owner and what is done about it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from inbox import charts, words
from inbox.filters import DIMENSIONS, Filters
from inbox.marts import Row
from inbox.page import File, Page, Visit
from inbox.series import ZERO, daily
from inbox.tables import csv_addresses, csv_of
from orchestration.wording import many

SHOWN = 100  # a longer list is narrowed, not read
BEFORE, AFTER = 20, 7  # days of a spark around the first day
LIVE = ("open", "extended")
STATUS = ("open", "closed", "all")
SORTS = {"urgency": "by urgency", "cost": "by cost", "newest": "newest first"}
SEVERITY = ("critical", "warning", "info")
# Dimensions that an address of an alert names, as `drill_url` does: those of its driver.
CARRIED = {word: column for word, column in DIMENSIONS.items() if word not in ("feature", "provider")}
ALERTS = """
    select
        alerts.*,
        drivers.endpoint_tag as driver_endpoint, drivers.prompt_version, drivers.tenant_id, drivers.user_id,
        drivers.model,
        incidents.incident_id, incidents.status as incident_status, incidents.owner as incident_owner,
        row_number() over (partition by alerts.problem_id order by alerts.onset_date, alerts.alert_id) as occurrence
    from alerts
    left join alert_drivers as drivers on alerts.alert_id = drivers.alert_id and drivers.rank = 1
    left join incidents on alerts.alert_id = incidents.alert_id
    where {where}
    qualify row_number() over (partition by alerts.alert_id order by incidents.opened_at desc nulls last) = 1
"""
BUDGETS = """
    select budget_id, state, endpoint_tag, feature_tag, tenant_id, user_id, provider, model, drill_url
    from budget_status where is_open and state <> 'ok' and scope <> 'everything'
"""
SENDERS = "select distinct environment, data_mode from source_freshness order by environment <> 'prod', environment"


def show(visit: Visit) -> Page | File:
    """The list, with counts of what is open and over."""
    filters, marts = visit.filters, visit.marts
    where, parameters = filters.of_scope("alerts.")
    found = [row for row in marts.rows(ALERTS.format(where=where), **parameters) if is_within(row, filters)]
    searched = [row for row in found if _mentions(row, visit.words.get("q", ""))]
    counts = {"open": sum(row["status"] in LIVE for row in searched), "all": len(searched)}
    counts["closed"] = counts["all"] - counts["open"]
    # an empty list of what is open would hide that there are others
    status = visit.words.get("status", "")
    status = status if status in STATUS else ("open" if counts["open"] else "all")
    sort = visit.word("sort", tuple(SORTS))
    rows = [row for row in searched if status == "all" or (row["status"] in LIVE) == (status == "open")]
    rows = sorted(rows, key=_order(sort))
    tables = {"alerts": rows}
    if file := csv_of(visit, "inbox", tables):
        return file
    shown = rows[:SHOWN]
    sparks = daily(marts, shown, BEFORE + AFTER, AFTER)
    budgets = marts.rows(BUDGETS)
    senders = marts.rows(SENDERS)
    return Page(
        "inbox.html",
        "Inbox",
        {
            "csv": csv_addresses(visit, "inbox", tables),
            "alerts": [_described(row, visit, sparks[row["alert_id"]], budgets) for row in shown],
            "left_out": len(rows) - len(shown),
            "tabs": [(name, counts[name], _here(visit, status=name), name == status) for name in STATUS],
            "sorts": SORTS,
            "sort": sort,
            "status": status,
            "q": visit.words.get("q", ""),
            "environments": _choices([row["environment"] for row in senders], filters.environment),
            "data_modes": _choices([row["data_mode"] for row in senders], filters.data_mode),
            "narrowed": narrowed(visit),
            "elsewhere": filters.address("inbox", environment="*", status="all"),
            "total": many(len(searched), "alert"),
        },
    )


def is_within(row: Row, filters: Filters) -> bool:
    """Whether an alert showed on the days of the filters and is about their members."""
    if filters.from_date and row["last_date"] < filters.from_date:
        return False
    if filters.to_date and row["onset_date"] >= filters.to_date:
        return False
    return all(value in _named(row, word) for word, value in filters.members.items())


def _named(row: Row, word: str) -> set[str]:
    """What an alert says about a dimension: its driver, its series, and the endpoint with most of it."""
    named = {row.get("driver_endpoint" if word == "endpoint" else DIMENSIONS[word])}
    if word == "endpoint":
        named.add(row["endpoint_tag"])
    for dimensions, value in (("scope_dimension", "scope_value"), ("top_driver_dimension", "top_driver_value")):
        named |= {member for name, member in _pairs(row[dimensions], row[value]) if name == word}
    return {member for member in named if member}


def _pairs(dimension: str, value: str) -> list[tuple[str, str]]:
    return list(zip(dimension.split(" x "), value.split(" | "), strict=False))


def _mentions(row: Row, text: str) -> bool:
    """Whether all words of a search are in what the list shows of an alert, or in its id."""
    columns = ("alert_id", "top_driver_value", "scope_value", "endpoint_tag", "owner", "spike_type", "related")
    said = " ".join([words.title(row, row), row["incident_id"] or "", *(str(row[column]) for column in columns)])
    return all(word in said.casefold() for word in text.casefold().split())


def _order(sort: str) -> Any:
    def urgency(row: Row) -> tuple:
        rank = SEVERITY.index(row["severity"]) if row["severity"] in SEVERITY else len(SEVERITY)
        return row["status"] not in LIVE, rank if row["status"] in LIVE else 0, *newest(row)

    def newest(row: Row) -> tuple:
        return -row["onset_date"].toordinal(), -row["window_delta_usd"], row["alert_id"]

    def cost(row: Row) -> tuple:
        return -row["window_delta_usd"], row["alert_id"]

    return {"urgency": urgency, "newest": newest, "cost": cost}[sort]


def _described(row: Row, visit: Visit, series: dict[date, Decimal], budgets: list[Row]) -> Row:
    """An alert with its words, links and spark."""
    as_of = visit.marts.publication.as_of
    return row | {
        "title": words.title(row, row),
        "address": alert_address(visit.filters, row),
        "age": f"{(as_of.date() - row['onset_date']).days} d",
        "is_live": row["status"] in LIVE,
        "when": words.days(row["onset_date"], row["last_date"]),
        "spark": spark(row, series, as_of.date()),
        "budgets": [each for each in budgets if _is_about(each, row)],
    }


def _is_about(budget: Row, alert: Row) -> bool:
    named = {column: budget[column] for column in DIMENSIONS.values() if budget.get(column)}
    words_of = {column: word for word, column in DIMENSIONS.items()}
    return all(value in _named(alert, words_of[column]) for column, value in named.items())


def alert_address(filters: Filters, row: Row) -> str:
    """The page of an alert: its first day and what it is compared with, in its environment and data mode."""
    members = {word: row.get("driver_endpoint" if word == "endpoint" else column) for word, column in CARRIED.items()}
    return filters.about(members).address(
        "alert",
        **{"from": row["window_start"].date(), "to": row["window_end"].date()},
        baseline_from=row["baseline_start"],
        baseline_to=row["baseline_end"],
        environment=row["environment"],
        data_mode=row["data_mode"],
        alert=row["alert_id"],
    )


def spark(row: Row, series: dict[date, Decimal], today: date) -> charts.Chart:
    """Four weeks around the first day; the days of the alert stand out."""
    last = min(row["onset_date"] + timedelta(days=AFTER), today - timedelta(days=1))
    days = [last - timedelta(days=number) for number in range(BEFORE + AFTER, -1, -1)]
    return charts.bars(
        [
            charts.Point(series.get(day, ZERO), "", "hot" if row["onset_date"] <= day <= row["last_date"] else "past")
            for day in days
        ]
    )


def _here(visit: Visit, **changes: object) -> str:
    return visit.filters.address("inbox", **(dict(visit.words) | changes))


def _choices(known: list[str], chosen: str) -> list[tuple[str, str]]:
    """Values of a menu: all of them, those that are known, and the one that the address has."""
    values = list(dict.fromkeys(["*", *known, chosen]))
    return [(value, "all" if value == "*" else value) for value in values]


def narrowed(visit: Visit) -> list[tuple[str, str, str]]:
    """Each filter beyond environment and data mode: its name, its value, and the address without it."""
    filters, page_words = visit.filters, dict(visit.words)
    found = []
    if filters.from_date or filters.to_date:
        without = filters.address("inbox", **(page_words | {"from": None, "to": None}))
        found.append(("days", period(filters), without))
    for word, value in filters.members.items():
        found.append((words.DIMENSIONS[word], value, filters.address("inbox", **(page_words | {word: None}))))
    return found


def period(filters: Filters) -> str:
    """The days of the filters in words."""
    first, end = filters.from_date, filters.to_date
    last = end - timedelta(days=1) if end else None
    if first and last:
        return words.days(first, last)
    return f"from {words.day_and_year(first)}" if first else f"until {words.day_and_year(last)}" if last else "all"
