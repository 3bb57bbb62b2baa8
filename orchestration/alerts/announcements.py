"""The difference between what was announced about alerts (ledger.py) and what the marts say now, and its messages.

Alerts of one cause are one message: STORM or more that begin on one day with the same spike type and error share a topic from then on,
as does what joins them later, and only the last one that is over ends it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

from orchestration.alerts.facts import Alert, Facts
from orchestration.alerts.ledger import ENDS, OVER, Announced, Kind, Line, announcements_folder, read_announcements
from orchestration.alerts.messages import event
from orchestration.ledger import one_writer, remember_instant, why_too_early
from orchestration.notifications import enqueue
from orchestration.settings import Settings
from orchestration.team.notifications import SEVERITIES, read_channels
from orchestration.warehouse import warehouse
from orchestration.wording import listed

NEWS_FOR = timedelta(days=2)  # as for budgets: what an earlier run could not hand on is handed on for so long
PAST_AFTER = timedelta(
    days=4
)  # an alert closes after 3 quiet days: one that is open and older is of data that came late
MOVED = Decimal("0.5")  # of the dollars that were announced: from here on another message
PACE = 2  # times the dollars a day: worse
STORM = 3  # alerts of one cause that begin in one run
MOST_AT_ONCE = 5  # topics that begin in one run: more are one message, whatever their causes


def announce(settings: Settings) -> Counter:
    """Writes to the ledger what today's facts changed and puts its messages into the outbox; counts both. A repetition says nothing.

    Nor does a run that reports as of an earlier instant than another did: `why_nothing_is_announced` is its sentence.
    """
    folder, announced = announcements_folder(settings), Announced()
    with one_writer(folder) as append:
        for line in read_announcements(settings):
            announced.apply(line)
        if why_too_early(folder, announced.lines, settings.as_of):
            return Counter()
        with warehouse(settings) as connection:
            facts = Facts(connection)
            new = _in_messages(list(_differences(announced, facts, settings)), announced)
        append(new)
        remember_instant(folder, announced.lines, settings.as_of)
    for line in new:
        announced.apply(line)
    return Counter(line["kind"] for line in new) + _hand_on(settings, announced)


def what_was_announced(counts: Counter) -> str:
    """What `announce` counted, in words."""
    said = [f"{counts[kind]} {kind}" for kind in get_args(Kind) if counts[kind]]
    return listed(said) if said else "no alert began, changed or ended"


def why_nothing_is_announced(settings: Settings) -> str | None:
    """The sentence of a run that reports as of an earlier instant than the ledger; None for one that may announce."""
    return why_too_early(announcements_folder(settings), read_announcements(settings), settings.as_of)


def _hand_on(settings: Settings, announced: Announced) -> Counter:
    """Puts what was announced lately into the outbox, which knows what it has: what an earlier run wrote and could not hand on, too."""
    since, channels = settings.as_of - NEWS_FOR, read_channels(settings.team)
    messages: dict[str, list[Line]] = defaultdict(list)
    for line in announced.lines:
        if not line["is_silent"] and datetime.fromisoformat(line["known_at"]) >= since:
            messages[line["event_key"]].append(line)
    events = [
        event(lines, [line for line in announced.lines if line["topic"] == lines[0]["topic"]], channels)
        for lines in messages.values()
    ]
    return enqueue(settings, events, channels)


def _differences(announced: Announced, facts: Facts, settings: Settings) -> Iterator[Line]:
    """The lines that bring the ledger up to date with the facts."""
    superseded, as_of = _superseded(announced, facts), settings.as_of
    for alert in facts.alerts.values():
        before = announced.alerts.get(alert["alert_id"]) or superseded.get(alert["alert_id"])
        kind = _kind(alert, before, as_of)
        if kind and not (kind == "changed" and before and _is_unsettled(alert, before, announced)):
            yield _line(kind, alert, before, facts, as_of)
    taken = {line["alert_id"] for line in superseded.values()}
    for before in _gone(announced, facts):
        if before["alert_id"] not in taken and not _may_come_back(before, announced, settings):
            yield _line("withdrawn", before["alert"], before, facts, as_of)


def _gone(announced: Announced, facts: Facts) -> list[Line]:
    """What was announced, did not end, and is not there any more under that id."""
    return [
        line for line in announced.alerts.values() if line["alert_id"] not in facts.alerts and line["kind"] not in ENDS
    ]


def _superseded(announced: Announced, facts: Facts) -> dict[str, Line]:
    """By alert that was not announced, what it takes the place of, which is gone now or was withdrawn before: the same problem, or else a
    rise at the same place, at the same time.

    The complete day, late data and new prices may give an alert another spike type, driver or first day, and with it another id.
    """
    withdrawn = [line for line in announced.alerts.values() if line["kind"] == "withdrawn"]
    gone = _gone(announced, facts) + [line for line in withdrawn if line["alert_id"] not in facts.alerts]
    found = dict[str, Line]()
    new = [alert for alert in facts.alerts.values() if alert["alert_id"] not in announced.alerts]
    for is_same in (_is_same_problem, _is_same_place):
        for alert in sorted(new, key=lambda alert: -Decimal(alert["delta_usd"])):
            matching = [line for line in gone if alert["alert_id"] not in found and is_same(alert, line)]
            if matching:
                found[alert["alert_id"]] = matching[0]
                gone.remove(matching[0])
    return found


def _is_same_problem(alert: Alert, line: Line) -> bool:
    was = line["alert"]
    return alert["problem_id"] == was["problem_id"] and (line["kind"] != "withdrawn" or _shares_a_day(alert, was))


def _is_same_place(alert: Alert, line: Line) -> bool:
    """Whether both are of one environment and share a day, and an endpoint or a part of the driver."""
    was = line["alert"]
    if not _shares_a_day(alert, was) or any(alert[name] != was[name] for name in ("environment", "data_mode")):  # type: ignore[literal-required]
        return False
    places, places_before = (
        {each["endpoint_tag"], *each["top_driver_value"].split(" | ")} - {None} for each in (alert, was)
    )
    return not places.isdisjoint(places_before)


def _shares_a_day(alert: Alert, was: Alert) -> bool:
    return alert["alert_date"] <= was["last_date"] and was["alert_date"] <= alert["last_date"]


def _kind(alert: Alert, before: Line | None, as_of: datetime) -> Kind | None:
    """What there is to announce of an alert, after what was announced before; None where it is the same."""
    is_over = alert["status"] in OVER
    if before is None or before["kind"] in ENDS:
        if _rank(alert) == 0 or alert["status"] in {"muted", "planned"}:
            return None
        if is_over or _instant(alert["last_date"]) + timedelta(days=1) + PAST_AFTER < as_of:
            return "past" if before is None else None
        return "new" if before is None or before["kind"] == "past" else "back"
    if is_over:
        return "closed"
    was = before["alert"]
    if _rank(alert) > _rank(was) or _is_faster(alert, was):
        return "worsened"
    if _is_another(alert, was):
        return "changed"
    return "confirmed" if was["is_provisional"] and not alert["is_provisional"] else None


def _rank(alert: Alert) -> int:
    return SEVERITIES.index(alert["severity"])


def _is_faster(alert: Alert, was: Alert) -> bool:
    """Whether a day of it costs much more than when it was announced. What a day costs is known when it is over."""
    if alert["is_provisional"] or was["is_provisional"]:
        return False
    a_day, a_day_before = (Decimal(each["total_excess_usd"]) / each["days"] for each in (alert, was))
    return 0 < PACE * a_day_before <= a_day


def _is_another(alert: Alert, was: Alert) -> bool:
    """Whether somebody who acts on what was announced should know better."""
    parts, parts_before = ({*each["top_driver_value"].split(" | ")} for each in (alert, was))
    if _rank(alert) < _rank(was) or alert["spike_type"] != was["spike_type"] or parts.isdisjoint(parts_before):
        return True
    if alert["is_provisional"]:
        return False  # its dollars move with every hour
    moved = Decimal(alert["delta_usd"]) - Decimal(was["delta_usd"])
    if was["is_provisional"] and moved > 0:
        return False  # of a part of the day: the rest of it adds to them
    return abs(moved) >= MOVED * abs(Decimal(was["delta_usd"]))


def _is_unsettled(alert: Alert, before: Line, announced: Announced) -> bool:
    """Whether a change of an open day waits for the complete one: drivers of few calls come and go with the hours, so another driver is
    announced once, each spike type once, and a lower severity not at all.
    """
    if not alert["is_provisional"]:
        return False
    earlier = _announced_of(before, announced)
    if alert["spike_type"] != before["alert"]["spike_type"]:
        return alert["spike_type"] in {line["alert"]["spike_type"] for line in earlier}
    parts, parts_before = ({*each["top_driver_value"].split(" | ")} for each in (alert, before["alert"]))
    return not parts.isdisjoint(parts_before) or any(line["kind"] == "changed" for line in earlier)


def _may_come_back(gone: Line, announced: Announced, settings: Settings) -> bool:
    """Whether the end of what is gone waits for the complete day, because it was withdrawn on the open day once and came back."""
    complete_at = _instant(gone["alert"]["alert_date"]) + timedelta(days=1, hours=settings.lateness_hours)
    is_back = any(line["kind"] == "back" for line in _announced_of(gone, announced))
    return gone["alert"]["is_provisional"] and is_back and settings.as_of < complete_at


def _announced_of(last: Line, announced: Announced) -> list[Line]:
    """What was announced of an alert since it began, under whichever id."""
    names, found = {last["alert_id"]}, list[Line]()
    for line in reversed(announced.lines):
        if line["alert_id"] in names and line["kind"] not in ENDS:
            found.append(line)
            names.add(line["supersedes"] or line["alert_id"])
            if line["kind"] == "new":
                break
    return found


def _line(kind: Kind, alert: Alert, before: Line | None, facts: Facts, as_of: datetime) -> Line:
    alert_id = alert["alert_id"]
    supersedes = before["alert_id"] if before and before["alert_id"] != alert_id else None
    return {
        "kind": kind,
        "alert_id": alert_id,
        "supersedes": supersedes,
        "event_key": "",
        "topic": before["topic"] if before and kind != "new" else f"alert/{alert_id}",
        "cause": _cause(alert),
        "ends": False,
        "is_silent": False,
        "reason": _why_withdrawn(before, facts) if kind == "withdrawn" and before else None,
        "known_at": as_of.isoformat(),
        "alert": alert if supersedes is None else alert | {"supersedes_alert_id": supersedes},
        "effects": facts.effects.get(alert_id, before["effects"] if before else {}),
        "driver": facts.drivers.get(alert_id, before["driver"] if before else None),
        "attempts": facts.attempts.get(alert_id),
        "before": before and before["alert"],
        "before_at": before and before["known_at"],
    }


def _why_withdrawn(before: Line, facts: Facts) -> str:
    """Whether its day has other calls than when it was announced; else prices, rules, settings or the code are others."""
    if before["alert"]["is_provisional"]:
        return "later_hours"
    now = facts.attempts_now(before["alert"])
    return "rules" if now is None or now == before["attempts"] else "late_data"


def _cause(alert: Alert) -> str:
    """Alerts that begin on one day with the same spike type, and fail with the same error, are of one cause until somebody knows better."""
    names = ("environment", "data_mode", "alert_date", "spike_type", "top_error_code")
    text = "|".join(str(alert[name]) for name in names)  # type: ignore[literal-required]
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _in_messages(lines: list[Line], announced: Announced) -> list[Line]:
    """The lines of a run by topic: one message each, under a key that no other run gives."""
    of_topic: dict[str, list[Line]] = defaultdict(list)
    for line in _in_topics(lines, announced):
        of_topic[line["topic"]].append(line)
    for topic, together in of_topic.items():
        names = [f"{line['kind']} {line['alert_id']}" for line in together]
        key = hashlib.sha256(
            "\n".join([together[0]["known_at"], *names, str(len(announced.lines))]).encode()
        ).hexdigest()[:12]
        for line in together:
            line["event_key"] = f"{topic}/{key}"
    return lines


def _in_topics(lines: list[Line], announced: Announced) -> list[Line]:
    """The lines of a run, those of one cause under one topic, and none that says that a part of a topic is over."""
    begin = [line for line in lines if line["kind"] == "new"]
    of_cause = Counter(line["cause"] for line in begin)
    for line in begin:
        storm = f"alert/storm-{line['cause']}"
        if of_cause[line["cause"]] >= STORM or announced.open_in(storm):
            line["topic"] = storm
    if len({line["topic"] for line in begin}) > MOST_AT_ONCE:
        for line in begin:
            line["topic"] = f"alert/storm-{hashlib.sha256(line['known_at'].encode()).hexdigest()[:12]}"
    for line in lines:
        if line["kind"] == "past":
            line["topic"] = "alert/past"
        if line["kind"] == "back":  # who was not notified that it was over need not know that it is back
            was = announced.alerts[line["supersedes"] or line["alert_id"]]
            line["is_silent"] = was["is_silent"] and bool(announced.open_in(line["topic"]))
    after = Announced(list(announced.lines), dict(announced.alerts))
    for line in lines:
        after.apply(line)
    for line in lines:
        if line["kind"] in {"closed", "withdrawn"}:
            line["ends"] = not after.open_in(line["topic"])
            line["is_silent"] = not line["ends"]
    return lines


def _instant(text: str) -> datetime:
    """Dates and times of the warehouse are UTC, without a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
