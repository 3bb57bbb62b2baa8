"""Requests: the calls of a view, the most expensive first, each with its arithmetic one click further."""

from collections.abc import Iterator
from datetime import timedelta

from inbox import words
from inbox.comparison import USUAL, compared, ends, windowed
from inbox.filters import Filters, among
from inbox.marts import Marts, Row
from inbox.page import File, Page, Visit
from inbox.tables import csv_file, pasted

SHOWN, IN_A_FILE = 100, 100_000
TOGETHER = 20_000  # rows of a file that are sorted with all their columns
SORTS = {
    "cost": "most expensive",
    "latest": "latest",
    "tokens": "most tokens",
    "failed": "failed first",
    "unpriced": "without a price first",
}
ORDERS = {
    "cost": "cost_usd desc nulls last, total_tokens desc nulls last",
    "latest": "occurred_at desc",
    "tokens": "total_tokens desc nulls last",
    "failed": "status <> 'success' desc, cost_usd desc nulls last",
    "unpriced": "pricing_status = 'unpriced' desc, total_tokens desc nulls last",
}
COLUMNS = (
    *(
        "request_id",
        "occurred_at",
        "event_date",
        "endpoint_tag",
        "prompt_version",
        "feature_tag",
        "tenant_id",
        "user_id",
    ),
    *("provider", "model", "status", "error_code", "http_status", "try_number", "input_tokens", "output_tokens"),
    *("latency_ms", "cost_usd", "pricing_status", "environment", "data_mode"),
)
CALLS = """
    select {columns}
    from marts.fct_attempts
    where {days} and {scope} and {members}
    order by {order}, request_id, try_number limit $most
"""
PLACES = """
    select rowid as place from marts.fct_attempts
    where {days} and {scope} and {members}
    order by {order}, rowid limit $most
"""
AT_PLACES = """
    select {columns} from marts.fct_attempts
    where {days} and rowid in (select unnest($places))
    order by {order}, rowid
"""
ALL = """
    select count(*) as attempts, sum(cost_usd) as cost_usd, count(*) filter (where status <> 'success') as failed,
        count(*) filter (where pricing_status = 'unpriced') as unpriced
    from marts.fct_attempts where {days} and {scope} and {members}
"""


def show(visit: Visit) -> Page | File:
    """The list, or the list as CSV."""
    filters = windowed(visit.marts, visit.filters)
    sort = visit.word("sort", tuple(SORTS))
    days = compared(visit.marts, filters, USUAL).window
    error = visit.words.get("error")
    scope, of_scope = filters.of_scope()
    members, of_members = filters.of_members()
    failed = " and error_code = $error" if error else ""
    conditions = {"days": among(days), "scope": scope, "members": members + failed}
    parameters = of_scope | of_members | ({"error": error} if error else {})
    sql = CALLS.format(columns=", ".join(COLUMNS), order=ORDERS[sort], **conditions)
    if visit.words.get("format") == "csv":
        about = f"{filters.address('requests', error=error, sort=sort)}; one row per attempt, dollars are USD"
        every_row = _in_a_file(visit.marts, ORDERS[sort], conditions, parameters)
        return csv_file("requests", about, COLUMNS, (row.values() for row in every_row))
    rows = visit.marts.rows(sql, **parameters, most=SHOWN)
    every = visit.marts.rows(ALL.format(**conditions), **parameters)[0]
    first, end = ends(filters)
    return Page(
        "requests.html",
        "Requests",
        {
            "f": filters,
            "about": " × ".join(words.name(value) for value in filters.members.values()) or "All calls",
            "when": words.days(first, end - timedelta(days=1)),
            "rows": [row | {"address": request_address(filters, row)} for row in rows],
            "every": every,
            "sort": sort,
            "sorts": [
                (name, label, filters.address("requests", error=error, sort=name)) for name, label in SORTS.items()
            ],
            "narrowed": [
                *(
                    (words.DIMENSIONS[word], value, filters.address("requests", error=error, sort=sort, **{word: None}))
                    for word, value in filters.members.items()
                ),
                *([("error code", error, filters.address("requests", sort=sort))] if error else []),
            ],
            "csv": filters.address("requests", error=error, sort=sort, format="csv"),
            "explore": filters.address("explore"),
            "alert": filters.address("alert") if filters.alert else None,
            "sql": pasted(sql, parameters | {"most": SHOWN}),
        },
    )


def _in_a_file(marts: Marts, order: str, conditions: dict[str, str], parameters: dict[str, object]) -> Iterator[Row]:
    """The calls of a file: places are put in order first, because all columns of a week are more than a page may hold."""
    found = marts.stream(PLACES.format(order=order, **conditions), **parameters, most=IN_A_FILE)
    places = [row["place"] for row in found]
    sql = AT_PLACES.format(columns=", ".join(COLUMNS), days=conditions["days"], order=order)
    for first in range(0, len(places), TOGETHER):
        yield from marts.stream(sql, places=places[first : first + TOGETHER])


def request_address(filters: Filters, row: Row) -> str:
    """The arithmetic of a call; its day spares the search through all others."""
    return filters.address("request", id=row["request_id"], day=row["event_date"])
