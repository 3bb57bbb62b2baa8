"""The events of incidents: which fields a type has, what each may hold, and the sentence for what is refused.

Mutes and plans are events of the same source: on-call writes them in the same place. All of them are few, so a line is judged in
plain Python: by the loader, and by the form or the command that writes it.
"""

import json
import re
from datetime import date, datetime, timedelta

from orchestration.landing.fields import CHOICES, LONGEST_ID, snake_case
from orchestration.landing.text import INSTANT, sound, tidy
from orchestration.team.incidents import SPIKE_TYPES

LONGEST_TEXT = 4_000  # characters: a note of a page; what is longer is a log, and belongs where the runbook is
ALIASES = {"fingerprint": "problemId"}  # what senders of the first release write
IDS = ("incidentId", "planId", "eventId", "alertId", "problemId", *ALIASES)
TIMES = ("occurredAt", "startedAt")
DAYS = ("fromDate", "untilDate")
LONGEST_PLAN = timedelta(days=366)  # a mute for ever is a rule: alert_rules.csv has those
COMMON = ("type", "occurredAt", "actor")
ALWAYS_OPTIONAL = ("eventId", "note")
# Type -> the fields that it must have, and those that it may have. `none` means that no single member dominates.
EVENT_TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "opened": (
        ("alertId", "problemId"),
        (
            "environment",
            "dataMode",
            "spikeType",
            "startedAt",
            "title",
            "endpointTag",
            "promptVersion",
            "tenantId",
            "userId",
            "model",
        ),
    ),
    "owner_assigned": (("owner",), ()),
    "channel_set": (("channel",), ()),
    "spike_type_confirmed": (("spikeType",), ()),
    "containment_applied": (("containmentAction",), ()),
    "root_cause_found": (("rootCause",), ()),
    "scope_documented": (("endpointTag", "tenantId", "promptVersion"), ()),
    "guardrail_added": (("guardrail",), ()),
    "runbook_updated": (("owner", "escalationChannel"), ("endpointTag", "runbookUrl")),
    "weekly_review_done": ((), ()),
    "note_added": (("note",), ()),
    "closed": ((), ("reason",)),
    "reopened": ((), ()),
}
SCOPE = ("environment", "dataMode", "endpointTag", "promptVersion", "tenantId", "userId", "model")
# What is expected, or is to wake nobody: the alerts of a problem, or those within a scope, on days until the day before untilDate.
PLAN_TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "planned": (("fromDate", "untilDate", "reason"), ("problemId", *SCOPE)),
    "muted": (("fromDate", "untilDate", "reason"), ("problemId", *SCOPE)),
    "plan_ended": (("untilDate", "reason"), ()),
}
DEFAULTS = {kind: {"environment": "prod", "dataMode": "real"} for kind in ("opened", "planned", "muted")}
# Raw files are kept for ever, so this column keeps the name that it had in the first of them; staging renames it.
RAW_NAMES = {"problem_id": "fingerprint"}

# Column -> type, in the order of the raw files. event_date is the hive column: in the path, not in the file.
RAW_COLUMNS = {
    **dict.fromkeys(("incident_id", "event_id", "event_type"), "VARCHAR"),
    "occurred_at": "TIMESTAMP",
    **dict.fromkeys(("actor", "note", "alert_id", "fingerprint", "environment", "data_mode", "spike_type"), "VARCHAR"),
    "started_at": "TIMESTAMP",
    **dict.fromkeys(
        [
            "title",
            "endpoint_tag",
            "prompt_version",
            "tenant_id",
            "user_id",
            "model",
            "owner",
            "channel",
            "containment_action",
            "root_cause",
            "guardrail",
            "runbook_url",
            "escalation_channel",
            "reason",
            "plan_id",
        ],
        "VARCHAR",
    ),
    **dict.fromkeys(("from_date", "until_date"), "DATE"),
    "content_hash": "VARCHAR",
    "line_number": "BIGINT",
    "load_id": "VARCHAR",
}


class Refused(ValueError):  # noqa: N818
    """An incident event that cannot be taken: its reason code and what was found."""

    def __init__(self, reason_code: str, detail: str):
        super().__init__(f"{reason_code}: {detail}")
        self.reason_code, self.detail = reason_code, detail


def parsed(line: str) -> dict:
    """The object in a line. Raises Refused."""
    try:
        event = sound(json.loads(line, parse_constant=lambda _: None), IDS)
    except (ValueError, RecursionError):
        raise Refused("invalid_json", "it is not JSON") from None
    if not isinstance(event, dict):
        raise Refused("not_an_object", "it is JSON but no object")
    return event


def judged(event: dict) -> dict:
    """The raw columns of an incident event, each of them, NULL where its type says nothing. Raises Refused.

    Fields that the type does not have are kept nowhere.
    """
    event = {ALIASES.get(name, name): value for name, value in event.items() if ALIASES.get(name) not in event}
    for name in COMMON:
        _required(event, name)
    kind = _required(event, "type")
    if kind not in EVENT_TYPES and kind not in PLAN_TYPES:
        raise Refused("bad_event_type", f"type is {kind[:40]}")
    subject = "planId" if kind in PLAN_TYPES else "incidentId"
    _required(event, subject)
    required, optional = (EVENT_TYPES | PLAN_TYPES)[kind]
    texts = {name: _text(event, name) for name in (subject, *COMMON, *required, *optional, *ALWAYS_OPTIONAL)}
    for name in required:
        if texts[name] is None:
            raise Refused("missing_field", f"{name} is missing; every {kind} event has it")
    checked = {name: _checked(name, text) for name, text in texts.items() if text is not None}
    if "fromDate" in required:
        _check_plan(kind, checked)
    values = {**DEFAULTS.get(kind, {}), **checked}
    values["event_type"] = values.pop("type")
    known = {RAW_NAMES.get(snake_case(name), snake_case(name)): value for name, value in values.items()}
    return {column: known.get(column) for column in RAW_COLUMNS}


def _check_plan(kind: str, checked: dict) -> None:
    """What the fields of a mute or plan say together. Raises Refused."""
    first, until = checked["fromDate"], checked["untilDate"]
    if not first < until:
        raise Refused(
            "bad_value", f"untilDate is {until}, not after fromDate {first}: it is the first day after the last"
        )
    if until - first > LONGEST_PLAN:
        raise Refused(
            "bad_value", f"{first} to {until} is more than {LONGEST_PLAN.days} days: write a rule (alert_rules.csv)"
        )
    named = [name for name in SCOPE if name in checked]
    if not named and "problemId" not in checked:
        raise Refused("missing_field", f"every {kind} event names its scope: problemId, or one of {', '.join(SCOPE)}")
    if named and "problemId" in checked:
        raise Refused("bad_value", f"problemId and {named[0]} name two scopes: give one of them")


def _required(event: dict, name: str) -> str:
    text = _text(event, name)
    if text is None:
        raise Refused("missing_field", f"{name} is missing")
    return text


def _text(event: dict, name: str) -> str | None:
    """The tidy text of a field; None when it is absent, null or blank."""
    value = event.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused("bad_value", f"{name} is {json.dumps(value, ensure_ascii=True)[:40]}, no text")
    return tidy(value) or None


def _checked(name: str, value: str) -> str | datetime | date:
    """A value that its field allows. Raises Refused."""
    if re.search(r"[\ud800-\udfff\x00]", value):
        raise Refused("bad_value", f"{name} has characters that no text has")
    if name in IDS and len(value) > LONGEST_ID:
        raise Refused("id_too_long", f"{name} has {len(value)} characters")
    if len(value) > LONGEST_TEXT:
        raise Refused("bad_value", f"{name} has {len(value)} characters, more than {LONGEST_TEXT}")
    if name in TIMES:
        return _instant(name, value)
    if name in DAYS:
        return _day(name, value)
    if name == "environment":
        return value.lower()
    value = value.lower() if name == "dataMode" else value
    words = {"spikeType": SPIKE_TYPES, "dataMode": CHOICES["dataMode"]}.get(name)
    if words and value not in words:
        raise Refused("bad_value", f"{name} is {value[:40]}, none of {', '.join(words)}")
    if name == "runbookUrl" and not re.match(r"https?://[^\s/]", value):
        raise Refused("bad_value", f"{name} is {value[:40]}, no http or https address")
    return value


def _instant(name: str, value: str) -> datetime:
    """UTC without a zone, as the raw zone keeps it."""
    try:
        if not re.fullmatch(INSTANT, value):
            raise ValueError
        instant = datetime.fromisoformat(value.upper())
    except ValueError:
        raise Refused("bad_timestamp", f"{name} is {value[:40]}") from None
    instant = instant.replace(tzinfo=None) - (instant.utcoffset() or timedelta())
    if not 2015 <= instant.year <= 2100:
        raise Refused("date_out_of_range", f"{name} is {value[:40]}")
    return instant


def _day(name: str, value: str) -> date:
    try:
        day = datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of the calendar
    except ValueError:
        raise Refused("bad_timestamp", f"{name} is {value[:40]}, no day such as 2026-11-22") from None
    if not 2015 <= day.year <= 2100:
        raise Refused("date_out_of_range", f"{name} is {value[:40]}")
    return day
