"""Search: whatever is called so, or nearly so: alerts, incidents, endpoints, versions, tenants, users, models, budgets, requests."""

from inbox import names, words
from inbox.filters import Filters
from inbox.marts import Row
from inbox.page import Page, Visit
from inbox.pages.inbox import alert_address

SHOWN = 8  # of each kind
SHORTEST = 3  # characters of a request id: fewer begin too many
ALERTS = """
    select alerts.*, drivers.endpoint_tag as driver_endpoint, drivers.prompt_version, drivers.tenant_id,
        drivers.user_id, drivers.model, incidents.incident_id
    from alerts left join alert_drivers as drivers on alerts.alert_id = drivers.alert_id and drivers.rank = 1
    left join incidents on alerts.alert_id = incidents.alert_id
    where starts_with(alerts.alert_id, $text) or contains(lower(alerts.top_driver_value), lower($text))
        or contains(lower(coalesce(incidents.incident_id, '')), lower($text))
    order by alerts.onset_date desc limit $most
"""
BUDGETS = "select distinct budget_id from budget_status where contains(lower(budget_id), lower($text)) limit $most"
LAST = "\U0010ffff"  # of all characters
# A range besides: blocks whose ids begin otherwise are then not read.
REQUESTS = """
    select request_id, event_date from fct_requests
    where request_id >= $text and request_id <= $text_to and starts_with(request_id, $text)
    order by length(request_id), request_id limit $most
"""
NEXT = {"endpoint": "prompt_version", "prompt_version": "tenant", "feature": "endpoint", "tenant": "endpoint"}
NEXT |= {"user": "endpoint", "model": "endpoint"}


def show(visit: Visit) -> Page:
    """What was found, by kind; the nearest names where nothing was."""
    text = visit.words.get("q", "").strip()
    found = _found(visit, text) if text else []
    return Page(
        "search.html",
        "Search",
        {"q": text, "found": found, "near": [] if found or not text else _near(visit, text)},
    )


def _found(visit: Visit, text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    marts, filters = visit.marts, visit.filters.travelling
    about = {"text": text, "most": SHOWN}
    groups: list[tuple[str, list[tuple[str, str]]]] = [
        ("Alerts", [(_alert(row), alert_address(filters, row)) for row in marts.rows(ALERTS, **about)])
    ]
    for kind in NEXT:
        rows = names.matching(marts, kind, text, SHOWN)
        groups.append((f"{words.DIMENSIONS[kind]}s".capitalize(), [_member(filters, kind, row) for row in rows]))
    budgets = [row["budget_id"] for row in marts.rows(BUDGETS, **about)]
    groups.append(
        ("Budgets", [(name, filters.address("budget", budget=name, **{"from": None, "to": None})) for name in budgets])
    )
    if len(text) >= SHORTEST:
        rows = marts.rows(REQUESTS, **about, text_to=text + LAST)
        links = [
            (row["request_id"], filters.address("request", id=row["request_id"], day=row["event_date"])) for row in rows
        ]
        groups.append(("Requests", links))
    return [(heading, links) for heading, links in groups if links]


def _alert(row: Row) -> str:
    incident = f", incident {row['incident_id']}" if row["incident_id"] else ""
    return f"{words.title(row, row)}, {words.days(row['onset_date'], row['last_date'])} ({row['alert_id']}{incident})"


def _member(filters: Filters, kind: str, row: Row) -> tuple[str, str]:
    members = {kind: row["name"]} | ({"endpoint": row["endpoint"]} if row["endpoint"] else {})
    label = " of ".join(filter(None, (row["name"], row["endpoint"])))
    return label, filters.about(members).address("explore", by=NEXT[kind])


def _near(visit: Visit, text: str) -> list[tuple[str, str]]:
    filters = visit.filters.travelling
    found: list[tuple[str, str]] = []
    for kind in NEXT:
        links = [_member(filters, kind, row) for row in names.nearest(visit.marts, kind, text, most=2)]
        found += [(f"{words.DIMENSIONS[kind]} {label}", address) for label, address in links]
    return found
