"""One alert: what happened, the first thing to do, what moved the cost, its drivers, its days and hours, who is inside, seen before."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches

from inbox import charts, incidents, words
from inbox.alerts import alert_of, neighbours
from inbox.filters import DIMENSIONS, NO_MEMBER, Filters
from inbox.marts import Row
from inbox.page import File, NotFoundError, Page, Visit
from inbox.pages.inbox import CARRIED, LIVE, alert_address
from inbox.series import ZERO, daily
from inbox.tables import csv_addresses, csv_of

BEFORE, AFTER = 28, 7  # days of the series around the first day
SHOWN = 12  # members of a dimension: the rest is one click further
INSIDE = ("prompt_version", "tenant", "user", "model", "endpoint", "error_code")
KNOWN = "select alert_id, onset_date from alerts order by onset_date desc, window_delta_usd desc"
COMPARE = """
    select * exclude (alert_id, token_kind), token_kind as kind from alert_compare where alert_id = $id
"""
DRIVERS = """
    select
        rank, effect, driver_dimension, driver_value, endpoint_tag as driver_endpoint, prompt_version, tenant_id, user_id,
        model, baseline_usd, current_usd, delta_usd, share_of_delta, equivalents
    from alert_drivers where alert_id = $id order by rank
"""
FOCUS = """
    select *, endpoint_tag as driver_endpoint
    from alert_focus where alert_id = $id and dimension = $dimension order by rank limit $most
"""
MEMBERS = "select * from alert_focus where alert_id = $id order by dimension, rank"
FOCUSED = "select dimension, count(*) as members from alert_focus where alert_id = $id group by all"
HOURS = "select * from alert_series where alert_id = $id order by hour_start"
COMPARED = "select * from alert_baseline_days where alert_id = $id order by baseline_date"
BEFORE_THIS = """
    select alerts.*, drivers.endpoint_tag as driver_endpoint, drivers.prompt_version, drivers.tenant_id, drivers.user_id,
        drivers.model, incidents.incident_id, incidents.status as incident_status, incidents.root_cause,
        incidents.guardrail
    from alerts
    left join alert_drivers as drivers on alerts.alert_id = drivers.alert_id and drivers.rank = 1
    left join incidents on alerts.alert_id = incidents.alert_id
    where alerts.problem_id = $problem and alerts.alert_id <> $id
    order by alerts.onset_date desc limit 10
"""
INCIDENT = """
    select * from incidents where alert_id = $id or (problem_id = $problem and status <> 'closed')
    order by alert_id is distinct from $id, opened_at desc limit 1
"""
ACKNOWLEDGED = """
    select min(acknowledged_at) as acknowledged_at, min_by(acknowledged_by, acknowledged_at) as acknowledged_by
    from notification_outbox
    where list_contains(string_split(alert_ids, ' '), $id) and acknowledged_at is not null
"""
# Figures of the comparison: the words, and how they are written.
METRICS = {
    "cost_usd": ("Known cost", "usd", 1),
    "exposure_usd": ("Likely cost of calls without a price", "usd", 1),
    "requests": ("Requests", "number", 1),
    "cost_per_request_usd": ("Cost per 1,000 requests", "usd", 1_000),
    "attempts_per_request": ("Attempts per request", "decimal", 1),
    "tokens": ("Tokens", "number", 1),
    "tokens_per_request": ("Tokens per request", "number", 1),
    "tokens_per_attempt": ("Tokens per attempt", "number", 1),
    "cost_per_token_usd": ("Cost per 1,000,000 tokens", "usd", 1_000_000),
    "success_ratio": ("Successful attempts", "share", 1),
}


def show(visit: Visit) -> Page | File:
    """The page of the alert that the address names."""
    alert = _alert(visit)
    marts, about = visit.marts, {"id": alert["alert_id"]}
    compared = marts.rows(COMPARE, **about)
    hours = marts.rows(HOURS, **about)
    baseline = marts.rows(COMPARED, **about)
    drivers = marts.rows(DRIVERS, **about)
    tables = {"comparison": compared, "drivers": drivers, "hours": hours, "baseline": baseline}
    filters = _filters(visit.filters, alert)
    if file := csv_of(visit, "alert", tables | {"members": marts.rows(MEMBERS, **about)}, filters):
        return file
    incident = marts.row(INCIDENT, problem=alert["problem_id"], **about)
    values: dict[str, object] = {
        "f": filters,
        "csv": csv_addresses(visit, "alert", (*tables, "members"), filters),
        "alert": alert,
        "title": words.title(alert, alert),
        "is_live": alert["status"] in LIVE,
        "rise": _rise(alert),
        "driver": driver_view(filters, alert),
        "steps": _steps(alert, compared),
        "metrics": _metrics(compared),
        "kinds": _kinds(compared),
        "drivers": [_driver(filters, row) for row in drivers],
        "baseline": [row for row in baseline if row["is_of_first_day"]],
        "days": _days(visit, alert, filters, {row["baseline_date"] for row in baseline}, _usual(hours)),
        "hours": _hours(alert, hours),
        "inside": _inside(visit, filters, alert),
        "before": [_earlier(filters, row) for row in marts.rows(BEFORE_THIS, problem=alert["problem_id"], **about)],
        "incident": incident,
        "landed": _landed(visit, alert) if incident is None and alert["status"] in LIVE else None,
        "acknowledged": marts.row(ACKNOWLEDGED, **about),
        "others": _others(visit, filters, alert),
        "related": [part for part in (alert["related"] or "").split("; ") if part],
    }
    return Page("alert.html", str(values["title"]), values)


def _others(visit: Visit, filters: Filters, alert: Row) -> list[tuple[str, str, str]]:
    """The newer and the older alert: word, title, address."""
    found = neighbours(visit.marts, alert)
    named = [("newer", found.get(-1)), ("older", found.get(1))]
    return [(word, words.title(row, row), alert_address(filters, row)) for word, row in named if row]


def _alert(visit: Visit) -> Row:
    """The alert. Raises NotFoundError with the nearest ones."""
    wanted = visit.filters.alert
    found = alert_of(visit.marts, wanted)
    if found:
        return found
    known = visit.marts.rows(KNOWN)
    ids = [row["alert_id"] for row in known]
    near = [each for each in ids if wanted and each.startswith(wanted)] or get_close_matches(wanted or "", ids, n=3)
    rows = [row for each in (near or ids)[:5] if (row := alert_of(visit.marts, each))]
    links = [
        (
            f"{words.title(row, row)}, {words.days(row['onset_date'], row['last_date'])}",
            alert_address(visit.filters, row),
        )
        for row in rows
    ]
    if not wanted:
        raise NotFoundError("Which alert?", "The address names none: these are the latest.", links)
    sentence = f"No alert has the id {words.name(wanted)}. An alert vanishes when its day is judged again and no longer stands out."
    raise NotFoundError("This alert is not there", sentence, links)


def _landed(visit: Visit, alert: Row) -> str | None:
    """The incident that a colleague has opened since the last run."""
    return incidents.incident_of(visit.settings, alert["alert_id"])


def _filters(given: Filters, alert: Row) -> Filters:
    """The filters of the address, with those of the alert where the address leaves them out."""
    return replace(
        given,
        from_date=given.from_date or alert["window_start"].date(),
        to_date=given.to_date or alert["window_end"].date(),
        baseline_from=given.baseline_from or alert["baseline_start"],
        baseline_to=given.baseline_to or alert["baseline_end"],
        environment=alert["environment"],
        data_mode=alert["data_mode"],
        alert=alert["alert_id"],
    )


def _rise(alert: Row) -> float | None:
    """How many times the usual it cost on its first day; None where the usual is next to nothing."""
    usual = alert["baseline_usd"]
    return float(alert["observed"] / usual) if usual and usual >= Decimal("0.01") else None


def members_of(dimension: str, value: str) -> dict[str, str]:
    """The members that a dimension of alerts and its value name; none where they cannot be taken apart."""
    names, members = dimension.split(" x "), value.split(" | ")
    if len(names) != len(members) or any(name not in DIMENSIONS for name in names):
        return {}
    return dict(zip(names, members, strict=True))


def driver_view(filters: Filters, alert: Row) -> Row:
    """Where the primary button leads: within the alert's series, the members of the driver's finest dimension, the driver first."""
    scope = members_of(alert["scope_dimension"], alert["scope_value"])
    driver = members_of(alert["top_driver_dimension"], alert["top_driver_value"])
    inner = [name for name in driver if name not in scope]
    by = (inner or list(driver) or list(scope) or ["endpoint"])[-1]
    named = scope | driver
    first_day = {"from": alert["window_start"].date(), "to": alert["window_end"].date()}
    address = filters.about(named).address("explore", **first_day, by=by)
    return {"address": address, "by": by, "name": driver.get(by) or alert["top_driver_value"]}


def _steps(alert: Row, compared: list[Row]) -> list[charts.Step]:
    """From what is usual to what was seen, the largest effects first; what is exactly nothing is left out."""
    effects: dict[str, Decimal] = {}
    for row in compared:
        if row["effect"] and row["kind"] is None and row["effect_usd"]:
            effects[row["effect"]] = effects.get(row["effect"], ZERO) + row["effect_usd"]
    ranked = sorted(effects.items(), key=lambda pair: -abs(pair[1]))
    named = [(words.effect(effect, amount), amount) for effect, amount in ranked]
    return charts.waterfall(("Usual such day", alert["baseline_usd"]), named, words.day(alert["onset_date"]))


def _metrics(compared: list[Row]) -> list[Row]:
    by_metric = {row["metric"]: row for row in compared if row["kind"] is None}
    rows = []
    for metric, (label, form, times) in METRICS.items():
        row = by_metric.get(metric)
        if row is None or (metric == "exposure_usd" and not row["current"] and not row["baseline"]):
            continue
        sides = {side: None if row[side] is None else row[side] * times for side in ("baseline", "current")}
        rows.append({"label": label, "form": form, "ratio": row["ratio"], **sides})
    return rows


def _kinds(compared: list[Row]) -> list[Row]:
    """Cost by token kind, where the comparison has it."""
    rows = [row for row in compared if row["kind"] is not None and row["metric"] == "cost_usd"]
    moved = [row for row in rows if row["current"] or row["baseline"]]
    most = max((abs(row["delta"]) for row in moved if row["delta"] is not None), default=ZERO)
    ranked = sorted(moved, key=lambda row: -abs(row["delta"] or ZERO))
    return [row | {"label": row["kind"].replace("_", " "), "bar": bar(row["delta"], most)} for row in ranked]


def bar(value: Decimal | None, most: Decimal) -> float:
    """The length of a bar in percent of the longest."""
    return round(float(abs(value) / most) * 100, 2) if value and most else 0.0


def _driver(filters: Filters, row: Row) -> Row:
    members = {word: row["driver_endpoint" if word == "endpoint" else column] for word, column in CARRIED.items()}
    named = members_of(row["driver_dimension"], row["driver_value"])
    by = next((word for word in ("tenant", "user", "model", "prompt_version") if word not in named), "endpoint")
    address = filters.about(members).address("explore", by=by)
    return row | {"address": address if named else None}


def _usual(hours: list[Row]) -> dict[date, Decimal]:
    """What is usual on each day of the alert."""
    usual: dict[date, Decimal] = {}
    for row in hours:
        usual[row["event_date"]] = usual.get(row["event_date"], ZERO) + row["baseline_usd"]
    return usual


def _days(visit: Visit, alert: Row, filters: Filters, compared: set[date], usual: dict[date, Decimal]) -> Row:
    """The alert's own series, four weeks before and a week after, with the forecast and what is usual on its days."""
    today = visit.marts.publication.as_of.date()
    end = min(alert["onset_date"] + timedelta(days=AFTER), today - timedelta(days=1))
    end = max(end, alert["last_date"])
    start = alert["onset_date"] - timedelta(days=BEFORE)
    series = daily(visit.marts, [alert], BEFORE, max(AFTER, (end - alert["onset_date"]).days))[alert["alert_id"]]
    days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    by, rows = driver_view(filters, alert)["by"], []
    for day in days:
        is_hot = alert["onset_date"] <= day <= alert["last_date"]
        kind = "hot" if is_hot else "compared" if day in compared else "past"
        usd = series.get(day)
        address = filters.address("explore", **{"from": day, "to": day + timedelta(days=1)}, by=by)
        rows.append({"day": day, "usd": usd, "kind": kind, "address": address})
    points = [
        charts.Point(
            row["usd"],
            f"{words.day(row['day'])}: {words.money(row['usd'])}",
            row["kind"],
            row["address"],
            usual=usual.get(row["day"]),
            forecast=alert["expected"] if row["day"] == alert["onset_date"] else None,
        )
        for row in rows
    ]
    first, last = days.index(alert["onset_date"]), days.index(alert["last_date"])
    return {"chart": charts.bars(points, (first, last + 1)), "rows": rows, "axis": charts.axis(days)}


def _hours(alert: Row, hours: list[Row]) -> Row | None:
    """The hours of the alert's days: seen, and usual; a line where it began."""
    if not hours:
        return None
    points = [
        charts.Point(
            row["observed_usd"],
            f"{words.clock(row['hour_start'])}: {words.money(row['observed_usd'])}, usually {words.money(row['baseline_usd'])}",
            "hot",
            usual=row["baseline_usd"],
        )
        for row in hours
    ]
    mark = next((place for place, row in enumerate(hours) if row["hour_start"] == alert["started_at"]), None)
    return {
        "chart": charts.bars(points, mark=mark),
        "rows": hours,
        "has_errors": any(row["observed_errors"] for row in hours),
        "days": sorted({row["event_date"] for row in hours}),
        "mark_percent": None if mark is None else round(mark / len(points) * 100, 2),
    }


def _inside(visit: Visit, filters: Filters, alert: Row) -> Row:
    """The members of one dimension of the alert, each a link to its own view."""
    marts, about = visit.marts, {"id": alert["alert_id"]}
    members = {row["dimension"]: row["members"] for row in marts.rows(FOCUSED, **about)}
    known = [word for word in INSIDE if word in members] or ["endpoint"]
    view = driver_view(filters, alert)["by"]
    by = visit.words.get("by", "")
    by = by if by in known else view if view in known else known[0]
    rows = marts.rows(FOCUS, dimension=by, most=SHOWN, **about)
    most = max((abs(row["delta_usd"]) for row in rows), default=ZERO)
    scope = members_of(alert["scope_dimension"], alert["scope_value"])
    return {
        "by": by,
        "tabs": [
            (word, members.get(word, 0), f"{filters.address('alert', by=word)}#inside", word == by) for word in known
        ],
        "rows": [row | _member(filters, row, by, scope) | {"bar": bar(row["delta_usd"], most)} for row in rows],
        "left_out": max(0, members.get(by, 0) - len(rows)),
        "has_errors": any(row["current_errors"] or row["baseline_errors"] for row in rows),
        "all": None if by == "error_code" else filters.about(scope).address("explore", by=by),
    }


def _member(filters: Filters, row: Row, by: str, scope: dict[str, str]) -> Row:
    """What a member is called, and the view of it within the alert's series."""
    if by == "error_code":
        address = None if row["member"] == NO_MEMBER else filters.about(scope).address("requests", error=row["member"])
        return {"label": row["member"], "address": address}
    named = {by: row["member"]}
    if by == "prompt_version" and row["driver_endpoint"]:
        named = {"endpoint": row["driver_endpoint"], by: row["prompt_version"]}
    next_by = next(word for word in ("tenant", "user", "model", "endpoint") if word not in {**scope, **named})
    label = " | ".join(value for word, value in named.items() if word not in scope or word == by)
    return {"label": label, "address": filters.about(scope | named).address("explore", by=next_by)}


def _earlier(filters: Filters, row: Row) -> Row:
    return row | {"address": alert_address(filters, row), "when": words.days(row["onset_date"], row["last_date"])}
