"""What was announced about budgets, and when: `marts.budget_transitions` follows today's facts, this ledger keeps what was announced.

A run compares the two. A change that was never announced is news; where late files, a repricing or another limit moved or undid
an announced change, or added one to a period that was over, that is a correction, with its cause. Lines are only ever
appended, so what was known on a day can be shown for ever. Their `kind`:

  watched              the budget was judged for the first time: what lies further back wakes nobody
  closed               the period had ended, with what was then known of it
  news                 a state change
  added, moved, withdrawn   a correction
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import duckdb

from orchestration.ledger import one_writer, read_log, remember_instant, rows_as_text, why_too_early
from orchestration.notifications import Event, enqueue
from orchestration.plain import for_chat
from orchestration.settings import Settings
from orchestration.warehouse import warehouse
from orchestration.wording import listed, many, minute, usd

NEWS_FOR = timedelta(days=2)  # a budget that is new, or a first run over a long past, announces the last two days only
SEVERITY = {"ok": "info", "warning": "warning", "spend_alert": "warning", "exceeded": "critical"}
# Why a change is another one today: the first of what it was judged by that differs.
CAUSES = (
    ("attempts", "late_data"),
    ("usage_checksum", "corrected_usage"),
    ("adjusted_usd", "adjustment"),
    ("own_limit_usd", "limit_change"),
    ("limit_usd", "carry_over"),
    ("spent_usd", "repricing"),
    ("past_attempts", "late_past"),
    ("past_usage_checksum", "corrected_past"),
    ("past_usd", "repriced_past"),
)
BECAUSE = {
    "late_data": "usage arrived late",
    "corrected_usage": "a sender corrected its counts",
    "adjustment": "the adjustments are others",
    "limit_change": "the limit is another",
    "carry_over": "what the period before left is another amount",
    "repricing": "calls were priced anew",
    "late_past": "usage of the weeks before arrived late, and something else is usual",
    "corrected_past": "a sender corrected its counts of the weeks before, and something else is usual",
    "repriced_past": "calls of the weeks before were priced anew, and something else is usual",
    "rules": "settings or code changed",
}
Period = tuple[str, str]  # budget_id and period_start
Key = tuple[str, str, str, int]  # the same, to_state, and how many-th change of the period to it


class Status(TypedDict):
    """The columns used of a row of budget_status. Dates and times are text, as the ledger has them; money is text in all its digits."""

    budget_id: str
    period: str
    period_start: str
    ends_at: str
    state: str
    spent_usd: str
    limit_usd: str
    attempts: int
    driver_1: str | None
    driver_2: str | None
    driver_3: str | None
    unpriced_attempts: int
    unvalued_attempts: int
    exposure_usd: str
    channel: str | None
    escalation_channel: str | None
    runbook_url: str | None
    drill_url: str | None


class Change(TypedDict):
    """The columns announced of a row of budget_transitions."""

    budget_id: str
    period_start: str
    to_state: str
    occurrence: int
    from_state: str
    cause: str
    changed_at: str
    changed_at_local: str
    time_zone: str
    spent_usd: str
    limit_usd: str
    attempts: int
    projection_usd: str | None
    is_muted: bool


class Watched(TypedDict):
    """A line of the ledger."""

    kind: Literal["watched"]
    budget_id: str
    known_at: str


class Evidence(TypedDict):
    """What a change is judged by besides spend, limit and calls; lines of earlier releases have none."""

    own_limit_usd: str | None
    adjusted_usd: str
    usage_checksum: str
    past_attempts: int
    past_usage_checksum: str
    past_usd: str


class Closed(TypedDict):
    """A line of the ledger."""

    kind: Literal["closed"]
    budget_id: str
    period_start: str
    state: str
    spent_usd: str
    limit_usd: str
    attempts: int
    known_at: str
    evidence: NotRequired[Evidence]


Kind = Literal["news", "added", "moved", "withdrawn"]


class AnnouncedChange(Change):
    """What identifies an announcement."""

    kind: Kind
    known_at: str  # a change that was withdrawn and holds again is announced again


class Announcement(AnnouncedChange):
    """A line of the ledger."""

    announcement_id: str
    is_silent: bool
    correction_cause: str | None
    correction_detail: str | None  # the file, price or person behind it
    evidence: NotRequired[Evidence]
    corrects: NotRequired[str]  # the announcement that it moves or withdraws
    changed_at_before: NotRequired[str]


Line = Watched | Closed | Announcement


@dataclass
class Announced:
    """The state that the lines of the ledger add up to."""

    watched: dict[str, datetime] = field(default_factory=dict)
    closed: dict[Period, Closed] = field(default_factory=dict)
    changes: dict[Key, Announcement] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def apply(self, line: Line) -> None:
        """Takes in the next line."""
        self.lines.append(line)
        if line["kind"] == "watched":
            self.watched[line["budget_id"]] = datetime.fromisoformat(line["known_at"])
        elif line["kind"] == "closed":
            self.closed[line["budget_id"], line["period_start"]] = line
        elif line["kind"] == "withdrawn":
            self.changes.pop(_key(line), None)  # the line that it withdraws may be one that cannot be read
        else:
            self.changes[_key(line)] = line


def announce(settings: Settings) -> Counter:
    """Writes to the ledger what today's facts changed and puts its messages into the outbox; counts both. A repetition says nothing.

    Nor does a run that reports as of an earlier instant than another did: `why_nothing_is_announced` is its sentence.
    """
    announced, folder = Announced(), announcements_folder(settings)
    with one_writer(folder) as append:
        for line in read_announcements(settings):
            announced.apply(line)
        if why_too_early(folder, announced.lines, settings.as_of):
            return Counter()
        with warehouse(settings) as connection:
            facts = _Facts(connection)
            new = list(_differences(announced, facts, settings.as_of))
        append(new)
        remember_instant(folder, announced.lines, settings.as_of)
    # what an earlier run wrote and could not hand on is handed on now: the outbox knows what it has
    since = settings.as_of - NEWS_FOR
    loud = [
        line
        for line in _announcements([*announced.lines, *new])
        if not line["is_silent"] and datetime.fromisoformat(line["known_at"]) >= since
    ]
    queued = enqueue(settings, [_event(line, facts) for line in loud])
    return Counter(line["kind"] for line in new) + queued


def what_was_announced(counts: Counter) -> str:
    """What `announce` counted, in words."""
    changes, corrections = counts["news"], counts["added"] + counts["moved"] + counts["withdrawn"]
    said = [many(changes, "change of state", "changes of state")] if changes else []
    said += [many(corrections, "correction")] if corrections else []
    return f"{listed(said)} announced" if said else "no budget changed its state"


def why_nothing_is_announced(settings: Settings) -> str | None:
    """The sentence of a run that reports as of an earlier instant than the ledger; None for one that may announce."""
    return why_too_early(announcements_folder(settings), read_announcements(settings), settings.as_of)


def announcements_folder(settings: Settings) -> Path:
    """Where announcements are kept: in the ledger, because what was known on a day cannot be computed again."""
    return settings.ledger / "budget_announcements"


def read_announcements(settings: Settings) -> list[Line]:
    """Every line, oldest first; a line that a kill left torn was never written."""
    return read_log(announcements_folder(settings))[0]


def _announcements(lines: list[Line]) -> Iterator[Announcement]:
    for line in lines:
        if line["kind"] != "watched" and line["kind"] != "closed":
            yield line


class _Facts:
    """The current rows of the warehouse, read once; dates and times as text, as the ledger has them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection
        self._evidence: dict[tuple[str, str, str], Evidence] | None = None
        status: list[Status] = self._rows("select * from marts.budget_status")
        self.status = {_period(row): row for row in status}
        self.changes: dict[Key, Change] = {}
        seen: Counter = Counter()
        for row in self._rows("select * from marts.budget_transitions order by budget_id, period_start, sequence"):
            seen[*_period(row), row["to_state"]] += 1
            change: Change = row | {"occurrence": seen[*_period(row), row["to_state"]]}
            self.changes[_key(change)] = change

    def evidence(self, budget_id: str, period_start: str, at: str) -> Mapping[str, object] | None:
        """What a change at a quarter-hour is judged by today."""
        rows = self._rows(
            EVIDENCE_SQL.format(asked=ONE_ASKED, sums=SUMS), budget_id=budget_id, period_start=period_start, at=at
        )
        return rows[0] if rows else None

    def evidence_of(self, change: Change) -> Evidence | None:
        """That of a change of today; all of them are asked for at once."""
        if self._evidence is None:
            rows = self._rows(EVIDENCE_SQL.format(asked=ALL_ASKED, sums=SUMS))
            self._evidence = {(*_period(row), row["at"]): _evidence(row) for row in rows}
        return self._evidence.get((*_period(change), change["changed_at"]))

    def detail(self, cause: str | None, before: Announcement) -> str | None:
        """The file, price or person behind a cause."""
        sql = DETAIL_SQL.get(cause or "")
        if not sql:
            return None
        keys = {"budget_id": before["budget_id"], "period_start": before["period_start"], "at": before["changed_at"]}
        known = {"known_at": before["known_at"]} if "$known_at" in sql else {}
        return ", ".join(row["detail"] for row in self._rows(sql, **keys, **known)) or None

    def _rows(self, sql: str, **parameters: object) -> list[Any]:
        return rows_as_text(self._connection, sql, parameters)


ONE_ASKED = "select $budget_id as budget_id, $period_start::date as period_start, $at::timestamp as at"
ALL_ASKED = "select distinct budget_id, period_start, changed_at as at from marts.budget_transitions"
IN_PERIOD_OR_PAST = {
    "spent_usd": (">=", "cost_usd", "decimal(38, 12)"),
    "attempts": (">=", "attempts", "bigint"),
    "usage_checksum": (">=", "usage_checksum", "decimal(38, 0)"),
    "adjusted_usd": (">=", "adjusted_usd", "decimal(38, 12)"),
    "past_usd": ("<", "cost_usd", "decimal(38, 12)"),
    "past_attempts": ("<", "attempts", "bigint"),
    "past_usage_checksum": ("<", "usage_checksum", "decimal(38, 0)"),
}
SUMS = ", ".join(
    f"coalesce(sum(spending.{column}) filter (where spending.quarter_at {side} status.starts_at), 0)::{kind} as {name}"
    for name, (side, column, kind) in IN_PERIOD_OR_PAST.items()
)
EVIDENCE_SQL = """
    with asked as ({asked})
    select
        asked.budget_id,
        asked.period_start,
        asked.at,
        {sums},
        any_value(limits.limit_usd)::decimal(38, 12) as own_limit_usd,
        any_value(limits.limit_usd + status.carried_usd)::decimal(38, 12) as limit_usd
    from asked
    inner join marts.budget_status as status
        on asked.budget_id = status.budget_id and asked.period_start = status.period_start
    left join intermediate.int_budgets as limits
        on asked.budget_id = limits.budget_id and limits.valid_from_at <= asked.at
        and coalesce(limits.valid_to_at > asked.at, true)
    left join intermediate.int_budget_spending as spending
        on asked.budget_id = spending.budget_id
        and spending.quarter_at between status.starts_at - interval 28 day and asked.at
    group by asked.budget_id, asked.period_start, asked.at
"""
_CALLS = """
    from marts.fct_attempts as calls
    inner join marts.budget_status as status on status.budget_id = $budget_id and status.period_start = $period_start::date
        and (status.environments = '*' or list_contains(string_split(status.environments, ' '), calls.environment))
        and list_contains(string_split(status.data_modes, ' '), calls.data_mode)
""" + "".join(
    f"        and (status.{column} is null or status.{column} = calls.{column})\n"
    for column in ("endpoint_tag", "feature_tag", "tenant_id", "user_id", "provider", "model")
)
_FILES = (
    "select distinct arrivals.landing_file as detail, arrivals.arrival_date"
    + _CALLS
    + """
    inner join intermediate.int_arrivals as arrivals
        on calls.source = arrivals.source and calls.landing_content_hash = arrivals.content_hash
    where calls.occurred_at >= {since} and calls.occurred_at < {until} and arrivals.arrival_date >= $known_at::timestamptz::date
    order by arrivals.arrival_date desc, detail limit 3
"""
)
_PRICES = (
    "select prices.source || coalesce(', approved by ' || prices.approved_by, '') as detail"
    + _CALLS
    + """
    inner join intermediate.int_price_book as prices on calls.price_row_key = prices.price_row_key
    where calls.occurred_at >= {since} and calls.occurred_at < {until} and calls.pricing_status = 'priced'
    group by prices.source, prices.approved_by order by max(prices.recorded_at) desc, detail limit 1
"""
)
IN_PERIOD = {"since": "status.starts_at", "until": "$at::timestamp + interval 15 minute"}
BEFORE_IT = {"since": "status.starts_at - interval 28 day", "until": "least(status.starts_at, $at::timestamp)"}
DETAIL_SQL = {
    "late_data": _FILES.format(**IN_PERIOD),
    "corrected_usage": _FILES.format(**IN_PERIOD),
    "repricing": _PRICES.format(**IN_PERIOD),
    "late_past": _FILES.format(**BEFORE_IT),
    "corrected_past": _FILES.format(**BEFORE_IT),
    "repriced_past": _PRICES.format(**BEFORE_IT),
    "limit_change": """
        select 'budgets.csv, ' || given.owner || ': ' || given.reason as detail
        from staging.stg_budgets as given
        inner join intermediate.int_budgets as limits
            on given.budget_id = limits.budget_id and given.limit_usd = limits.limit_usd
        where given.budget_id = $budget_id and limits.valid_from_at <= $at::timestamp
            and coalesce(limits.valid_to_at > $at::timestamp, true) and $period_start is not null
        limit 1
    """,
    "adjustment": """
        select 'budget_adjustments.csv, ' || approved_by || ': ' || reason as detail
        from staging.stg_budget_adjustments
        where budget_id = $budget_id and effective_at >= $period_start::date and effective_at <= $at::timestamp + interval 1 day
        order by effective_at desc, detail limit 3
    """,
}


def _differences(announced: Announced, facts: _Facts, as_of: datetime) -> Iterator[Line]:
    """The lines that bring the ledger up to date with the facts."""
    watched, known_at = dict(announced.watched), as_of.isoformat()
    for budget in sorted({budget for budget, _ in facts.status} - watched.keys()):
        watched[budget] = as_of
        yield {"kind": "watched", "budget_id": budget, "known_at": known_at}
    for key, change in facts.changes.items():
        before = announced.changes.get(key)
        if before is None:
            closed = announced.closed.get(_period(change))
            is_old = _instant(change["changed_at"]) < watched[change["budget_id"]] - NEWS_FOR
            why = _why(closed, _at_the_end(closed, facts)) if closed else None
            yield _announcement("added" if closed else "news", change, known_at, is_old, facts, why)
        elif before["changed_at"] != change["changed_at"]:
            yield _correction("moved", change, known_at, before, facts)
    for key, before in announced.changes.items():
        if key not in facts.changes:
            yield _correction("withdrawn", before, known_at, before, facts)
    for period, status in facts.status.items():
        if period not in announced.closed and _instant(status["ends_at"]) <= as_of - NEWS_FOR:
            yield _closed(status, known_at, facts)


def _closed(status: Status, known_at: str, facts: _Facts) -> Closed:
    line: Closed = {
        "kind": "closed",
        "budget_id": status["budget_id"],
        "period_start": status["period_start"],
        "state": status["state"],
        "spent_usd": status["spent_usd"],
        "limit_usd": status["limit_usd"],
        "attempts": status["attempts"],
        "known_at": known_at,
    }
    if found := _at_the_end(line, facts):
        line["evidence"] = _evidence(found)
    return line


def _at_the_end(closed: Closed, facts: _Facts) -> Mapping[str, object] | None:
    """What a period that is over is judged by today; spend, limit and calls are those of its last row."""
    status = facts.status.get(_period(closed))
    if status is None:
        return None
    last = (_instant(status["ends_at"]) - timedelta(minutes=15)).replace(tzinfo=None).isoformat()
    found = facts.evidence(*_period(closed), last) or {}
    return {
        **found,
        "spent_usd": status["spent_usd"],
        "limit_usd": status["limit_usd"],
        "attempts": status["attempts"],
    }


def _correction(kind: Kind, change: Change, known_at: str, before: Announcement, facts: _Facts) -> Announcement:
    why = _why(before, facts.evidence(*_period(before), before["changed_at"]))
    return _announcement(kind, change, known_at, before["is_silent"], facts, why, before)


def _announcement(
    kind: Kind,
    change: Change,
    known_at: str,
    is_silent: bool,
    facts: _Facts,
    why: str | None,
    before: Announcement | None = None,
) -> Announcement:
    announced_change: AnnouncedChange = {
        "kind": kind,
        "budget_id": change["budget_id"],
        "period_start": change["period_start"],
        "to_state": change["to_state"],
        "occurrence": change["occurrence"],
        "from_state": change["from_state"],
        "cause": change["cause"],
        "changed_at": change["changed_at"],
        "changed_at_local": change["changed_at_local"],
        "time_zone": change["time_zone"],
        "spent_usd": change["spent_usd"],
        "limit_usd": change["limit_usd"],
        "attempts": change["attempts"],
        "projection_usd": change["projection_usd"],
        "is_muted": change["is_muted"],
        "known_at": known_at,
    }
    identity = "|".join(str(part) for part in (*announced_change.values(), before and before["announcement_id"]))
    line: Announcement = {
        **announced_change,
        "is_silent": is_silent,
        "correction_cause": why,
        "correction_detail": facts.detail(why, before) if before else None,
        "announcement_id": hashlib.sha256(identity.encode()).hexdigest()[:16],
    }
    if kind != "withdrawn" and (evidence := facts.evidence_of(change)):
        line["evidence"] = evidence
    if before:
        line["corrects"] = before["announcement_id"]
        line["changed_at_before"] = before["changed_at"]
    return line


def _evidence(row: Mapping[str, Any]) -> Evidence:
    return {
        "own_limit_usd": row["own_limit_usd"],
        "adjusted_usd": row["adjusted_usd"],
        "usage_checksum": row["usage_checksum"],
        "past_attempts": row["past_attempts"],
        "past_usage_checksum": row["past_usage_checksum"],
        "past_usd": row["past_usd"],
    }


def _why(then: Announcement | Closed, now: Mapping[str, object] | None) -> str | None:
    """Why the past changed: the first cause whose evidence differs, or else other rules."""
    if now is None:
        return None
    judged_by: dict[str, object] = {"attempts": then["attempts"], "limit_usd": then["limit_usd"]}
    judged_by |= {"spent_usd": then["spent_usd"], **then.get("evidence", {})}
    for name, cause in CAUSES:
        if name in judged_by and judged_by[name] != now.get(name):
            return cause
    return "rules"


def _event(line: Announcement, facts: _Facts) -> Event:
    """The message of a line, in words that are understood at a glance."""
    status = facts.status.get(_period(line))
    is_news = line["kind"] == "news"
    severity = SEVERITY[line["to_state"]] if is_news else "warning"
    spent, limit = usd(line["spent_usd"]), usd(line["limit_usd"])
    states = f"{line['from_state']} -> {line['to_state']}"
    title = f"Budget {line['budget_id']}: {line['to_state']}, {spent} of {limit}"
    if not is_news:
        title = f"Budget {line['budget_id']}, correction: {states} {line['kind']}"
    period = status["period"] if status else "period"
    lines = [
        f"{states} at {minute(datetime.fromisoformat(line['changed_at_local']))} ({line['time_zone']}), by {line['cause']}.",
        None if is_news else _what_is_corrected(line),
        f"Spent {spent} of {limit} in the {period} from {line['period_start']}.",
        f"On course for {usd(line['projection_usd'])}." if line["projection_usd"] else None,
        f"Nothing is spent yet: a usual {period} costs more than the limit." if _is_usual_too_much(line) else None,
        *(_why_so_much(status) if status and line["to_state"] != "ok" else ()),
    ]
    channels = [status["channel"], status["escalation_channel"] if severity == "critical" else None] if status else []
    return Event(
        event_key=f"budget/{line['announcement_id']}",
        # a state that flickers is one topic; another state, or a correction, is not a repetition that may be held back
        topic="/".join(["budget", *_period(line), line["to_state"] if is_news else "correction"]),
        kind="budget" if is_news else "correction",
        severity=severity,
        title=title,
        body="\n".join(filter(None, lines)),
        drill_url=(status and status["drill_url"]) or "",
        occurred_at=_instant(line["changed_at"]),
        channels=tuple(filter(None, channels)),
        is_muted=line["is_muted"],
    )


def _is_usual_too_much(line: Announcement) -> bool:
    """Whether what is usual alone raised the alert."""
    return line["to_state"] == "spend_alert" and not Decimal(line["spent_usd"])


def _why_so_much(status: Status) -> Iterator[str]:
    """What the money went to, what is not in it, and what to do."""
    for driver in (status["driver_1"], status["driver_2"], status["driver_3"]):
        if driver:
            yield f"- {for_chat(driver)}"
    if status["unpriced_attempts"]:
        yield _unpriced(status)
    if status["runbook_url"]:
        yield f"Runbook: {status['runbook_url']}"


def _unpriced(status: Status) -> str:
    left_out = f"Not in it: {many(status['unpriced_attempts'], 'call')} without a price"
    if status["unvalued_attempts"]:
        return f"{left_out}, {status['unvalued_attempts']} of them without even an estimate."
    return f"{left_out}, likely {usd(status['exposure_usd'])}."


def _what_is_corrected(line: Announcement) -> str:
    because = BECAUSE.get(line["correction_cause"] or "", "data or settings changed")
    if detail := line.get("correction_detail"):
        because += f" ({for_chat(detail)})"
    if line["kind"] == "moved":
        return (
            f"It had been announced for {minute(datetime.fromisoformat(line['changed_at_before']))} (UTC): {because}."
        )
    return f"It had {'not been announced' if line['kind'] == 'added' else 'been announced, and no longer holds'}: {because}."


def _period(row: Status | Change | Closed) -> Period:
    return row["budget_id"], row["period_start"]


def _key(row: Change) -> Key:
    return *_period(row), row["to_state"], row["occurrence"]


def _instant(text: str) -> datetime:
    """Times of the warehouse are UTC, without a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
