"""The postmortem note of an incident or an alert: Markdown whose every figure comes with the query that gives it.

A query is printed as it was run, so it gives the same on the published file. The note of a closed incident is kept in the
ledger as it was then; while it is open, or after it was reopened, the note is made of the marts as they are.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestration import wording
from orchestration.incidents.finding import CannotError
from orchestration.incidents.states import EXECUTION, HARDENING
from orchestration.ledger import one_writer, read_log, remember_instant, why_too_early
from orchestration.plain import for_chat
from orchestration.settings import Settings

HERE = Path(__file__).parent
LONGEST = 4_000  # characters of a text: as much as an event may have
DIMENSIONS = ("endpoint_tag", "prompt_version", "tenant_id", "user_id", "model")
EVENTS = {
    "opened": "incident opened",
    "owner_assigned": "owner assigned",
    "channel_set": "channel set",
    "spike_type_confirmed": "spike type confirmed",
    "containment_applied": "contained",
    "root_cause_found": "root cause found",
    "scope_documented": "scope documented",
    "guardrail_added": "guardrail added",
    "runbook_updated": "runbook updated",
    "weekly_review_done": "weekly review done",
    "note_added": "note",
    "closed": "closed",
    "reopened": "reopened",
}
Row = dict[str, Any]


@dataclass
class Queries:
    """Questions that a note asks of the marts, each kept as it was run."""

    marts: duckdb.DuckDBPyConnection
    asked: list[tuple[str, str]] = field(default_factory=list)

    def rows(self, about: str, sql: str, **values: object) -> list[Row]:
        """Runs a query with its values written into it, so that the text that is kept is the text that ran."""
        text = re.sub(r"\$(\w+)", lambda name: _literal(values[name[1]]), "\n".join(map(str.rstrip, _lines(sql))))
        found = self.marts.execute(text)
        names = [column[0] for column in found.description]
        self.asked.append((about, text))
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    @property
    def number(self) -> int:
        """Of the query that was asked last, as the note refers to it."""
        return len(self.asked)


def _lines(sql: str) -> list[str]:
    lines = [line for line in sql.splitlines() if line.strip()]
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    return [line[indent:] for line in lines]


def _literal(value: object) -> str:
    """A value as SQL has it."""
    return "null" if value is None else "'" + str(value).replace("'", "''") + "'"


ALERT = """
    select *
    from marts.alerts
    where alert_id = $alert
"""
INCIDENT = """
    select *
    from marts.incidents
    where incident_id = $incident
"""
ALERT_OF_PROBLEM = """
    select alert_id
    from marts.alerts
    where problem_id = $problem and onset_date <= $until and last_date >= $since
    order by alert_id = $alert desc, onset_date desc
"""
INCIDENT_OF_ALERT = """
    select incident_id
    from marts.incidents
    where problem_id = $problem and cast(started_at as date) <= $last and coalesce(closed_at >= $first, true)
    order by opened_at desc
"""
EVENTS_OF = """
    select occurred_at, event_type, actor, detail
    from marts.incident_events
    where incident_id = $incident and is_applied
    order by sequence
"""
MESSAGES = """
    select title, channel, status, queued_at, sent_at, acknowledged_at, acknowledged_by
    from marts.notification_outbox
    where ' ' || alert_ids || ' ' like '% ' || $alert || ' %' and queued_at >= $since
        and status in ('sent', 'failed', 'given_up')
    order by queued_at, channel
"""
EFFECTS = """
    select effect, metric, baseline, current, effect_usd
    from marts.alert_compare
    where alert_id = $alert and token_kind is null and effect_usd <> 0
    order by abs(effect_usd) desc, effect
"""
KINDS = """
    select token_kind, metric, effect, baseline, current, effect_usd
    from marts.alert_compare
    where alert_id = $alert and token_kind is not null and effect in ('input', 'cache', 'output', 'price') and effect_usd <> 0
    order by abs(effect_usd) desc, token_kind, effect
    limit 5
"""
DRIVERS = """
    select rank, driver_dimension, driver_value, effect, baseline_usd, current_usd, delta_usd
    from marts.alert_drivers
    where alert_id = $alert
    order by rank
"""
SEGMENT = """
    select endpoint_tag, prompt_version, tenant_id, user_id, model
    from marts.alert_drivers
    where alert_id = $alert and rank = 1
"""
OCCURRENCES = """
    select alert_id, onset_date, last_date, days, status, total_excess_usd
    from marts.alerts
    where problem_id = $problem
    order by onset_date
"""


def postmortem(marts: duckdb.DuckDBPyConnection, incident_id: str | None = None, alert_id: str | None = None) -> str:
    """The note of an incident, or of an alert with its incident where it has one. Raises CannotError where there is none.

    `marts` are the published ones, or the warehouse that is about to be published.
    """
    queries = Queries(marts)
    incident = _incident(queries, incident_id) if incident_id else None
    if incident:
        alert_id = _alert_of(queries, incident)
    alert = _one(queries.rows("the alert", ALERT, alert=alert_id)) if alert_id else None
    if alert is None and incident is None:
        raise CannotError(f"marts.alerts has no alert {alert_id!r}: look it up there.")
    if alert and not incident:
        found = queries.rows(
            "its incident",
            INCIDENT_OF_ALERT,
            problem=alert["problem_id"],
            first=alert["onset_date"],
            last=alert["last_date"],
        )
        incident = _incident(queries, found[0]["incident_id"]) if found else None
    view = _view(queries, alert, incident)
    return _template().render(view, queries=queries.asked).strip() + "\n"


def _incident(queries: Queries, incident_id: str) -> Row:
    incident = _one(queries.rows("the incident", INCIDENT, incident=incident_id))
    if incident is None:
        raise CannotError(
            f"marts.incidents has no incident {incident_id!r}; what landed today is there after a run (make run)."
        )
    return incident


def _alert_of(queries: Queries, incident: Row) -> str | None:
    """The alert that an incident was opened for; where late data moved its start, the alert of the problem at that time."""
    found = queries.rows(
        "the alerts of its problem at the time",
        ALERT_OF_PROBLEM,
        problem=incident["problem_id"],
        alert=incident["alert_id"],
        since=incident["started_at"].date(),
        until=(incident["closed_at"] or incident["last_event_at"]).date(),
    )
    return found[0]["alert_id"] if found else None


def _one(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _view(queries: Queries, alert: Row | None, incident: Row | None) -> Row:
    """Everything that the note shows, with the number of the query behind each part."""
    numbers = {about: number for number, (about, _) in enumerate(queries.asked, start=1)}
    view: Row = {"alert": alert, "incident": incident, "number": numbers, "effects": [], "kinds": [], "days": []}
    view |= {"drivers": [], "messages": [], "events": [], "occurrences": []}
    asked: list[tuple[str, str, Mapping[str, object]]] = []
    if alert:
        about = {"alert": alert["alert_id"], "problem": alert["problem_id"], "since": alert["onset_date"]}
        asked += [
            ("effects", EFFECTS, about),
            ("kinds", KINDS, about),
            ("drivers", DRIVERS, about),
            ("messages", MESSAGES, about),
            ("occurrences", OCCURRENCES, about),
        ]
    if incident:
        asked.append(("events", EVENTS_OF, {"incident": incident["incident_id"]}))
    for about_what, sql, values in asked:
        view[about_what] = queries.rows(about_what, sql, **values)
        numbers[about_what] = queries.number
    if alert:
        view["days"] = queries.rows("the driver's cost by day", *_days(queries.marts, alert))
        numbers["days"] = queries.number
    view["timeline"] = _timeline(alert, incident, view["messages"], view["events"])
    view["left"] = _left(incident)
    view["effects_sum"] = sum((row["effect_usd"] for row in view["effects"]), Decimal(0))
    view["title"] = (incident or {}).get("title") or _named(alert)
    return view


def _days(marts: duckdb.DuckDBPyConnection, alert: Row) -> tuple[str]:
    """What the driver's calls cost by day, from a week before the alert to a week after it: one query to paste."""
    segment = _one(Queries(marts).rows("", SEGMENT, alert=alert["alert_id"])) or {}
    named = {column: segment[column] for column in DIMENSIONS if segment.get(column)}
    conditions = {"environment": alert["environment"], "data_mode": alert["data_mode"]} | named
    filters = "\n    and ".join(f"{column} = {_literal(value)}" for column, value in conditions.items())
    first, last = _literal(alert["onset_date"]), _literal(alert["last_date"])
    # no value is left to fill in: a name with a dollar sign is not one
    return (
        f"""
        select event_date, count(distinct request_id) as requests, count(*) as attempts, sum(cost_usd) as cost_usd,
            count(*) filter (pricing_status = 'unpriced') as unpriced_attempts
        from marts.fct_attempts
        where event_date between date {first} - 7 and date {last} + 7
            and {filters}
        group by event_date
        order by event_date
        """.replace("\n    and", "\n            and"),  # noqa: S608 - literals are quoted
    )


def _named(alert: Row | None) -> str:
    return (
        f"{alert['spike_type']} at {alert['top_driver_dimension']} {alert['top_driver_value']}" if alert else "Incident"
    )


def _timeline(alert: Row | None, incident: Row | None, messages: list[Row], events: list[Row]) -> list[tuple[str, str]]:
    """When what happened, in the order of time; days for what is known by day only."""
    moments: list[tuple[str, int, str, str]] = []
    if alert:
        began = alert["started_at"]
        onset = wording.minute(began) if began else str(alert["onset_date"])
        moments.append((onset, 0, onset, "onset"))
        judged = wording.minute(alert["window_end"])
        until = "the last hour that counts so far" if alert["is_provisional"] else "the first day was over"
        moments.append((judged, 1, judged, f"{until}: {alert['severity']} alert of the next run"))
        moments.append(
            (
                f"{alert['last_date']} 24",
                1,
                str(alert["last_date"]),
                f"last day on which it showed ({alert['days']} in all)",
            )
        )
    for row in messages:
        at = wording.minute(row["sent_at"] or row["queued_at"])
        what = "sent" if row["sent_at"] else f"not delivered ({row['status']})"
        moments.append((at, 2, at, f"message {what} to {row['channel']}: {row['title']}"))
        if row["acknowledged_at"]:
            at = wording.minute(row["acknowledged_at"])
            moments.append((at, 3, at, f"acknowledged by {row['acknowledged_by']}"))
    for row in events:
        at = wording.minute(row["occurred_at"])
        detail = f": {row['detail']}" if row["detail"] and row["event_type"] != "opened" else ""
        moments.append((at, 4, at, f"{EVENTS[row['event_type']]} by {row['actor']}{detail}"))
    return [(when, what) for _, _, when, what in sorted(moments, key=lambda each: each[:2])]


def _left(incident: Row | None) -> list[str]:
    """What is still open."""
    if incident is None:
        return ["an incident: nobody has opened one"]
    missing = [
        text for column in ("execution_missing", "hardening_missing") for text in (incident[column] or "").split("; ")
    ]
    words = [*EXECUTION.values(), *HARDENING.values()]
    left = [text for text in words if text in missing]
    return left if incident["status"] == "closed" else ["closing it", *left]


# --- what readers have -----------------------------------------------------------------------------------------------


def files_to_publish(settings: Settings, marts: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """By name: the note of every incident, those of closed ones as they were when they were closed, and a list of them."""
    incidents = marts.execute(
        "select incident_id, alert_id, status, closed_at from marts.incidents order by incident_id"
    ).fetchall()
    with one_writer(_folder(settings)) as append:
        lines = read_log(_folder(settings))[0]
        silent = why_too_early(_folder(settings), lines, settings.as_of)
        kept = {(line["incident_id"], line["closed_at"]): line["markdown"] for line in lines}
        files, new = dict[str, str](), []
        for incident_id, _, status, closed_at in incidents:
            closing = (incident_id, closed_at.isoformat() if closed_at else None)
            text = kept.get(closing) if status == "closed" else None
            if text is None:
                text = postmortem(marts, incident_id)
                if status == "closed":
                    at = settings.as_of.isoformat()
                    new.append({"incident_id": closing[0], "closed_at": closing[1], "known_at": at, "markdown": text})
            files[file_name(incident_id)] = text
        if not silent:
            append(new)
            remember_instant(_folder(settings), lines + new, settings.as_of)
    listing = [
        f"- [{for_chat(incident_id)}]({file_name(incident_id)}): {status}, alert {for_chat(alert_id or 'none')}"
        for incident_id, alert_id, status, _ in incidents
    ]
    return files | {"index.md": "\n".join(["# Postmortems", "", *(listing or ["None yet."])]) + "\n"}


@cache
def code_hash() -> str:
    """Of what makes a note of the marts: notes of open incidents are written again when it changes."""
    files = (Path(__file__), HERE / "templates" / "postmortem.md.j2")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def file_name(incident_id: str) -> str:
    """The file of an incident's note: its id, made safe for a path; where that changed it, with a part of its hash."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", incident_id)[:100]
    mark = "" if safe == incident_id else "-" + hashlib.sha256(incident_id.encode()).hexdigest()[:8]
    return f"{safe}{mark}.md"


def _figure(value: Decimal | None) -> str:
    """A figure of the comparison with the digits that say something: 12,926.6316, 0.0000017814."""
    if value is None:
        return ""
    return f"{value:,.{4 if abs(value) >= 1 or not value else 10}f}".rstrip("0").rstrip(".")


def _folder(settings: Settings) -> Path:
    """In the ledger, because what a note said when its incident was closed cannot be computed again."""
    return settings.ledger / "postmortems"


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=False,  # noqa: S701 - it is Markdown, and `text` makes names harmless in it
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": lambda value: for_chat(value, LONGEST).replace("|", "\\|"),
        "usd": lambda value: wording.written("usd", value),
        "change": lambda value: wording.written("change", value),
        "minutes": lambda value: "not yet" if value is None else wording.minutes(value),
        "figure": _figure,
    }
    return environment.get_template("postmortem.md.j2")
