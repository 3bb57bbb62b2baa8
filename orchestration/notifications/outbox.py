"""The outbox: events become one message per channel, and every message is sent, suppressed for a reason, or given up aloud.

The log is the truth and `Message` is what it adds up to. Its lines have a `step`:

  queued, escalated    a new message: every field of it, with its status (queued, waiting, suppressed) and the reason
  waiting, ready       its channel has no address, and which variable to set; has one again
  suppressed           found to be superfluous just before it would have been sent
  collected            messages of a channel that go together as the digest `digest_id`
  trying               is about to be sent; if nothing follows, the process ended here and it may have arrived
  failed, given_up     was not taken, with the error, and when it is tried again; is not tried again
  sent                 was taken by the channel; nothing but an acknowledgement or an escalation changes it any more
  acknowledged         somebody is working on the topic: its messages so far are not escalated
  archived             messages that are finished and old: their lines are in log-<year>.jsonl, their rows in finished.jsonl

Time does not run backwards here: a run as of an earlier instant than the last line sends what waits, and is treated as a run as of
from that line's instant, so that nothing is escalated, collected, given up or silenced twice, or because of a difference below zero.
"""

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypedDict
from zoneinfo import ZoneInfo

from orchestration.ledger import LogReader, json_lines, log_file, one_writer, read_log, replace_log
from orchestration.notifications.addresses import why_not_addressable
from orchestration.settings import Settings
from orchestration.storage import write_whole
from orchestration.team.notifications import SEVERITIES, WEEKDAYS, NotificationChannel, read_channels

Channels = dict[str, NotificationChannel]
STALE_AFTER = timedelta(days=7)  # what is a week old informs nobody, and an address set late must not bring a flood
KEPT_FOR = timedelta(
    days=35
)  # finished messages stay in the log for a month: cooldowns, escalations and people look at them
ARCHIVED_AT_ONCE = 500  # so many that it pays to write the log anew: a year of a busy team, a second of a run
MAY_HAVE_ARRIVED = "The run ended while this was being sent: it may have arrived, and goes again under the same key."


@dataclass(frozen=True)
class Event:
    """Something that people should be notified of, once for ever by its `event_key`."""

    event_key: str
    topic: str  # what it is about: cooldown, dedupe and acknowledgement go by
    kind: str  # alert, budget, silence, invoice, weekly, correction, run
    severity: str
    title: str
    body: str  # markdown, plain enough for chat
    drill_url: str
    occurred_at: datetime
    channels: tuple[str, ...]
    is_muted: bool = False  # by its own budget or rule
    follows: bool = False  # tells what became of something: whoever was notified of it hears this too, and nobody else
    ends: bool = False  # the topic is over: a pager resolves what it opened
    alerts: tuple[Mapping[str, Any], ...] = ()  # what a machine reads: the alerts that it is about, by their columns

    def __post_init__(self):
        if self.severity not in SEVERITIES:
            raise ValueError(f"{self.event_key}: severity is {self.severity!r}: give one of {', '.join(SEVERITIES)}.")
        if self.occurred_at.tzinfo is None:
            raise ValueError(f"{self.event_key}: occurred_at has no time zone: give an instant.")


@dataclass(frozen=True)
class Message:
    """One event on its way to one channel."""

    message_id: str  # also the idempotency key that receivers see
    event_key: str
    topic: str
    kind: str
    severity: str
    title: str
    body: str
    drill_url: str
    occurred_at: datetime
    channel: str
    status: str  # queued, waiting, failed (is tried again), sent, suppressed, given_up
    queued_at: datetime
    reason: str | None = None  # why it is suppressed or waiting
    dedupe_applied: bool = False
    cooldown_applied: bool = False
    is_muted: bool = False
    follows: bool = False
    ends: bool = False
    alerts: tuple[Mapping[str, Any], ...] = ()
    escalates: str | None = None  # the message_id that nobody acknowledged
    digest_due_at: datetime | None = None
    digest_id: str | None = None
    tries: int = 0
    next_try_at: datetime | None = None
    last_error: str | None = None
    reached: tuple[int, ...] = ()  # which of the channel's addresses accepted it in an attempt that failed as a whole
    addresses: int = 0  # how many it had then
    may_have_arrived: bool = False  # the last try ended without an answer
    may_have_doubled: bool = False  # was sent again after such an attempt: receivers recognise a copy by the message_id
    sent_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    escalated_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be sent."""
        return self.status in {"queued", "waiting", "failed"}


# A line of the log about messages that are there; its step decides which of the other fields it has.
Step = TypedDict(
    "Step",
    {
        "step": Literal["waiting", "ready", "suppressed", "collected", "trying", "failed", "given_up", "sent"],
        "at": str,
        "message_ids": list[str],
        "reason": str,
        "cooldown_applied": bool,
        "is_muted": bool,
        "digest_id": str,
        "try": int,
        "error": str | None,
        "next_try_at": str,
        "reached": list[int],
        "addresses": int,
        "may_have_arrived": bool,
    },
    total=False,
)


class Silence(TypedDict, total=False):
    """Why a message is suppressed: the fields of a message that say so."""

    reason: str
    dedupe_applied: bool
    cooldown_applied: bool
    is_muted: bool


@dataclass
class Outbox:
    """What the log adds up to."""

    messages: dict[str, Message] = field(default_factory=dict)
    by_topic: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    archived: set[str] = field(default_factory=set)  # message_ids
    latest: datetime | None = None  # instant of any line
    unreadable_lines: int = 0

    def knows(self, message_id: str) -> bool:
        """Whether the message is or was in the outbox: then it is not queued again."""
        return message_id in self.messages or message_id in self.archived

    def not_before(self, at: datetime) -> datetime:
        """This instant, or that of the last line where it is later."""
        return max(at, self.latest or at)

    def copy(self) -> "Outbox":
        """One that can be added to; the messages themselves never change."""
        by_topic = defaultdict(list, {key: [*known] for key, known in self.by_topic.items()})
        return replace(self, messages=dict(self.messages), by_topic=by_topic, archived=set(self.archived))

    def heard_by(self, event: Event) -> list[str]:
        """Channels that were, or are still to be, notified of what an event follows."""
        messages = (self.messages[known] for known in self.by_topic.get(event.topic, ()) if event.follows)
        return [message.channel for message in messages if message.status != "suppressed"]

    def of_topic(self, topic: str, channel: str) -> list[Message]:
        """A channel's messages of a topic, oldest first."""
        messages = (self.messages[message_id] for message_id in self.by_topic.get(topic, ()))
        return [message for message in messages if message.channel == channel]


def outbox_folder(settings: Settings) -> Path:
    """Where the outbox is: in the ledger, because what was sent cannot be computed again."""
    return settings.ledger / "outbox"


def message_id(event_key: str, channel: str) -> str:
    """The same event on the same channel is the same message, whoever computes it and when."""
    return hashlib.sha256(f"{event_key}\n{channel}".encode()).hexdigest()[:32]


def enqueue(settings: Settings, events: Iterable[Event], channels: Channels | None = None) -> Counter:
    """Puts a message per event and channel into the outbox, and counts what became of them by status; `known` ones were there.

    Whatever is too much (a repetition, a cooldown, muted, below the channel's severity) is there too, suppressed, with the reason.
    """
    channels = read_channels(settings.team) if channels is None else channels
    counts: Counter = Counter()
    with one_writer(outbox_folder(settings)) as append:
        outbox, lines = load(settings), list[dict[str, Any]]()
        at = outbox.not_before(settings.as_of)
        for event, name in [(each, name) for each in events for name in _channels_of(each, outbox)]:
            if outbox.knows(message_id(event.event_key, name)):
                counts["known"] += 1
                continue
            lines.append(_queued(event, name, channels, outbox, at))
            apply(outbox, lines[-1])
            counts[lines[-1]["status"]] += 1
        append(lines)
    return counts


def _channels_of(event: Event, outbox: Outbox) -> Iterable[str]:
    """Its own, and for what follows also those to which its topic was escalated before."""
    heard = (
        []
        if any(outbox.knows(message_id(event.event_key, name)) for name in event.channels)
        else outbox.heard_by(event)
    )
    return dict.fromkeys([*event.channels, *heard])


def acknowledge(settings: Settings, topic: str, by: str) -> int:
    """Marks a topic's messages so far: they are not escalated any more. Returns how many this changed; raises LookupError."""
    with one_writer(outbox_folder(settings)) as append:
        outbox = load(settings)
        messages = [outbox.messages[known] for known in outbox.by_topic.get(topic, ())]
        if not messages:
            unheard = {
                message.topic
                for message in outbox.messages.values()
                if message.status == "sent" and not message.acknowledged_at
            }
            raise LookupError(
                f"No message has the topic {topic!r}. Sent and not acknowledged: "
                f"{', '.join(sorted(unheard)) or 'none'}."
            )
        open_messages = [message for message in messages if not message.acknowledged_at]
        if open_messages:
            at = outbox.not_before(settings.as_of)
            append([{"step": "acknowledged", "at": utc_text(at), "topic": topic, "by": by}])
    return len(open_messages)


def read_outbox(settings: Settings) -> list[dict]:
    """One row per (event, channel), in the order in which they were queued; instants are UTC."""
    return [asdict(message) for message in load(settings).messages.values()]


def write_snapshot(settings: Settings) -> None:
    """The current outbox, written next to its log, where `marts.notification_outbox` reads it when it is published."""
    write_whole(outbox_folder(settings) / "messages.jsonl", json_lines(read_outbox(settings)))


_read: dict[
    Path, tuple[LogReader, Outbox]
] = {}  # what this process has read of each outbox, so that it reads a line once
_reading = threading.Lock()


def load(settings: Settings) -> Outbox:
    """The log, added up; what this process has read of it before is not read again."""
    folder = outbox_folder(settings).absolute()
    with _reading:
        reader, outbox = _read.setdefault(folder, (LogReader(folder), Outbox()))
        is_another, lines, unreadable = reader.new_lines()
        if is_another:
            outbox = Outbox()
            _read[folder] = reader, outbox
        outbox.unreadable_lines += unreadable
        for line in lines:
            apply(outbox, line)
        return outbox.copy()


def archive(settings: Settings, keep_for: timedelta = KEPT_FOR) -> int:
    """Moves finished messages that nothing has happened to for `keep_for` out of the log, once there are enough; returns how many.

    Their ids stay, so that none is sent again. A kill on the way leaves rows in two files, which are the same row to a reader.
    """
    folder = outbox_folder(settings)
    with one_writer(folder):
        outbox = load(settings)
        if outbox.unreadable_lines:
            return 0  # somebody has to look at them first
        before = outbox.not_before(settings.as_of) - keep_for
        old = {known for known, message in outbox.messages.items() if not message.is_open and _last(message) < before}
        if len(old) < ARCHIVED_AT_ONCE:
            return 0
        finished = folder / "finished.jsonl"
        rows = finished.read_text(encoding="utf-8") if finished.exists() else ""
        replace_log(
            finished, rows + json_lines(asdict(outbox.messages[known]) for known in outbox.messages if known in old)
        )
        lines = read_log(folder)[0]
        gone = [line for line in lines if _is_only_about(line, old, outbox)]
        kept = [line for line in lines if not _is_only_about(line, old, outbox)]
        path = folder / f"log-{before:%Y}.jsonl"
        replace_log(path, (path.read_text(encoding="utf-8") if path.exists() else "") + json_lines(gone))
        ids = {"step": "archived", "at": utc_text(outbox.latest or before), "message_ids": sorted(old)}
        replace_log(log_file(folder), json_lines([ids, *kept]))
    return len(old)


def _last(message: Message) -> datetime:
    """When something last happened to a message."""
    happened = (message.sent_at, message.acknowledged_at, message.escalated_at, message.digest_due_at)
    return max([message.queued_at, *filter(None, happened)])


def _is_only_about(line: Mapping[str, Any], old: set[str], outbox: Outbox) -> bool:
    if line.get("step") == "acknowledged":
        return old.issuperset(outbox.by_topic.get(line["topic"], ()))
    return old.issuperset(line.get("message_ids") or [line.get("message_id")])


def apply(outbox: Outbox, line: Any) -> None:
    """Takes in a line, whatever its step. What was sent stays sent, whatever a slower process writes later."""
    step, at = line.get("step"), line.get("at") or line.get("queued_at")
    if at:
        outbox.latest = outbox.not_before(datetime.fromisoformat(at))
    if step == "archived":
        outbox.archived.update(line["message_ids"])
    elif step in {"queued", "escalated"}:
        _take_in(outbox, line)
    elif step == "acknowledged":
        for known in outbox.by_topic.get(line["topic"], ()):
            message = outbox.messages[known]
            if not message.acknowledged_at:
                outbox.messages[known] = replace(
                    message, acknowledged_at=_instant(line["at"]), acknowledged_by=line["by"]
                )
    elif step in CHANGES:
        for known in line["message_ids"]:
            changing = outbox.messages.get(known)
            if changing and not _comes_too_late(line, changing):
                outbox.messages[known] = CHANGES[step](line, changing)


def _comes_too_late(line: Step, message: Message) -> bool:
    """An attempt that was abandoned at its deadline may still end, and report it, after later steps were taken."""
    is_overtaken = message.status != "failed" or line.get("try", 0) < message.tries
    return message.status == "sent" or (line["step"] == "failed" and is_overtaken)


def _take_in(outbox: Outbox, line: Mapping[str, Any]) -> None:
    if outbox.knows(line["message_id"]):
        return
    instants = {name: _instant(line[name]) for name in ("occurred_at", "queued_at", "digest_due_at")}
    known = {name: value for name, value in line.items() if name in Message.__dataclass_fields__}
    message = Message(**known | instants | {"alerts": tuple(line.get("alerts", ()))})
    outbox.messages[message.message_id] = message
    outbox.by_topic[message.topic].append(message.message_id)
    if of := outbox.messages.get(message.escalates or ""):
        outbox.messages[of.message_id] = replace(of, escalated_at=message.queued_at)


CHANGES: dict[str, Callable[[Step, Message], Message]] = {
    "waiting": lambda line, message: replace(message, status="waiting", reason=line["reason"]),
    "ready": lambda _, message: replace(message, status="queued", reason=None),
    "suppressed": lambda line, message: replace(
        message,
        status="suppressed",
        reason=line["reason"],
        cooldown_applied=line["cooldown_applied"],
        is_muted=line["is_muted"],
    ),
    "collected": lambda line, message: replace(message, digest_id=line["digest_id"]),
    "trying": lambda line, message: replace(
        message,
        status="failed",
        last_error=MAY_HAVE_ARRIVED,
        next_try_at=None,
        tries=max(message.tries, line["try"]),
        may_have_arrived=True,
        may_have_doubled=message.may_have_doubled or message.may_have_arrived,
    ),
    "failed": lambda line, message: replace(
        message,
        status="failed",
        last_error=line["error"],
        next_try_at=_instant(line["next_try_at"]),
        reached=tuple(line["reached"]),
        addresses=line["addresses"],
        may_have_arrived=line["may_have_arrived"],
        tries=max(message.tries, line["try"]),
    ),
    "given_up": lambda line, message: replace(message, status="given_up", last_error=line["error"], next_try_at=None),
    "sent": lambda line, message: replace(
        message,
        status="sent",
        sent_at=_instant(line["at"]),
        next_try_at=None,
        last_error=None,
        may_have_arrived=False,
        tries=max(message.tries, line["try"]),
    ),
}


def _queued(event: Event, name: str, channels: Channels, outbox: Outbox, at: datetime) -> dict[str, object]:
    """The line that puts an event into the outbox of a channel, decided by the channel's rules at this instant."""
    channel = channels.get(name)
    message = Message(
        message_id=message_id(event.event_key, name),
        event_key=event.event_key,
        topic=event.topic,
        kind=event.kind,
        severity=event.severity,
        title=event.title,
        body=event.body,
        drill_url=event.drill_url,
        occurred_at=event.occurred_at.astimezone(UTC),
        channel=name,
        status="queued",
        queued_at=at,
        is_muted=event.is_muted,
        follows=event.follows,
        ends=event.ends,
        alerts=event.alerts,
        digest_due_at=digest_due(channel, at) if channel else None,
    )
    related = outbox.of_topic(event.topic, name)
    silence = _repetition(message, related) or (why_silent(message, channel, related, at) if channel else None)
    if event.follows and name not in outbox.heard_by(event):
        silence = {"reason": f"{name} was not notified of what this follows."}
    if silence:
        return new_message_line(replace(message, status="suppressed", **silence))
    lacking = why_not_addressable(name, channel)
    return new_message_line(replace(message, status="waiting", reason=lacking) if lacking else message)


def new_message_line(message: Message) -> dict[str, object]:
    """A queued (or escalated) line: the message as it begins."""
    names = tuple(Message.__dataclass_fields__)
    begins = names[: names.index("digest_due_at") + 1]
    fields = {name: getattr(message, name) for name in begins}
    texts = {name: utc_text(value) if isinstance(value, datetime) else value for name, value in fields.items()}
    return {"step": "escalated" if message.escalates else "queued"} | texts


def _repetition(message: Message, related: list[Message]) -> Silence | None:
    for other in related:
        is_to_come = other.is_open and message.queued_at - other.queued_at <= STALE_AFTER
        if is_to_come and (other.severity, other.title) == (message.severity, message.title):
            return {"dedupe_applied": True, "reason": "The same message about this incident is still to be sent."}
    return None


def why_silent(message: Message, channel: NotificationChannel, related: list[Message], at: datetime) -> Silence | None:
    """What suppresses a message at an instant, with the reason; None when it may go."""
    if message.is_muted:
        return {"is_muted": True, "reason": "Muted by its own rule."}
    if _is_muted(channel, at):
        until = f"until {channel.muted_until}" if channel.muted_until else "with no end"
        return {"is_muted": True, "reason": f"{channel.channel} is muted from {channel.muted_from} {until}."}
    if message.escalates or message.follows:
        return (
            None  # somebody must be notified, whatever this channel received before; who heard of a topic hears its end
        )
    if severity_rank(message) < SEVERITIES.index(channel.min_severity):
        return {"reason": f"{channel.channel} takes messages from {channel.min_severity} on."}
    ended_at = max((other.sent_at for other in related if other.ends and other.sent_at), default=None)
    for other in related:
        if ended_at and other.sent_at and other.sent_at <= ended_at:
            continue  # it was over since then: a pager has resolved it
        is_recent = other.sent_at and at - other.sent_at < timedelta(minutes=channel.cooldown_minutes)
        if is_recent and severity_rank(other) >= severity_rank(message):
            return {
                "cooldown_applied": True,
                "reason": f"{channel.channel} heard of this incident within {channel.cooldown_minutes} minutes, no less severely.",
            }
    return None


def severity_rank(message: Message) -> int:
    """0 for info, 2 for critical."""
    return SEVERITIES.index(message.severity)


def _is_muted(channel: NotificationChannel, at: datetime) -> bool:
    if not channel.muted_from:
        return False
    today = at.astimezone(ZoneInfo(channel.time_zone)).date()
    return channel.muted_from <= today and (channel.muted_until is None or today < channel.muted_until)


def digest_due(channel: NotificationChannel, at: datetime) -> datetime | None:
    """When a message of this instant goes out: the next local digest time at or after it (UTC); None is at once.

    A local time that the clocks skip is taken after the gap, one that comes twice the first time.
    """
    digest_at = channel.digest_at
    if digest_at is None:  # immediate
        return None
    zone = ZoneInfo(channel.time_zone)
    today = at.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(9))
    due = (
        datetime.combine(day, digest_at, zone).astimezone(UTC)
        for day in days
        if channel.digest == "daily" or WEEKDAYS[day.weekday()] == channel.digest_weekday
    )
    return next(instant for instant in due if instant >= at)


def utc_text(instant: datetime) -> str:
    """An instant as the log has it."""
    return instant.astimezone(UTC).isoformat()


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
