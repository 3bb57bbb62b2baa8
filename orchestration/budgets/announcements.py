"""What was said of budgets, and when: `marts.budget_transitions` is what today's facts say, this ledger is what people were told.

A run compares the two. A change that nobody was told of is news; where late files, a repricing or another limit moved or undid
a change that had been told, or added one to a period that was over, that is a correction, with its cause. Lines are only ever
appended, so what was known on a day can be shown for ever. Their `kind`:

  watched              the budget was judged for the first time: what lies further back wakes nobody
  closed               the period had ended, with what was then known of it
  news                 a state change
  added, moved, withdrawn   a correction
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.ledger import Line, one_writer, read_log, remember_instant, why_too_early
from orchestration.notifications import Event, enqueue
from orchestration.plain import for_chat
from orchestration.settings import Settings
from orchestration.warehouse import warehouse
from orchestration.wording import cents, minute

NEWS_FOR = timedelta(days=2)  # a budget that is new, or a first run over a long past, speaks of the last two days only
SEVERITY = {"ok": "info", "warning": "warning", "spend_alert": "warning", "exceeded": "critical"}
EVIDENCE = ("spent_usd", "limit_usd", "attempts")  # what a change was judged by
BECAUSE = {
    "late_data": "usage arrived late",
    "repricing": "calls were priced anew",
    "limit_change": "the limit is another",
    "rules": "settings or code changed",
}
Change = dict[str, object]
Period = tuple[str, str]  # budget_id and period_start


@dataclass
class Told:
    """What the ledger adds up to."""

    watched: dict[str, datetime] = field(default_factory=dict)
    closed: dict[Period, Line] = field(default_factory=dict)
    changes: dict[tuple, Line] = field(default_factory=dict)  # by (budget_id, period_start, to_state, how many-th)
    lines: list[Line] = field(default_factory=list)

    def apply(self, line: Line) -> None:
        """Takes in the next line."""
        self.lines.append(line)
        if line["kind"] == "watched":
            self.watched[line["budget_id"]] = datetime.fromisoformat(line["known_at"])
        elif line["kind"] == "closed":
            self.closed[line["budget_id"], line["period_start"]] = line
        elif line["kind"] == "withdrawn":
            self.changes.pop(_key(line), None)  # what it withdraws may stand in a line that cannot be read
        else:
            self.changes[_key(line)] = line


def announce(settings: Settings) -> Counter:
    """Writes to the ledger what today's facts changed and puts its messages into the outbox; counts both. A repetition says nothing.

    Nor does a run that speaks from an earlier instant than another did: `why_nothing_is_announced` is its sentence.
    """
    told, folder = Told(), announcements_folder(settings)
    with one_writer(folder) as append:
        for line in read_announcements(settings):
            told.apply(line)
        if why_too_early(folder, told.lines, settings.as_of):
            return Counter()
        with warehouse(settings) as connection:
            facts = _Facts(connection)
            new = list(_differences(told, facts, settings.as_of))
        append(new)
        remember_instant(folder, told.lines, settings.as_of)
    # what an earlier run wrote and could not hand on is handed on now: the outbox knows what it has
    since = settings.as_of - NEWS_FOR
    loud = [
        line
        for line in [*told.lines, *new]
        if line.get("is_silent") is False and datetime.fromisoformat(line["known_at"]) >= since
    ]
    queued = enqueue(settings, [_event(line, facts) for line in loud])
    return Counter(line["kind"] for line in new) + queued


def why_nothing_is_announced(settings: Settings) -> str | None:
    """The sentence of a run that speaks from an earlier instant than the ledger; None for one that may announce."""
    return why_too_early(announcements_folder(settings), read_announcements(settings), settings.as_of)


def announcements_folder(settings: Settings) -> Path:
    """Where announcements are kept: in the ledger, because what was known on a day cannot be computed again."""
    return settings.ledger / "budget_announcements"


def read_announcements(settings: Settings) -> list[Line]:
    """Every line, oldest first; a line that a kill left torn was never written."""
    return read_log(announcements_folder(settings))[0]


class _Facts:
    """What the warehouse says now, read once; dates and times as text, as the ledger has them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection
        self.status = {_period(row): row for row in self._rows("select * from marts.budget_status")}
        self.changes: dict[tuple, Change] = {}
        seen: Counter = Counter()
        for row in self._rows("select * from marts.budget_transitions order by budget_id, period_start, sequence"):
            seen[*_period(row), row["to_state"]] += 1
            change = row | {"occurrence": seen[*_period(row), row["to_state"]]}
            self.changes[_key(change)] = change

    def evidence(self, line: Line) -> Line:
        """What a change would be judged by today, at the quarter-hour at which it was told to have happened."""
        rows = self._rows(
            EVIDENCE_SQL, budget_id=line["budget_id"], period_start=line["period_start"], at=line["changed_at"]
        )
        return rows[0] if rows else dict.fromkeys(EVIDENCE)

    def _rows(self, sql: str, **parameters: object) -> list[Change]:
        found = self._connection.execute(sql, parameters)
        names = [column[0] for column in found.description]
        return [{name: _text(value) for name, value in zip(names, row, strict=True)} for row in found.fetchall()]


EVIDENCE_SQL = """
    select
        coalesce(sum(spending.cost_usd), 0)::decimal(38, 12) as spent_usd,
        any_value(limits.limit_usd + status.carried_usd)::decimal(38, 12) as limit_usd,
        coalesce(sum(spending.attempts), 0)::bigint as attempts
    from marts.budget_status as status
    left join intermediate.int_budgets as limits
        on status.budget_id = limits.budget_id and limits.valid_from_at <= $at::timestamp
        and coalesce(limits.valid_to_at > $at::timestamp, true)
    left join intermediate.int_budget_spending as spending
        on status.budget_id = spending.budget_id and spending.quarter_at between status.starts_at and $at::timestamp
    where status.budget_id = $budget_id and status.period_start = $period_start::date
    group by status.budget_id
"""


def _differences(told: Told, facts: _Facts, as_of: datetime) -> Iterator[Line]:
    """The lines that make the ledger say what the facts say."""
    watched, known = dict(told.watched), {"known_at": as_of.isoformat()}
    for budget in sorted({budget for budget, _ in facts.status} - watched.keys()):
        watched[budget] = as_of
        yield {"kind": "watched", "budget_id": budget} | known
    for key, change in facts.changes.items():
        before = told.changes.get(key)
        closed = told.closed.get(_period(change))
        if before is None:
            old = _instant(change["changed_at"]) < watched[change["budget_id"]] - NEWS_FOR
            yield _line(
                "added" if closed else "news",
                change | known,
                is_silent=old,
                why=_why(closed, facts.status.get(_period(change))),
            )
        elif before["changed_at"] != change["changed_at"]:
            yield _line(
                "moved",
                change | known,
                is_silent=before["is_silent"],
                why=_why(before, facts.evidence(before)),
                before=before,
            )
    for key, before in told.changes.items():
        if key not in facts.changes:
            why = _why(before, facts.evidence(before))
            yield _line("withdrawn", before | known, is_silent=before["is_silent"], why=why, before=before)
    for period, status in facts.status.items():
        if period not in told.closed and _instant(status["ends_at"]) <= as_of - NEWS_FOR:
            told_of = ("budget_id", "period_start", "state", *EVIDENCE)
            yield {"kind": "closed"} | {name: status[name] for name in told_of} | known


def _line(kind: str, change: Change, is_silent: bool, why: str | None, before: Line | None = None) -> Line:
    kept = {name: change.get(name) for name in TOLD}
    line = {"kind": kind} | kept | {"is_silent": is_silent, "correction_cause": why}
    if before:
        line |= {"corrects": before["announcement_id"], "changed_at_before": before["changed_at"]}
    identity = "|".join(str(line.get(name)) for name in ("kind", *TOLD, "corrects"))
    return line | {"announcement_id": hashlib.sha256(identity.encode()).hexdigest()[:16]}


TOLD = (
    "budget_id", "period_start", "to_state", "occurrence", "from_state", "cause", "changed_at", "changed_at_local", "time_zone",
    *EVIDENCE, "projection_usd", "is_muted",
    "known_at",  # what was told, withdrawn and holds again is told again: another announcement
)  # fmt: skip


def _why(then: Line | None, now: Line | None) -> str | None:
    """Why the past reads differently: more or fewer calls, other prices, another limit, or else other rules."""
    if then is None or now is None:
        return None
    for cause, name in (("late_data", "attempts"), ("limit_change", "limit_usd"), ("repricing", "spent_usd")):
        if then[name] != now[name]:
            return cause
    return "rules"


def _event(line: Line, facts: _Facts) -> Event:
    """The message of a line, in words that need no second look."""
    status = facts.status.get(_period(line), {})
    is_news = line["kind"] == "news"
    severity = SEVERITY[line["to_state"]] if is_news else "warning"
    spent, limit = cents(line["spent_usd"]), cents(line["limit_usd"])
    said = f"{line['from_state']} -> {line['to_state']}"
    title = f"Budget {line['budget_id']}: {line['to_state']}, {spent} of {limit} USD"
    if not is_news:
        title = f"Budget {line['budget_id']}, correction: {said} {line['kind']}"
    lines = [
        f"{said} at {minute(datetime.fromisoformat(line['changed_at_local']))} ({line['time_zone']}), by {line['cause']}.",
        None if is_news else _correction(line),
        f"Spent {spent} of {limit} USD in the {status.get('period', 'period')} from {line['period_start']}.",
        f"On course for {cents(line['projection_usd'])} USD." if line["projection_usd"] else None,
        *[f"- {for_chat(status[name])}" for name in ("driver_1", "driver_2", "driver_3") if status.get(name)],
        _unpriced(status) if status.get("unpriced_attempts") else None,
        f"Runbook: {status['runbook_url']}" if status.get("runbook_url") else None,
    ]
    return Event(
        event_key=f"budget/{line['announcement_id']}",
        # a state that flickers is one topic; another state, or a correction, is no repetition that may be held back
        topic="/".join(["budget", *_period(line), line["to_state"] if is_news else "correction"]),
        kind="budget" if is_news else "correction",
        severity=severity,
        title=title,
        body="\n".join(filter(None, lines)),
        drill_url=status.get("drill_url") or "",
        occurred_at=_instant(line["changed_at"]),
        channels=tuple(
            filter(None, [status.get("channel"), status.get("escalation_channel") if severity == "critical" else None])
        ),
        is_muted=bool(line["is_muted"]),
    )


def _unpriced(status: Change) -> str:
    said = f"Not in it: {status['unpriced_attempts']} calls without a price"
    if status["unvalued_attempts"]:
        return f"{said}; what {status['unvalued_attempts']} of them cost cannot even be guessed."
    return f"{said}, likely {cents(status['exposure_usd'])} USD."


def _correction(line: Line) -> str:
    because = BECAUSE.get(line["correction_cause"], "data or settings changed")
    if line["kind"] == "moved":
        return f"It had been told for {minute(datetime.fromisoformat(line['changed_at_before']))} (UTC): {because}."
    return f"It had {'not been told' if line['kind'] == 'added' else 'been told, and no longer holds'}: {because}."


def _period(row: Line | Change) -> Period:
    return row["budget_id"], row["period_start"]


def _key(row: Line | Change) -> tuple:
    return *_period(row), row["to_state"], row["occurrence"]


def _instant(text: str) -> datetime:
    """Times of the warehouse are UTC and do not say so."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _text(value: object) -> object:
    """As JSON has it: dates in ISO form, money in all its digits."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
