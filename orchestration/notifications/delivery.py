"""Delivery: what is due goes out, on all channels in parallel, within a deadline, and what cannot go waits for a later run.

Every step is in the log before the next one is taken. A run that is killed between sending and `sent` therefore leaves a
message that is sent once more, under the same idempotency key; a kill anywhere else neither loses nor doubles one.
"""

import hashlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, stop_before_delay, wait_exponential

from orchestration.ledger import Line, log_file, one_writer
from orchestration.notifications.addresses import SENDER, Outcome, open_addresses, send, why_not_addressable
from orchestration.notifications.letters import Letter
from orchestration.notifications.outbox import (
    STALE_AFTER,
    Channels,
    Message,
    Outbox,
    Silence,
    Step,
    apply,
    archive,
    load,
    message_id,
    new_message_line,
    outbox_folder,
    severity_rank,
    utc_text,
    why_silent,
    write_snapshot,
)
from orchestration.plain import for_chat, for_title
from orchestration.settings import Settings
from orchestration.storage import LockHeldError, held
from orchestration.team.notifications import NotificationChannel, read_channels
from orchestration.wording import minute

DEADLINE_SECONDS = 20.0  # what a run may lose to its slowest channel: a small part of its own minutes
QUICK_TRIES = 3  # in one run, a second or two apart: a restart or a rate limit is over by then
FAILURES_A_RUN = 2  # messages that failed all their tries: the channel is down, the others keep their tries for later
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=6)  # a channel that comes back is noticed the same working day
RUN_TAKES_AT_MOST = timedelta(hours=6)
MAX_TRIES = 30  # ten runs, which with these waits are two days of an hourly job; a daily one gives up by age


@dataclass
class Parcel:
    """What is sent at once: one message, or the messages of a digest under the digest's own key."""

    key: str
    messages: list[Message]
    title: str
    body: str
    tries: int = 0
    reached: tuple[int, ...] = ()
    addresses: int = 0

    @property
    def letter(self) -> Letter:
        """What receivers get, with the worst severity of its messages. Only alerts end, so only they share a pager's incident."""
        one = None if self.messages[0].digest_id else self.messages[0]
        return Letter(
            key=self.key,
            title=self.title,
            body=self.body,
            severity=max(self.messages, key=severity_rank).severity,
            messages=tuple(_for_machines(message) for message in self.messages),
            dedup_key=one.topic if one and one.kind == "alert" else self.key,
            ends=bool(one and one.ends),
            link=one.drill_url if one else "",
        )


@dataclass(frozen=True)
class Round:
    """What the threads of one call share."""

    settings: Settings
    ends: float  # monotonic
    under_way: dict[str, Parcel] = field(default_factory=dict)  # by channel, from the first try to the last
    broken: list[str] = field(default_factory=list)  # sentences: channels that stopped, and not at a receiver

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return max(0.0, self.ends - time.monotonic())

    def record(self, line: Line) -> None:
        """One line in the log, on disk."""
        with one_writer(outbox_folder(self.settings)) as append:
            append([line])


@dataclass(frozen=True)
class Delivery:
    """What one call of `deliver` did; counts are of messages, `by_status` of all the outbox holds now."""

    sent: int = 0
    failed: int = 0
    escalated: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)  # sentences: dead channels, missing addresses, unreadable lines
    given_up: list[str] = field(default_factory=list)  # sentences: messages of the last two weeks that nobody received
    seconds: float = 0.0


def deliver(
    settings: Settings, deadline_seconds: float = DEADLINE_SECONDS, channels: Channels | None = None
) -> Delivery:
    """Sends what is due at `settings.as_of`. A channel that is dead, slow or wrong costs no more than the deadline, and raises nothing.

    An earlier instant than that of the outbox's last line counts as that one: what waits goes out, and nothing else is decided.
    """
    began = time.monotonic()
    channels = read_channels(settings.team) if channels is None else channels
    folder = outbox_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder / "_delivery_lock", wait_seconds=0):
            before, speaks_from = load(settings), settings.as_of
            settings = replace(settings, as_of=before.not_before(speaks_from))
            this_round = Round(settings, began + deadline_seconds)
            _send_side_by_side(this_round, channels, _prepare(settings, channels))
            archive(settings)
            write_snapshot(settings)
            return _what_happened(this_round, before, speaks_from, time.monotonic() - began)
    except LockHeldError as error:
        return Delivery(problems=[str(error)])


def _prepare(settings: Settings, channels: Channels) -> dict[str, list[Parcel]]:
    """Decides what every open message waits for, and returns by channel what is due, the worst of the untried first."""
    at = settings.as_of
    with one_writer(outbox_folder(settings)) as append:
        outbox = load(settings)
        lines: list[Line] = []
        for step in (_escalations, _changes, _digests):
            for line in step(outbox, channels, at):
                lines.append(line)
                apply(outbox, line)
        append(lines)
    due: dict[str, list[Parcel]] = defaultdict(list)
    for parcel in _parcels(outbox, at):
        due[parcel.messages[0].channel].append(parcel)
    for parcels in due.values():
        parcels.sort(key=lambda parcel: (parcel.tries, -severity_rank(parcel.messages[0])))
    return due


def _escalations(outbox: Outbox, channels: Channels, at: datetime) -> Iterator[Line]:
    """A critical message that nobody acknowledged in time, or that its channel never took, goes to the next channel, once."""
    ended = _ended(outbox)
    for message in list(outbox.messages.values()):
        escalation = _escalation(message, channels, ended)
        if escalation is None:
            continue
        to, patience = escalation
        is_unheard = message.sent_at and patience <= at - message.sent_at <= STALE_AFTER
        if not is_unheard and message.status != "given_up":
            continue
        why = f"sent to {message.channel} and not acknowledged" if is_unheard else f"not delivered to {message.channel}"
        event_key = f"{message.event_key}/escalated"
        lacking = why_not_addressable(to, channels[to])
        yield new_message_line(
            replace(
                message,
                message_id=message_id(event_key, to),
                event_key=event_key,
                channel=to,
                title=f"escalated: {message.title}",
                body=f"{message.body}\n\nEscalated: {why}.",
                status="waiting" if lacking else "queued",
                reason=lacking,
                escalates=message.message_id,
                queued_at=at,
                digest_due_at=None,  # at once, also where the channel is a digest
                dedupe_applied=False,
                cooldown_applied=False,
            )
        )


def _changes(outbox: Outbox, channels: Channels, at: datetime) -> Iterator[Step]:
    """What changed for open messages: an address gone or found, too old, out of tries, or silenced since they were queued."""
    for message in [message for message in outbox.messages.values() if message.is_open]:
        channel = channels.get(message.channel)
        about: Step = {"at": utc_text(at), "message_ids": [message.message_id]}
        lacking = why_not_addressable(message.channel, channel)
        is_old = at - max(message.queued_at, message.digest_due_at or message.queued_at) > STALE_AFTER
        if lacking:
            if (message.status, message.reason) != ("waiting", lacking):
                yield about | {"step": "waiting", "reason": lacking}
        elif message.tries >= MAX_TRIES or (message.tries and is_old):
            yield about | _out_of_tries(message.tries, message.last_error)
        elif is_old and message.status == "waiting":
            reason = f"It waited for an address for more than {STALE_AFTER.days} days."
            yield about | _silenced({"reason": reason})
        elif message.escalates and message.acknowledged_at:
            yield about | _silenced({"reason": f"{message.acknowledged_by} acknowledged it before it was sent."})
        elif message.status == "waiting":
            yield about | {"step": "ready"}
        elif channel and not message.tries and (message.digest_due_at or at) <= at:
            related = outbox.of_topic(message.topic, message.channel)
            if silence := why_silent(message, channel, related, at):
                yield about | _silenced(silence)


def _out_of_tries(tries: int, error: str | None) -> Step:
    return {"step": "given_up", "error": f"Given up after {tries} tries. {error}"}


def _silenced(silence: Silence) -> Step:
    return {
        "step": "suppressed",
        "cooldown_applied": silence.get("cooldown_applied", False),
        "is_muted": silence.get("is_muted", False),
        "reason": silence["reason"],
    }


def _digests(outbox: Outbox, channels: Channels, at: datetime) -> Iterator[Step]:
    """Ties the messages of a channel that are due together, once: a digest is tried again as it is, under its own key."""
    due: dict[str, list[str]] = defaultdict(list)
    for message in outbox.messages.values():
        is_due = message.status == "queued" and message.digest_due_at and message.digest_due_at <= at
        if is_due and not message.digest_id:
            due[message.channel].append(message.message_id)
    for channel, ids in due.items():
        digest_id = hashlib.sha256("\n".join([channel, *ids]).encode()).hexdigest()[:32]
        yield {"step": "collected", "at": utc_text(at), "digest_id": digest_id, "message_ids": ids}


def _parcels(outbox: Outbox, at: datetime) -> Iterator[Parcel]:
    digests: dict[str, list[Message]] = defaultdict(list)
    for message in outbox.messages.values():
        is_due = message.status in {"queued", "failed"} and (message.next_try_at is None or message.next_try_at <= at)
        if is_due and message.digest_id:
            digests[message.digest_id].append(message)
        elif is_due and message.digest_due_at is None:
            yield _single(message)
    for digest_id, messages in digests.items():
        yield _digest(digest_id, messages)


def _single(message: Message) -> Parcel:
    parts = [message.body, message.drill_url, f"Message {message.message_id}"]
    return Parcel(
        key=message.message_id,
        messages=[message],
        title=for_title(message.title),
        body="\n\n".join(part for part in parts if part),
        tries=message.tries,
        reached=message.reached,
        addresses=message.addresses,
    )


def _digest(digest_id: str, messages: list[Message]) -> Parcel:
    worst_first = sorted(messages, key=severity_rank, reverse=True)
    counts = Counter(message.severity for message in worst_first)
    is_one = len(messages) == 1
    parts = [
        f"{'' if is_one else f'**{_headline(message)}**'}\n\n{message.body}\n\n{message.drill_url}".strip()
        for message in worst_first
    ]
    counted = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return Parcel(
        key=digest_id,
        messages=worst_first,
        title=for_title(messages[0].title) if is_one else f"Tokentrail digest: {counted}",
        body="\n\n".join([*parts, f"Message {digest_id}"]),
        tries=max(message.tries for message in messages),
        reached=worst_first[0].reached,
        addresses=worst_first[0].addresses,
    )


def _headline(message: Message) -> str:
    """In a digest; the title of an alert begins with its severity, or with what became of it."""
    return for_chat(message.title if message.kind == "alert" else f"{message.severity}: {message.title}")


FOR_MACHINES = ("message_id", "event_key", "topic", "kind", "severity", "title", "drill_url", "ends", "alerts")


def _for_machines(message: Message) -> dict[str, object]:
    """A message as a webhook gets it, without its words."""
    fields = {name: getattr(message, name) for name in FOR_MACHINES}
    return fields | {"alerts": list(message.alerts), "occurred_at": utc_text(message.occurred_at)}


def _send_side_by_side(this_round: Round, channels: Channels, due: dict[str, list[Parcel]]) -> None:
    """A thread per channel, so that a dead one holds up no other; what has not answered at the deadline is left behind."""
    threads = {
        name: threading.Thread(
            target=_send_all,
            args=(this_round, channels[name], parcels),
            name=f"{SENDER}{name}",
            daemon=True,  # a receiver that trickles bytes for ever must not keep the process
        )
        for name, parcels in due.items()
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(this_round.seconds_left)
    for name, thread in threads.items():
        parcel = this_round.under_way.get(name)
        if thread.is_alive() and parcel:
            late = Outcome("Not sent: no answer before the run's deadline.", parcel.reached, may_have_arrived=True)
            this_round.record(_failed(parcel, this_round.settings.as_of, late))


def _send_all(this_round: Round, channel: NotificationChannel, parcels: list[Parcel]) -> None:
    """Sends a channel's parcels one after the other. What goes wrong is in the log, and never leaves the thread."""
    at, failures = this_round.settings.as_of, 0
    just_sent: list[Message] = []
    try:
        services = open_addresses(channel)
        pause = max((service.request_rate_per_sec for service in services if service), default=0)
        for parcel in parcels:
            if failures == FAILURES_A_RUN or this_round.seconds_left <= (pause if just_sent else 0):
                return
            if silence := _silence_since(parcel, channel, just_sent, at):
                this_round.record(_about(parcel, at) | _silenced(silence))
            elif _send_parcel(this_round, services, parcel, channel.channel):
                just_sent += [replace(message, sent_at=at) for message in parcel.messages]
            else:
                failures += 1
    except (OSError, LockHeldError) as error:  # no more is sent, since it could not be remembered
        this_round.broken.append(f"{channel.channel}: the outbox cannot be written, so sending stopped. {error}")
    except Exception as error:  # a mistake of a service must not fail a run; its text may quote the address
        this_round.broken.append(f"{channel.channel}: sending stopped at a {type(error).__name__} inside apprise.")


def _silence_since(
    parcel: Parcel, channel: NotificationChannel, just_sent: list[Message], at: datetime
) -> Silence | None:
    """A message of this very run may have put its incident into cooldown."""
    message = parcel.messages[0]
    if parcel.tries or message.digest_id:
        return None
    return why_silent(message, channel, [sent for sent in just_sent if sent.topic == message.topic], at)


def _send_parcel(this_round: Round, services: list, parcel: Parcel, channel: str) -> bool:
    """Tries a few times, as long as failures are quick and the deadline is not reached; every try is in the log."""
    at = this_round.settings.as_of
    if parcel.addresses != len(services):
        parcel.reached, parcel.addresses = (), len(services)  # positions in a list that was edited mean nothing

    def one_try() -> Outcome:
        parcel.tries += 1
        this_round.record(_about(parcel, at) | {"step": "trying", "try": parcel.tries})
        outcome = send(services, parcel.letter, this_round.seconds_left, parcel.reached)
        parcel.reached = outcome.reached
        is_sent = outcome.error is None
        this_round.record(
            _about(parcel, at) | {"step": "sent", "try": parcel.tries} if is_sent else _failed(parcel, at, outcome)
        )
        return outcome

    this_round.under_way[channel] = parcel
    retrying = Retrying(
        stop=stop_after_attempt(min(QUICK_TRIES, MAX_TRIES - parcel.tries))
        | stop_before_delay(this_round.seconds_left),
        wait=wait_exponential(multiplier=0.5),
        retry=retry_if_result(lambda outcome: outcome.error is not None and not outcome.may_have_arrived),
        retry_error_callback=_last_outcome,
    )
    outcome = retrying(one_try)
    del this_round.under_way[channel]
    if outcome.error and parcel.tries >= MAX_TRIES:
        this_round.record(_about(parcel, at) | _out_of_tries(parcel.tries, outcome.error))
    return outcome.error is None


def _last_outcome(state: RetryCallState) -> Outcome:
    if state.outcome is None:
        raise RuntimeError("Sending ended before a first try: tenacity's limits leave room for none.")
    return state.outcome.result()


def _failed(parcel: Parcel, at: datetime, outcome: Outcome) -> Step:
    wait = min(FIRST_WAIT * 2 ** min(parcel.tries - 1, 10), LONGEST_WAIT)
    return _about(parcel, at) | {
        "step": "failed",
        "try": parcel.tries,
        "error": outcome.error,
        "reached": list(outcome.reached),
        "addresses": parcel.addresses,
        "may_have_arrived": outcome.may_have_arrived,
        "next_try_at": utc_text(at + wait),
    }


def _about(parcel: Parcel, at: datetime) -> Step:
    return {"at": utc_text(at), "message_ids": [message.message_id for message in parcel.messages]}


def next_due(settings: Settings, channels: Channels | None = None) -> datetime | None:
    """When `deliver` next has something to do, if nothing else happens; in the past for what could have been done before."""
    channels = read_channels(settings.team) if channels is None else channels
    outbox = load(settings)
    at, ended = outbox.not_before(settings.as_of), _ended(outbox)
    instants = [
        due
        for message in outbox.messages.values()
        for due in (_step_due(message, channels), _escalation_due(message, channels, ended, at))
        if due
    ]
    return min(instants, default=None)


def _step_due(message: Message, channels: Channels) -> datetime | None:
    """When an open message is sent, tried again or closed; None while it waits for an address, as it says itself."""
    if not message.is_open:
        return None
    lacking = why_not_addressable(message.channel, channels.get(message.channel))
    if lacking:
        return None if (message.status, message.reason) == ("waiting", lacking) else message.queued_at
    if message.status == "waiting" or (message.escalates and message.acknowledged_at):
        return message.queued_at
    due = message.digest_due_at if message.digest_due_at and not message.digest_id else message.queued_at
    if not message.tries:
        return due
    given_up_at = max(message.queued_at, message.digest_due_at or message.queued_at) + STALE_AFTER
    return min(message.next_try_at or due, given_up_at)


def _escalation_due(message: Message, channels: Channels, ended: dict[str, datetime], at: datetime) -> datetime | None:
    """When a message is escalated, unless somebody acknowledges it before."""
    escalation = _escalation(message, channels, ended)
    if escalation is None:
        return None
    if message.status == "given_up":
        return message.queued_at
    if message.sent_at is None or at - message.sent_at > STALE_AFTER:
        return None
    return message.sent_at + escalation[1]


def _escalation(message: Message, channels: Channels, ended: dict[str, datetime]) -> tuple[str, timedelta] | None:
    """To which channel a message goes that nobody acknowledges, and how long after it was sent; None for one that never does.

    `ended`: when topics were over (`_ended`). What is over since needs nobody any more.
    """
    channel = channels.get(message.channel)
    if not (channel and channel.escalate_to and channel.escalate_after_minutes and message.severity == "critical"):
        return None
    if message.follows or message.escalates or message.escalated_at or message.acknowledged_at:
        return None
    if message.topic in ended and message.queued_at <= ended[message.topic]:
        return None
    return channel.escalate_to, timedelta(minutes=channel.escalate_after_minutes)


def _ended(outbox: Outbox) -> dict[str, datetime]:
    """By topic: when it was last said to be over."""
    ended: dict[str, datetime] = {}
    for message in outbox.messages.values():
        if message.ends:
            ended[message.topic] = max(message.queued_at, ended.get(message.topic, message.queued_at))
    return ended


def undelivered(settings: Settings) -> list[str]:
    """Sentences about what did not arrive: messages of the last two weeks that were given up, and channels that refuse now."""
    outbox = load(settings)
    return [*_given_up(outbox, settings.as_of), *_refusing(outbox), *_out_of_time(outbox, settings.as_of)]


def _out_of_time(outbox: Outbox, as_of: datetime) -> list[str]:
    """A run may begin before another one that has reported; if by more than its own length, it is pinned, or a clock is wrong."""
    latest = outbox.not_before(as_of)
    if latest - as_of < RUN_TAKES_AT_MOST:
        return []
    sentence = (
        f"This run reports as of {minute(as_of)} UTC, and the outbox as of {minute(latest)} UTC: "
        "waiting messages are sent, but nothing is escalated or collected into a digest until a run as of then or later."
    )
    return [sentence]


def _given_up(outbox: Outbox, at: datetime) -> list[str]:
    return [
        f"{message.channel}: {message.title} ({message.event_key}). {message.last_error}"
        for message in outbox.messages.values()
        if message.status == "given_up" and at - message.queued_at <= 2 * STALE_AFTER
    ]


def _refusing(outbox: Outbox) -> list[str]:
    failing = Counter((each.channel, each.last_error) for each in outbox.messages.values() if each.status == "failed")
    return [f"{channel}: {count} to be tried again. {error}" for (channel, error), count in failing.items()]


def _what_happened(this_round: Round, before: Outbox, speaks_from: datetime, seconds: float) -> Delivery:
    after = load(this_round.settings)
    changed = [message for known, message in after.messages.items() if message != before.messages.get(known)]
    waiting = Counter(each.reason for each in after.messages.values() if each.status == "waiting")
    problems = [*_refusing(after), *this_round.broken, *(f"{reason} Waiting: {n}." for reason, n in waiting.items())]
    if after.unreadable_lines:
        problems.append(
            f"{log_file(outbox_folder(this_round.settings))}: {after.unreadable_lines} lines cannot be read and were "
            "passed over: compare the file with its backup."
        )
    return Delivery(
        sent=sum(message.status == "sent" for message in changed if not _was_sent(before, message)),
        failed=sum(message.status in {"failed", "given_up"} for message in changed),
        escalated=sum(
            message.escalates is not None for message in changed if message.message_id not in before.messages
        ),
        by_status=dict(Counter(message.status for message in after.messages.values())),
        problems=[*problems, *_out_of_time(before, speaks_from)],
        given_up=_given_up(after, this_round.settings.as_of),
        seconds=round(seconds, 3),
    )


def _was_sent(before: Outbox, message: Message) -> bool:
    return message.message_id in before.messages and before.messages[message.message_id].status == "sent"
