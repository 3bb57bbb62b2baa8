"""The outbox against a real HTTP receiver that also fails, hangs, closes the line and kills the sender."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from apprise.plugins.opsgenie import OPSGENIE_API_LOOKUP
from apprise.plugins.pagerduty import PAGERDUTY_API_LOOKUP
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.commands.outbox import main
from orchestration.ledger import LogReader, json_lines, log_file, one_writer
from orchestration.notifications import Event, acknowledge, deliver, enqueue, next_due, read_outbox, undelivered
from orchestration.notifications.addresses import open_addresses
from orchestration.notifications.delivery import (
    DEADLINE_SECONDS,
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_TRIES,
    QUICK_TRIES,
    STALE_AFTER,
)
from orchestration.notifications.outbox import ARCHIVED_AT_ONCE, KEPT_FOR, digest_due, message_id, outbox_folder
from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.storage import held
from orchestration.team.notifications import NotificationChannel, read_channels
from orchestration.team.rows import SHIPPED, TeamFileError
from tests.pipeline import WITHOUT_TESTS
from tests.receiver import Receiver, listening

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ONE_TRY = 0.45  # seconds: a deadline that ends before the first pause between tries
PASSWORD, WEBHOOK = "hunter2secret", "T0123webhooksecret"


@pytest.fixture
def receiver():
    with listening() as server:
        yield server


@pytest.fixture
def outbox(tmp_path, receiver, monkeypatch) -> Settings:
    """An empty data root at noon, with the channel `oncall` at the receiver."""
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", receiver.address())
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_FINANCE", receiver.address("finance"))
    open_addresses(ONCALL["oncall"])  # apprise reads its services once, which is not what the deadlines here are about
    return replace(from_environment({"TOKENTRAIL_DATA": str(tmp_path)}), as_of=NOON)


def channel(name: str = "oncall", **fields) -> dict[str, NotificationChannel]:
    base = {
        "channel": name,
        "address_variable": f"TOKENTRAIL_CHANNEL_{name.upper()}",
        "min_severity": "info",
        "digest": "immediate",
        "digest_at": "",
        "digest_weekday": "",
        "time_zone": "UTC",
        "cooldown_minutes": 0,
        "escalate_after_minutes": "",
        "escalate_to": "",
        "muted_from": "",
        "muted_until": "",
        "reason": "a test",
    }
    return {name: NotificationChannel.model_validate(base | fields)}


ONCALL = channel()
BOTH = ONCALL | channel("finance")


def event(number: int = 1, channels: tuple[str, ...] = ("oncall",), **fields) -> Event:
    base = {
        "event_key": f"budget/search/2026-11-01/{number}/exceeded",
        "topic": "budget/search/2026-11-01",
        "kind": "budget",
        "severity": "critical",
        "title": f"Budget search exceeded ({number})",
        "body": "Spend **12.34 USD** of 10.00.",
        "drill_url": "http://localhost:8080/budget?data_mode=real&endpoint=search.answer",
        "occurred_at": NOON,
        "channels": channels,
    }
    return Event(**base | fields)


def later(settings: Settings, **time_passed: float) -> Settings:
    return replace(settings, as_of=settings.as_of + timedelta(**time_passed))


def statuses(settings: Settings) -> list[str]:
    return [row["status"] for row in read_outbox(settings)]


# One message, once


def test_a_message_carries_title_body_link_and_key(outbox, receiver):
    enqueue(outbox, [event()], ONCALL)
    deliver(outbox, channels=ONCALL)
    [(_, key, message)] = receiver.arrived
    assert (message["title"], message["type"]) == ("Budget search exceeded (1)", "failure")
    assert message["message"].split("\n\n") == [event().body, event().drill_url, f"Message {key}"]
    assert key == message_id(event().event_key, "oncall")


def test_ten_runs_send_one_message(outbox, receiver):
    for run in range(10):
        enqueue(later(outbox, hours=run), [event()], ONCALL)
        deliver(later(outbox, hours=run), channels=ONCALL)
    assert len(receiver.arrived) == 1
    [row] = read_outbox(outbox)
    assert (row["status"], row["tries"], row["sent_at"]) == ("sent", 1, NOON)


def test_an_event_goes_to_each_of_its_channels_once(outbox, receiver):
    enqueue(outbox, [event(channels=("oncall", "finance", "oncall"))], BOTH)
    assert enqueue(outbox, [event(channels=("finance", "oncall"))], BOTH) == {"known": 2}
    deliver(outbox, channels=BOTH)
    assert len(receiver.keys()) == len(receiver.keys("finance")) == 1
    assert receiver.keys() != receiver.keys("finance")


def test_deliveries_at_the_same_time_send_one_message(outbox, receiver):
    enqueue(outbox, [event()], ONCALL)
    threads = [threading.Thread(target=deliver, args=(outbox,), kwargs={"channels": ONCALL}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.arrived) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [({"severity": "fatal"}, "severity is 'fatal'"), ({"occurred_at": NOON.replace(tzinfo=None)}, "has no time zone")],
)
def test_an_event_that_cannot_be_is_a_sentence(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        event(**fields)


# Channels that fail


def test_a_500_is_tried_again_within_the_run(outbox, receiver):
    receiver.script["ok"] = [500, 200]
    enqueue(outbox, [event()], ONCALL)
    assert deliver(outbox, channels=ONCALL).sent == 1
    assert len(set(receiver.keys())) == 1
    assert len(receiver.keys()) == read_outbox(outbox)[0]["tries"] == 2


def test_what_fails_is_tried_in_later_runs_ever_more_rarely_and_given_up_aloud(outbox, receiver):
    receiver.script["ok"] = [503]
    enqueue(outbox, [event()], ONCALL)
    waits = []
    while statuses(outbox) != ["given_up"] and len(waits) <= MAX_TRIES:
        delivery = deliver(outbox, deadline_seconds=ONE_TRY, channels=ONCALL)
        [row] = read_outbox(outbox)
        if row["next_try_at"]:
            assert delivery.problems == ["oncall: 1 to be tried again. Not sent: it answered with HTTP status 503."]
            waits.append(row["next_try_at"] - outbox.as_of)
            early = replace(outbox, as_of=row["next_try_at"] - timedelta(seconds=1))
            assert deliver(early, channels=ONCALL).failed == 0  # not yet due
            outbox = replace(outbox, as_of=row["next_try_at"])
    assert waits[:3] == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)]
    assert max(waits) == LONGEST_WAIT
    assert len(receiver.keys()) == MAX_TRIES
    [sentence] = undelivered(outbox)
    assert sentence.startswith("oncall: Budget search exceeded (1)")
    assert f"Given up after {len(receiver.keys())} tries." in sentence
    assert deliver(later(outbox, days=1), channels=ONCALL).given_up == [sentence]
    assert undelivered(later(outbox, days=30)) == []


def test_a_line_that_breaks_is_a_failed_try(outbox, receiver):
    receiver.script["ok"] = ["close", 200]
    enqueue(outbox, [event()], ONCALL)
    assert deliver(outbox, channels=ONCALL).sent == 1
    assert len(set(receiver.keys())) == 1


def test_a_dead_a_hanging_and_a_trickling_channel_hold_up_nobody(outbox, receiver, monkeypatch):
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        dead = unused.getsockname()[1]
    names = ("dead", "hang", "trickle", "oncall")
    channels = {key: row for name in names for key, row in channel(name).items()}
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_DEAD", f"json://127.0.0.1:{dead}/")
    for name in ("hang", "trickle"):
        monkeypatch.setenv(f"TOKENTRAIL_CHANNEL_{name.upper()}", receiver.address(name))
        receiver.script[name] = [name]
    enqueue(outbox, [event(number, channels=names) for number in (1, 2)], channels)
    began = time.monotonic()
    delivery = deliver(outbox, deadline_seconds=2, channels=channels)
    assert time.monotonic() - began < 2.5
    assert len(receiver.keys()) == 2
    by_channel = {(row["channel"], row["status"]) for row in read_outbox(outbox)}
    assert by_channel >= {("oncall", "sent"), ("dead", "failed"), ("hang", "failed"), ("trickle", "failed")}
    said = "\n".join(delivery.problems)
    assert "dead: 2 to be tried again. Not sent: it could not be reached, or broke the connection." in said
    assert "hang: 1 to be tried again. Not sent: no answer" in said
    assert "trickle: 1 to be tried again. Not sent: no answer before the run's deadline." in said
    assert len(receiver.keys("hang")) == 1  # silence may mean that it arrived: not again in this run


def test_a_silent_receiver_is_marked_as_possibly_notified_twice(outbox, receiver):
    receiver.script["ok"] = ["hang", 200]
    enqueue(outbox, [event()], ONCALL)
    deliver(outbox, deadline_seconds=0.5, channels=ONCALL)
    assert [(row["status"], row["may_have_arrived"]) for row in read_outbox(outbox)] == [("failed", True)]
    deliver(later(outbox, minutes=5), channels=ONCALL)
    assert [(row["status"], row["may_have_doubled"]) for row in read_outbox(outbox)] == [("sent", True)]
    assert len(receiver.keys()) == 2
    assert len(set(receiver.keys())) == 1


def test_a_channel_that_is_down_does_not_use_up_every_messages_tries(outbox, receiver):
    receiver.script["ok"] = [500]
    enqueue(outbox, [event(number) for number in range(5)], ONCALL)
    deliver(outbox, channels=ONCALL)
    assert [row["tries"] for row in read_outbox(outbox)] == [3, 3, 0, 0, 0]
    receiver.arrived.clear()
    receiver.script["ok"] = [200]
    deliver(later(outbox, hours=1), channels=ONCALL)
    assert [title[-2] for title in receiver.titles()] == list("23401")  # those that were not tried come first


def test_of_two_addresses_the_living_one_is_notified_once(outbox, receiver, monkeypatch):
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", f"{receiver.address('a')}, {receiver.address('b')}")
    receiver.script["b"] = [500]
    enqueue(outbox, [event()], ONCALL)
    deliver(outbox, deadline_seconds=1, channels=ONCALL)
    assert read_outbox(outbox)[0]["last_error"] == "Not sent: address 2 of 2: it answered with HTTP status 500."
    receiver.script["b"] = [200]
    deliver(later(outbox, hours=1), channels=ONCALL)
    assert statuses(outbox) == ["sent"]
    assert len(receiver.keys("a")) == 1


def test_a_missing_address_waits_and_says_what_to_set(outbox, receiver, monkeypatch):
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL")
    assert enqueue(outbox, [event()], ONCALL) == {"waiting": 1}
    for _ in range(2):
        delivery = deliver(outbox, channels=ONCALL)
    assert delivery.problems == ["oncall has no address: set TOKENTRAIL_CHANNEL_ONCALL. Waiting: 1."]
    assert len(log(outbox)) == 1
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", receiver.address())
    assert deliver(later(outbox, days=1), channels=ONCALL).sent == 1


def test_an_address_set_late_brings_no_flood(outbox, receiver, monkeypatch):
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL")
    enqueue(outbox, [event(1)], ONCALL)
    enqueue(later(outbox, days=6), [event(2)], ONCALL)
    enqueue(later(outbox, days=7.5), [event(3, title=event(1).title)], ONCALL)  # the first is too old to stand for it
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", receiver.address())
    deliver(later(outbox, days=8), channels=ONCALL)
    assert receiver.titles() == ["Budget search exceeded (2)", "Budget search exceeded (1)"]
    assert read_outbox(outbox)[0]["reason"] == "It waited for an address for more than 7 days."


def test_a_channel_that_nobody_defined_waits_too(outbox):
    enqueue(outbox, [event(channels=("#oncall-search",))], ONCALL)
    assert deliver(outbox, channels=ONCALL).problems == [
        "No channel is called '#oncall-search': add it to notification_channels.csv. Waiting: 1."
    ]


# A sender that is killed

SEND = """
import os, signal, sys
from orchestration.notifications import deliver, enqueue
from orchestration.storage import held
from orchestration.settings import from_environment
from tests.test_notifications import ONCALL, event
settings = from_environment()
enqueue(settings, [event(number) for number in range(3)], ONCALL)
if sys.argv[1] == "before":
    os.kill(os.getpid(), signal.SIGKILL)
deliver(settings, float(sys.argv[2]), channels=ONCALL)
"""


def sender(settings: Settings, when: str, deadline_seconds: float = 20) -> subprocess.Popen:
    environment = {"TOKENTRAIL_DATA": str(settings.data), "TOKENTRAIL_AS_OF": settings.as_of.isoformat()}
    return subprocess.Popen(
        [sys.executable, "-c", SEND, when, str(deadline_seconds)], cwd=PROJECT, env=os.environ | environment
    )


def test_a_kill_before_the_first_message_loses_nothing(outbox, receiver):
    assert sender(outbox, "before").wait() == -signal.SIGKILL
    assert receiver.arrived == []
    deliver(outbox, channels=ONCALL)
    assert len(set(receiver.keys())) == len(receiver.keys()) == 3


def test_a_kill_between_send_and_commit_doubles_one_at_most_under_the_same_key(outbox, receiver):
    receiver.script["ok"] = [200, "kill", 200]
    process = sender(outbox, "while sending")
    receiver.victim = process.pid
    assert process.wait() == -signal.SIGKILL
    killed_with = receiver.keys()[-1]
    assert statuses(outbox) == ["sent", "failed", "queued"]
    for _ in range(3):
        deliver(outbox, channels=ONCALL)
    arrived = set(receiver.keys())
    assert set(Counter(receiver.keys()).items()) == {(key, 1 + (key == killed_with)) for key in arrived}
    assert len(arrived) == 3
    assert [row["may_have_doubled"] for row in read_outbox(outbox)] == [False, True, False]


def test_a_receiver_that_never_ends_its_answer_does_not_keep_the_process(outbox, receiver):
    receiver.script["ok"] = ["trickle"]
    process = sender(outbox, "while sending", deadline_seconds=3)
    assert process.wait(timeout=20) == 0
    assert statuses(outbox) == ["failed", "queued", "queued"]


def log(settings: Settings) -> list[str]:
    return (outbox_folder(settings) / "log.jsonl").read_text().splitlines()


@pytest.mark.parametrize("cut", [1, 20, -2])
def test_a_torn_last_line_was_not_written(outbox, receiver, cut):
    enqueue(outbox, [event(1)], ONCALL)
    path = outbox_folder(outbox) / "log.jsonl"
    whole = path.read_bytes()
    enqueue(outbox, [event(2)], ONCALL)
    path.write_bytes(whole + path.read_bytes()[len(whole) :][:cut])
    assert len(read_outbox(outbox)) == 1
    enqueue(outbox, [event(1), event(2)], ONCALL)
    assert deliver(outbox, channels=ONCALL).problems == []
    assert receiver.titles() == ["Budget search exceeded (1)", "Budget search exceeded (2)"]


def test_a_last_line_that_lacks_only_its_line_feed_counts(outbox, receiver):
    enqueue(outbox, [event()], ONCALL)
    deliver(outbox, channels=ONCALL)
    path = outbox_folder(outbox) / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert statuses(outbox) == ["sent"]
    enqueue(outbox, [event(2)], ONCALL)
    assert statuses(outbox) == ["sent", "queued"]


def test_a_line_that_cannot_be_read_is_passed_over_and_reported(outbox):
    enqueue(outbox, [event(1)], ONCALL)
    with (outbox_folder(outbox) / "log.jsonl").open("a") as file:
        file.write("\x00\x00\n")
    enqueue(outbox, [event(2)], ONCALL)
    delivery = deliver(outbox, channels=ONCALL)
    assert delivery.sent == 2
    assert "log.jsonl: 1 lines cannot be read and were passed over" in delivery.problems[0]


# Quiet


def test_the_same_message_is_not_queued_while_one_is_still_to_be_sent(outbox, receiver):
    same = {"title": "Budget search exceeded"}
    enqueue(outbox, [event(1, **same), event(2, **same), event(3, **same, topic="another")], ONCALL)
    deliver(outbox, channels=ONCALL)
    enqueue(outbox, [event(4, **same)], ONCALL)
    assert [(row["status"], row["dedupe_applied"]) for row in read_outbox(outbox)] == [
        ("sent", False),
        ("suppressed", True),
        ("sent", False),
        ("queued", False),
    ]


@pytest.mark.parametrize(
    ("first", "second", "minutes", "goes"),
    [
        ("warning", "warning", 59, False),
        ("warning", "warning", 60, True),
        ("warning", "info", 59, False),
        ("warning", "critical", 1, True),
        ("critical", "warning", 1, False),
    ],
)
def test_within_a_cooldown_only_worse_news_of_an_incident_goes(outbox, receiver, first, second, minutes, goes):
    channels = channel(cooldown_minutes=60)
    enqueue(outbox, [event(1, severity=first)], channels)
    deliver(outbox, channels=channels)
    outbox = later(outbox, minutes=minutes)
    enqueue(outbox, [event(2, severity=second), event(3, severity=second, topic="another")], channels)
    deliver(outbox, channels=channels)
    rows = read_outbox(outbox)
    assert [(row["status"] == "sent", row["cooldown_applied"]) for row in rows[1:]] == [(goes, not goes), (True, False)]


def test_a_cooldown_ends_with_what_it_is_about(outbox, receiver):
    """A pager has resolved it: what is back within the hour opens it again."""
    channels = channel(cooldown_minutes=60)
    over = event(2, title="Over", severity="info", follows=True, ends=True)
    for minutes, each in ((0, event(1)), (20, over), (40, event(3)), (50, event(4))):
        enqueue(later(outbox, minutes=minutes), [each], channels)
        deliver(later(outbox, minutes=minutes), channels=channels)
    assert statuses(outbox) == ["sent", "sent", "sent", "suppressed"]
    assert [row["cooldown_applied"] for row in read_outbox(outbox)] == [False, False, False, True]


def test_one_run_sends_the_worst_and_is_quiet_about_the_rest(outbox, receiver):
    channels = channel(cooldown_minutes=60)
    enqueue(outbox, [event(1, severity="warning"), event(2, severity="critical"), event(3, severity="info")], channels)
    deliver(outbox, channels=channels)
    assert receiver.titles() == ["Budget search exceeded (2)"]
    rows = read_outbox(outbox)
    assert [(row["status"], row["cooldown_applied"]) for row in rows] == [
        ("suppressed", True),
        ("sent", False),
        ("suppressed", True),
    ]
    assert rows[0]["reason"] == "oncall heard of this incident within 60 minutes, no less severely."


def test_muted_messages_are_in_the_outbox_and_go_nowhere(outbox, receiver):
    days = {"muted_from": "2026-11-23", "muted_until": "2026-11-25", "time_zone": "Pacific/Auckland"}  # UTC+13
    channels = channel(**days)
    for hour, number in ((-26, 1), (-25, 2), (22, 3), (23, 4)):  # midnight there is 11:00 UTC
        enqueue(later(outbox, hours=hour), [event(number)], channels)
        deliver(later(outbox, hours=hour), channels=channels)
    enqueue(later(outbox, days=5), [event(5, is_muted=True)], channels)
    deliver(later(outbox, days=5), channels=channels)
    assert receiver.titles() == ["Budget search exceeded (1)", "Budget search exceeded (4)"]
    assert [row["is_muted"] for row in read_outbox(outbox)] == [False, True, True, False, True]
    assert "muted from 2026-11-23 until 2026-11-25" in read_outbox(outbox)[1]["reason"]


def test_a_channel_takes_messages_from_its_severity_on(outbox, receiver):
    channels = channel(min_severity="warning")
    enqueue(outbox, [event(1, severity="info"), event(2, severity="warning")], channels)
    deliver(outbox, channels=channels)
    assert statuses(outbox) == ["suppressed", "sent"]


# What becomes of a topic


def test_who_was_notified_hears_what_follows_whatever_the_channel_takes(outbox, receiver):
    """Not a channel that was not, and not again by a cooldown; muted is muted."""
    channels = channel(min_severity="critical", cooldown_minutes=60) | channel("finance")
    enqueue(outbox, [event()], channels)
    deliver(outbox, channels=channels)
    over = event(2, ("oncall", "finance"), severity="info", title="Over", follows=True, ends=True)
    assert enqueue(outbox, [over], channels) == {"queued": 1, "suppressed": 1}
    deliver(outbox, channels=channels)
    assert (receiver.titles(), receiver.titles("finance")) == (["Budget search exceeded (1)", "Over"], [])
    assert read_outbox(outbox)[-1]["reason"] == "finance was not notified of what this follows."
    assert receiver.arrived[-1][2]["type"] == "success"
    assert enqueue(outbox, [over], channels) == {"known": 2}


def test_what_follows_goes_where_it_was_escalated_to_and_is_not_escalated_itself(outbox, receiver):
    channels = channel(escalate_after_minutes=30, escalate_to="finance") | channel("finance")
    enqueue(outbox, [event()], channels)
    for minutes in (0, 30):
        deliver(later(outbox, minutes=minutes), channels=channels)
    for hours, following in (
        (1, event(2, title="Confirmed", follows=True)),
        (2, event(3, title="Over", follows=True, ends=True)),
    ):
        enqueue(later(outbox, hours=hours), [following], channels)
        deliver(later(outbox, hours=hours), channels=channels)
        deliver(later(outbox, hours=hours, minutes=45), channels=channels)
    assert receiver.titles()[1:] == ["Confirmed", "Over"]
    assert receiver.titles("finance") == ["escalated: Budget search exceeded (1)", "Confirmed", "Over"]


# Machines


ALERTS = ({"alert_id": "a1", "severity": "critical", "delta_usd": "4.740000000000"},)


def test_a_webhook_gets_what_a_message_is_about_as_json(outbox, receiver):
    enqueue(outbox, [event(kind="alert", alerts=ALERTS), event(2, topic="budget/other")], ONCALL)
    deliver(outbox, channels=ONCALL)
    alert, budget = (message for _, _, message in receiver.arrived)
    assert alert["schema"] == budget["schema"] == "tokentrail.message/1"
    [about] = alert["messages"]
    assert about["alerts"] == list(ALERTS)
    assert (about["topic"], about["severity"], about["ends"]) == ("budget/search/2026-11-01", "critical", False)
    assert budget["messages"][0]["alerts"] == []
    assert {about["message_id"], budget["messages"][0]["message_id"]} == {*receiver.keys()}


def test_a_digest_has_each_of_its_messages_for_machines(outbox, receiver):
    daily = channel(digest="daily", digest_at="09:00")
    enqueue(outbox, [event(kind="alert", alerts=ALERTS), event(2, topic="budget/other", severity="info")], daily)
    deliver(later(outbox, days=1), channels=daily)
    [(_, _, message)] = receiver.arrived
    assert [each["topic"] for each in message["messages"]] == ["budget/search/2026-11-01", "budget/other"]
    assert message["messages"][0]["alerts"] == list(ALERTS)


def test_fields_that_an_address_adds_stay_and_nothing_of_one_message_is_in_the_next(outbox, receiver, monkeypatch):
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", receiver.address() + "?:team=costs&:message=text&+X-Route=costs")
    enqueue(outbox, [event(kind="alert", alerts=ALERTS), event(2, topic="budget/other")], ONCALL)
    deliver(outbox, channels=ONCALL)
    for _, _, message in receiver.arrived:
        assert (message["team"], "text" in message, "message" in message) == ("costs", True, False)
    assert receiver.arrived[1][2]["messages"][0]["topic"] == "budget/other"


def test_pagerduty_opens_one_incident_for_a_topic_and_resolves_it(outbox, receiver, monkeypatch):
    """apprise's own service, whose address leads to the receiver here."""
    monkeypatch.setitem(PAGERDUTY_API_LOOKUP, "us", f"http://127.0.0.1:{receiver.server_port}/pagerduty")
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", "pagerduty://integration-key@api-key")
    topic = "alert/p1"
    sent = [
        event(1, topic=topic, kind="alert", title="Critical: retries", alerts=ALERTS),
        event(2, topic=topic, kind="alert", title="Confirmed: retries", follows=True),
        event(3, topic=topic, kind="alert", title="Over: retries", severity="info", follows=True, ends=True),
        event(4, title="Budget"),
    ]
    for hours, each in enumerate(sent):
        enqueue(later(outbox, hours=hours), [each], ONCALL)
        deliver(later(outbox, hours=hours), channels=ONCALL)
    opened, confirmed, resolved, budget = (message for _, _, message in receiver.arrived)
    assert [each["event_action"] for each in (opened, confirmed, resolved, budget)] == [
        "trigger",
        "trigger",
        "resolve",
        "trigger",
    ]
    assert {each["dedup_key"] for each in (opened, confirmed, resolved)} == {topic}
    assert budget["dedup_key"] == message_id(sent[3].event_key, "oncall")
    assert opened["payload"]["summary"] == "Critical: retries"
    assert (opened["payload"]["severity"], opened["links"]) == ("critical", [{"href": event().drill_url}])
    assert opened["payload"]["custom_details"].items() >= ALERTS[0].items()
    assert event().body in opened["payload"]["custom_details"]["message"]


def test_opsgenie_opens_one_alert_for_a_topic_and_another_process_closes_it(outbox, receiver, monkeypatch):
    monkeypatch.setitem(OPSGENIE_API_LOOKUP, "us", f"http://127.0.0.1:{receiver.server_port}/v2/alerts")
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", "opsgenie://api-key")
    receiver.script["v2/alerts"] = [{"requestId": "r1"}]
    enqueue(outbox, [event(topic="alert/p1", kind="alert", title="Critical: retries")], ONCALL)
    deliver(outbox, channels=ONCALL)
    over = event(2, topic="alert/p1", kind="alert", title="Over: retries", severity="info", follows=True, ends=True)
    enqueue(later(outbox, days=4), [over], ONCALL)
    deliver(later(outbox, days=4), channels=ONCALL)
    (opened_at, _, opened), (closed_at, _, _) = receiver.arrived
    assert (opened_at, opened["alias"], opened["message"]) == ("v2/alerts", "alert/p1", "Critical: retries")
    assert closed_at == "v2/alerts/alert%2Fp1/close?identifierType=alias"
    assert statuses(outbox) == ["sent", "sent"]


# Digests


@pytest.mark.parametrize(
    ("local", "due"),
    [
        ("2026-03-28T09:00", "2026-03-28T08:00"),  # at the minute: still that day's
        ("2026-03-28T09:01", "2026-03-29T07:00"),  # the night of the change is 23 hours long
        ("2026-10-24T09:01", "2026-10-25T08:00"),  # and 25
    ],
)
def test_a_daily_digest_keeps_its_local_time_over_a_change_of_clocks(local, due):
    from zoneinfo import ZoneInfo

    berlin = channel(digest="daily", digest_at="09:00", time_zone="Europe/Berlin")["oncall"]
    at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert digest_due(berlin, at) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_local_time_that_is_skipped_or_comes_twice_is_one_instant():
    berlin = channel(digest="daily", digest_at="02:30", time_zone="Europe/Berlin")["oncall"]
    skipped = [digest_due(berlin, datetime(2026, 3, 29, hour, tzinfo=UTC)) for hour in (0, 1)]
    assert skipped == [datetime(2026, 3, 29, 1, 30, tzinfo=UTC)] * 2
    twice = [digest_due(berlin, datetime(2026, 10, 25, hour, tzinfo=UTC)) for hour in (0, 1)]
    assert twice == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)]


def test_a_weekly_digest_waits_for_its_weekday():
    weekly = channel(digest="weekly", digest_at="08:00", digest_weekday="monday", time_zone="Asia/Kathmandu")["oncall"]
    assert digest_due(weekly, NOON) == datetime(2026, 11, 30, 2, 15, tzinfo=UTC)


def test_a_digest_is_one_message_with_a_row_for_each_event(outbox, receiver):
    channels = channel(digest="daily", digest_at="09:00", time_zone="Europe/Berlin")
    outbox = replace(outbox, as_of=datetime(2026, 3, 28, 12, tzinfo=UTC))
    enqueue(outbox, [event(1, severity="info"), event(2)], channels)
    early, due = (replace(outbox, as_of=datetime(2026, 3, 29, *at, tzinfo=UTC)) for at in ((6, 59), (7, 0)))
    deliver(early, channels=channels)
    assert receiver.arrived == []
    enqueue(due, [event(3, severity="warning")], channels)
    receiver.script["ok"] = [500]
    deliver(due, deadline_seconds=ONE_TRY, channels=channels)
    receiver.script["ok"] = [200]
    again = later(due, minutes=5)
    enqueue(again, [event(4)], channels)
    deliver(again, channels=channels)
    [(_, key, message), (_, same_key, _)] = receiver.arrived
    assert key == same_key  # tried again as it was: the newcomer is in the next one
    assert message["title"] == "Tokentrail digest: 1 critical, 1 warning, 1 info"
    assert message["message"].index("(2)") < message["message"].index("(3)") < message["message"].index("(1)")
    rows = read_outbox(outbox)
    assert [row["digest_id"] for row in rows] == [key, key, key, None]
    assert [row["status"] for row in rows] == ["sent", "sent", "sent", "queued"]
    assert message["message"].endswith(f"Message {key}")


def test_a_digest_that_was_tried_stays_as_it_was_when_the_address_goes_and_comes(outbox, receiver, monkeypatch):
    channels = channel(digest="daily", digest_at="13:00")
    receiver.script["ok"] = ["hang", 200]
    enqueue(outbox, [event(1)], channels)
    deliver(later(outbox, hours=1), deadline_seconds=ONE_TRY, channels=channels)
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL")
    deliver(later(outbox, hours=2), channels=channels)
    enqueue(later(outbox, hours=2), [event(2)], channels)
    assert statuses(outbox) == ["waiting", "waiting"]
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", receiver.address())
    deliver(later(outbox, hours=25), channels=channels)
    assert statuses(outbox) == ["sent", "sent"]
    assert sorted(Counter(receiver.keys()).values()) == [1, 2]


# Escalation

ESCALATING = channel(escalate_after_minutes=30, escalate_to="finance") | channel(
    "finance", cooldown_minutes=600, digest="daily", digest_at="09:00", min_severity="critical"
)


def test_what_nobody_acknowledges_is_escalated_once(outbox, receiver):
    enqueue(outbox, [event(1), event(2, severity="warning", topic="another")], ESCALATING)
    for minutes in (0, 29, 30, 90, 1000):
        delivery = deliver(later(outbox, minutes=minutes), channels=ESCALATING)
        assert delivery.escalated == (minutes == 30)
    assert receiver.titles("finance") == ["escalated: Budget search exceeded (1)"]
    assert sum('"step": "escalated"' in line for line in log(outbox)) == 1
    assert "Escalated: sent to oncall and not acknowledged." in receiver.arrived[-1][2]["message"]
    rows = read_outbox(outbox)
    assert rows[0]["escalated_at"] == NOON + timedelta(minutes=30)
    assert rows[2]["escalates"] == rows[0]["message_id"]


def test_what_is_acknowledged_is_not_escalated_until_it_is_news_again(outbox, receiver):
    enqueue(outbox, [event(1)], ESCALATING)
    deliver(outbox, channels=ESCALATING)
    assert acknowledge(later(outbox, minutes=10), event().topic, "kim") == 1
    assert acknowledge(later(outbox, minutes=11), event().topic, "lee") == 0
    enqueue(later(outbox, minutes=20), [event(2)], ESCALATING)
    for minutes in (20, 49, 50):
        deliver(later(outbox, minutes=minutes), channels=ESCALATING)
    assert receiver.titles("finance") == ["escalated: Budget search exceeded (2)"]
    assert read_outbox(outbox)[0]["acknowledged_by"] == "kim"


def test_what_is_over_is_not_escalated_until_it_is_back(outbox, receiver):
    enqueue(outbox, [event(1)], ESCALATING)
    deliver(outbox, channels=ESCALATING)
    assert next_due(outbox, ESCALATING) == NOON + timedelta(minutes=30)
    enqueue(later(outbox, minutes=20), [event(2, title="Over", severity="info", follows=True, ends=True)], ESCALATING)
    deliver(later(outbox, minutes=20), channels=ESCALATING)
    assert next_due(later(outbox, minutes=20), ESCALATING) is None
    deliver(later(outbox, minutes=30), channels=ESCALATING)
    assert receiver.titles("finance") == []
    enqueue(later(outbox, minutes=40), [event(3)], ESCALATING)
    for minutes in (40, 69, 70):
        deliver(later(outbox, minutes=minutes), channels=ESCALATING)
    assert receiver.titles("finance") == ["escalated: Budget search exceeded (3)"]


def test_a_channel_that_got_the_escalation_is_not_notified_again_by_its_digest(outbox, receiver):
    outbox = replace(outbox, as_of=NOON.replace(hour=8, minute=29))
    enqueue(outbox, [event(1), event(2, channels=("finance",))], ESCALATING)
    for minutes in (0, 30, 31):  # 09:00 is the digest's time
        deliver(later(outbox, minutes=minutes), channels=ESCALATING)
    assert receiver.titles("finance") == ["escalated: Budget search exceeded (1)"]
    assert [row["cooldown_applied"] for row in read_outbox(outbox)] == [False, True, False]


def test_an_escalation_that_is_still_to_be_sent_ends_with_the_acknowledgement(outbox, receiver):
    receiver.script["finance"] = [500]
    enqueue(outbox, [event()], ESCALATING)
    deliver(outbox, channels=ESCALATING)
    deliver(later(outbox, minutes=30), deadline_seconds=ONE_TRY, channels=ESCALATING)
    acknowledge(later(outbox, minutes=31), event().topic, "kim")
    receiver.arrived.clear()
    deliver(later(outbox, hours=2), channels=ESCALATING)
    assert receiver.arrived == []
    assert read_outbox(outbox)[1]["reason"] == "kim acknowledged it before it was sent."


def test_an_outbox_that_another_process_has_is_a_sentence_and_no_failure(outbox, receiver):
    enqueue(outbox, [event()], ONCALL)
    with held(outbox_folder(outbox) / "_delivery_lock", 0):
        [sentence] = deliver(outbox, channels=ONCALL).problems
    assert "_delivery_lock is held by process " in sentence
    assert receiver.arrived == []


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("wish", ["", "?redirect=yes"])
def test_a_redirect_is_not_followed_and_loses_nothing(outbox, receiver, monkeypatch, status, wish):
    """Of the message at /elsewhere a 302 makes a GET, whose 200 says nothing about it."""
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_ONCALL", receiver.address() + wish)
    receiver.script["ok"] = [status]
    enqueue(outbox, [event()], ONCALL)
    delivery = deliver(outbox, deadline_seconds=ONE_TRY, channels=ONCALL)
    assert (delivery.sent, delivery.failed, receiver.keys("elsewhere")) == (0, 1, [])
    assert f"HTTP status {status}, a redirect, which is not followed: set the address" in delivery.problems[0]
    receiver.script["ok"] = [200]
    assert deliver(later(outbox, hours=1), channels=ONCALL).sent == 1
    assert len(set(receiver.keys())) == 1


@pytest.mark.parametrize("answer", ["endless", "drips"])
def test_an_answer_without_an_end_is_read_to_its_bounds(outbox, receiver, answer):
    """The status says that it was taken; two seconds are what its words may cost, and 64 KiB (and what sockets hold)."""
    receiver.script["ok"] = [answer]
    enqueue(outbox, [event(1), event(2)], ONCALL)
    delivery = deliver(outbox, channels=ONCALL)
    assert (delivery.sent, delivery.problems) == (2, [])
    assert delivery.seconds < 6
    assert receiver.bytes_sent < 2 * 16 * 1024 * 1024


def test_a_line_of_the_log_is_read_once(outbox):
    reader = LogReader(outbox_folder(outbox))
    enqueue(outbox, [event(1)], ONCALL)
    assert [line["event_key"] for line in reader.new_lines()[1]] == [event(1).event_key]
    assert reader.new_lines() == (False, [], 0)
    enqueue(outbox, [event(2)], ONCALL)
    assert [line["event_key"] for line in reader.new_lines()[1]] == [event(2).event_key]
    torn = outbox_folder(outbox) / "log.jsonl"
    torn.write_bytes(torn.read_bytes() + b'{"step": "trying", "at": "2026')
    assert reader.new_lines() == (False, [], 0)
    enqueue(outbox, [event(3)], ONCALL)
    assert [line["event_key"] for line in reader.new_lines()[1]] == [event(3).event_key]


def test_old_finished_messages_leave_the_log_and_are_never_sent_again(outbox, receiver):
    events = [event(number, topic=f"i/{number}") for number in range(ARCHIVED_AT_ONCE)]
    quiet = channel(min_severity="critical")  # all are suppressed, which is a way to be finished
    enqueue(outbox, [replace(each, severity="info") for each in events], quiet)
    enqueue(outbox, [event(-1, severity="critical")], quiet)
    assert deliver(outbox, channels=quiet).sent == 1
    whole = log(outbox)
    in_time = later(outbox, seconds=KEPT_FOR.total_seconds())
    deliver(in_time, channels=quiet)
    assert log(outbox) == whole
    waiting = event(-2, severity="critical", topic="i/waiting", occurred_at=NOON)
    receiver.script["ok"] = [500]
    late = later(outbox, seconds=KEPT_FOR.total_seconds() + 1)
    enqueue(late, [waiting], quiet)
    deliver(late, deadline_seconds=ONE_TRY, channels=quiet)
    assert [row["status"] for row in read_outbox(outbox)] == ["failed"]
    assert len(log(outbox)) < 10
    folder = outbox_folder(outbox)
    kept = [json.loads(line) for line in (folder / "finished.jsonl").read_text().splitlines()]
    assert Counter(row["status"] for row in kept) == {"suppressed": ARCHIVED_AT_ONCE, "sent": 1}
    assert [line for line in (folder / "log-2026.jsonl").read_text().splitlines() if line in whole] == whole
    assert enqueue(late, [*events, event(-1, severity="critical"), waiting], quiet) == {"known": ARCHIVED_AT_ONCE + 2}
    receiver.script["ok"] = [200]
    assert deliver(later(late, hours=7), channels=quiet).sent == 1
    assert len(set(receiver.keys())) == 2


def test_what_the_first_release_wrote_is_read_under_the_names_of_today(outbox, receiver):
    enqueue(outbox, [event(1), event(2, topic="i/2")], ESCALATING)
    deliver(outbox, channels=ESCALATING)
    acknowledge(later(outbox, minutes=10), event().topic, "kim")
    rows = read_outbox(outbox)
    written = log_file(outbox_folder(outbox))
    written.write_text(written.read_text().replace('"topic":', '"incident_key":'))
    assert read_outbox(outbox) == rows
    assert [row["acknowledged_by"] for row in rows] == ["kim", None]
    deliver(later(outbox, minutes=30), channels=ESCALATING)
    assert receiver.titles("finance") == ["escalated: Budget search exceeded (2)"]


def test_the_mart_shows_messages_of_the_first_release_by_their_topic(pipeline):
    folder = outbox_folder(pipeline.settings)
    folder.mkdir(parents=True)
    before = [{"message_id": number, "incident_key": f"i/{number}"} for number in ("1", "2")]
    after = [{"message_id": number, "topic": f"i/{number}"} for number in ("2", "3")]
    (folder / "finished.jsonl").write_text(json_lines(before))
    (folder / "messages.jsonl").write_text(json_lines(after))  # 2 is in both: a run was killed while it archived
    pipeline.build(*WITHOUT_TESTS, "--select", "+notification_outbox")
    found = pipeline.inside("select message_id, topic from marts.notification_outbox order by message_id")
    assert found == [("1", "i/1"), ("2", "i/2"), ("3", "i/3")]


def test_a_run_from_an_earlier_instant_sends_what_waits_and_decides_nothing(outbox, receiver):
    receiver.script["ok"] = [500]
    enqueue(outbox, [event(1)], ESCALATING)
    deliver(outbox, deadline_seconds=ONE_TRY, channels=ESCALATING)
    receiver.script["ok"] = [200]
    now = later(outbox, hours=1)
    deliver(now, channels=ESCALATING)  # sent; nobody acknowledged it yet
    receiver.script["finance"] = [500]
    late = later(outbox, hours=8)
    deliver(late, deadline_seconds=ONE_TRY, channels=ESCALATING)
    receiver.script["finance"] = [200]
    enqueue(late, [event(2, topic="i/2")], ESCALATING)
    past = later(outbox, days=-3)
    escalated = sum('"step": "escalated"' in line for line in log(outbox))
    delivery = deliver(past, channels=ESCALATING)
    assert (delivery.sent, delivery.escalated) == (1, 0)
    assert (
        "This run reports as of 2026-11-20 12:00 UTC, and the outbox as of 2026-11-23 20:00 UTC"
        in delivery.problems[-1]
    )
    assert undelivered(past)[-1] == delivery.problems[-1]
    assert sum('"step": "escalated"' in line for line in log(outbox)) == escalated
    assert {row["sent_at"] for row in read_outbox(outbox) if row["event_key"] == event(2).event_key} == {late.as_of}
    assert not any(
        NOON - timedelta(days=1) > datetime.fromisoformat(json.loads(line)["at"])
        for line in log(outbox)
        if '"at"' in line
    )


def test_what_a_channel_never_took_is_escalated_when_it_is_given_up(outbox, receiver):
    receiver.script["ok"] = [500]
    enqueue(outbox, [event()], ESCALATING)
    deliver(outbox, deadline_seconds=ONE_TRY, channels=ESCALATING)
    late = later(outbox, seconds=STALE_AFTER.total_seconds() + 1)
    for _ in range(2):
        deliver(late, channels=ESCALATING)
    assert receiver.titles("finance") == ["escalated: Budget search exceeded (1)"]


def test_a_person_acknowledges_and_looks(outbox, receiver, monkeypatch, capsys):
    monkeypatch.setenv("TOKENTRAIL_DATA", str(outbox.data))
    enqueue(outbox, [event(), event(2, is_muted=True)], ONCALL)
    deliver(outbox, channels=ONCALL)
    assert main(["acknowledge", "no/such"]) == 2
    said = capsys.readouterr().err
    assert "No message has the topic 'no/such'. Sent and not acknowledged: budget/search/2026-11-01." in said
    assert main(["acknowledge", "budget/search/2026-11-01", "--by", "kim"]) == 0
    capsys.readouterr()
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert "acknowledged by kim" in shown
    assert "Muted by its own rule." in shown


# Secrets


def test_an_address_is_written_nowhere(outbox, receiver, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    names = ("oncall", "refusing", "dead", "odd")
    channels = {key: row for name in names for key, row in channel(name).items()}
    login = f"user:{PASSWORD}@"
    addresses = {
        "oncall": receiver.address(WEBHOOK, login),
        "refusing": receiver.address(f"500{WEBHOOK}", login),
        "dead": f"json://{login}127.0.0.1:1/{WEBHOOK}",
        "odd": f"slakc://{login}{WEBHOOK}",
    }
    receiver.script[f"500{WEBHOOK}"] = [500]
    for name, address in addresses.items():
        monkeypatch.setenv(f"TOKENTRAIL_CHANNEL_{name.upper()}", address)
    enqueue(outbox, [event(channels=names)], channels)
    delivery = deliver(outbox, deadline_seconds=3, channels=channels)
    assert [row["status"] for row in read_outbox(outbox)] == ["sent", "failed", "failed", "failed"]
    assert "odd: 1 to be tried again. Not sent: the address cannot be understood: docs/operate.md" in str(delivery)
    written = "".join(path.read_text() for path in outbox.data.rglob("*") if path.is_file())
    everything = f"{caplog.text}{capfd.readouterr()}{written}{delivery!r}{read_outbox(outbox)!r}{channels!r}"
    assert WEBHOOK not in everything
    assert PASSWORD not in everything


# Any cut of the log

CHANNELS = (
    channel(cooldown_minutes=30, escalate_after_minutes=30, escalate_to="finance")
    | channel("finance")
    | channel("digest", digest="daily", digest_at="09:00")
)
EVENTS = [
    event(
        number,
        channels=("oncall", "digest"),
        severity=("info", "warning", "critical")[number % 3],
        topic=f"incident/{number % 2}",
        title=f"Title {number % 4}",
        body=f"<{number}>",
    )
    for number in range(6)
]
STEPS = st.one_of(
    st.tuples(st.just("enqueue"), st.integers(0, 5)),
    st.tuples(st.just("deliver"), st.sampled_from([200, 500])),
    st.tuples(st.just("acknowledge"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([1, 45, 60 * 24])),
)


@given(steps=st.lists(STEPS, min_size=4, max_size=14), cut=st.floats(0, 1))
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_cut_of_the_log_nothing_is_lost_and_nothing_sent_is_sent_again(receiver, steps, cut):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name in CHANNELS:
            patch.setenv(f"TOKENTRAIL_CHANNEL_{name.upper()}", receiver.address(name))
        before = replace(from_environment({"TOKENTRAIL_DATA": f"{folder}/before"}), as_of=NOON)
        for verb, what in [("enqueue", 0), *steps]:
            before = walk(before, receiver, verb, what)
        whole = (outbox_folder(before) / "log.jsonl").read_bytes()
        after = replace(from_environment({"TOKENTRAIL_DATA": f"{folder}/after"}), as_of=before.as_of)
        outbox_folder(after).mkdir(parents=True)
        (outbox_folder(after) / "log.jsonl").write_bytes(whole[: int(len(whole) * cut)])
        sent = {said(row) for row in read_outbox(after) if row["status"] == "sent"}
        receiver.arrived.clear()
        receiver.script.clear()
        for _ in range(2):
            enqueue(after, EVENTS, CHANNELS)
            for _ in range(3):
                deliver(after, channels=CHANNELS)
            after = later(after, days=2)
        arrived = Counter(
            (path, message["title"].startswith("escalated"), f"<{number}>")
            for path, _, message in receiver.arrived
            for number in range(6)
            if f"<{number}>" in message["message"]
        )
        assert max(arrived.values(), default=1) == 1
        assert not sent & arrived.keys()
        assert {row["status"] for row in read_outbox(after)} <= {"sent", "suppressed"}
        assert {said(row) for row in read_outbox(after) if row["status"] == "sent"} == sent | arrived.keys()
        assert {(row["event_key"], row["channel"]) for row in read_outbox(after)} >= {
            (each.event_key, name) for each in EVENTS for name in each.channels
        }


def walk(settings: Settings, receiver: Receiver, verb: str, what: int) -> Settings:
    if verb == "wait":
        return later(settings, minutes=what)
    if verb == "enqueue":
        enqueue(settings, EVENTS[: what + 1], CHANNELS)
    elif verb == "deliver":
        receiver.script.update({name: [what] for name in CHANNELS})
        deliver(settings, deadline_seconds=5 if what == 200 else ONE_TRY, channels=CHANNELS)
    elif any(row["topic"] == EVENTS[what].topic for row in read_outbox(settings)):
        acknowledge(settings, EVENTS[what].topic, "kim")
    return settings


def said(row: dict) -> tuple[str, bool, str]:
    return row["channel"], bool(row["escalates"]), row["body"].partition("\n")[0]


def test_what_was_sent_stays_sent_whatever_a_slower_process_writes_later(outbox):
    enqueue(outbox, [event()], ONCALL)
    deliver(outbox, channels=ONCALL)
    about = {"at": NOON.isoformat(), "message_ids": [message_id(event().event_key, "oncall")]}
    with one_writer(outbox_folder(outbox)) as append:
        append([about | {"step": "given_up", "error": "late"}, about | {"step": "of a newer release"}])
    assert statuses(outbox) == ["sent"]


def test_an_attempt_that_was_left_behind_changes_nothing_but_by_success(outbox, receiver, monkeypatch):
    receiver.script["ok"] = [500]
    enqueue(outbox, [event()], ONCALL)
    deliver(outbox, deadline_seconds=ONE_TRY, channels=ONCALL)
    late = json.loads(log(outbox)[-1])
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL")
    deliver(later(outbox, hours=1), channels=ONCALL)
    with one_writer(outbox_folder(outbox)) as append:
        append([late])
    assert statuses(outbox) == ["waiting"]
    with one_writer(outbox_folder(outbox)) as append:
        append([{"at": late["at"], "message_ids": late["message_ids"], "step": "sent", "try": 1}])
    assert statuses(outbox) == ["sent"]


# The file

HEADER, *ROWS = (SHIPPED / "notification_channels.csv").read_text().splitlines()
DAILY = ROWS[2]


def test_the_channels_we_ship_work_without_addresses(outbox, monkeypatch):
    shipped = read_channels(outbox.team)
    assert list(shipped) == ["oncall", "finance", "everyone"]
    for row in shipped.values():
        monkeypatch.delenv(row.address_variable, raising=False)
    enqueue(outbox, [event(channels=tuple(shipped))])
    delivery = deliver(outbox)
    assert delivery.by_status == {"waiting": 3}
    assert len(delivery.problems) == 3


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (DAILY.replace("TOKENTRAIL_CHANNEL_EVERYONE", f"slack://{WEBHOOK}"), "line 3: address_variable: it is not the name of an"),
        (DAILY.replace(",info,", f",json://user:{PASSWORD}@host,"), "min_severity: Input should be 'info', 'warning' or 'critical'."),
        (DAILY.replace(",info,", ",all,"), "line 3: min_severity: Input should be 'info', 'warning' or 'critical' (found 'all')."),
        (DAILY.replace("09:00", ""), "line 3: digest is daily: give digest_at (local HH:MM) with daily and weekly, and only then."),
        (DAILY.replace("09:00", "9 am"), "line 3: digest_at: '9 am' is not a time of day: give HH:MM."),
        (DAILY.replace("daily", "weekly"), "line 3: digest is weekly: give digest_weekday with weekly, and only then."),
        (DAILY.replace("09:00,,UTC", "09:00,,Mars/Olympus"), "line 3: time_zone: 'Mars/Olympus' is not an IANA time zone such as"),
        (DAILY.replace("UTC,0,,,", "UTC,0,30,,"), "line 3: give both of escalate_after_minutes and escalate_to, or neither."),
        (DAILY.replace("UTC,0,,,", "UTC,0,30,everyone,"), "line 3: everyone escalates to itself: name another channel."),
        (DAILY.replace("UTC,0,,,", "UTC,0,30,cfo,"), "escalate_to: 'cfo' is not a channel of this file: write one of oncall, finance, "),
        (DAILY.replace("UTC,0,,,,", "UTC,0,,,2026-11-02,2026-11-02"), "is not after muted_from 2026-11-02: give the first day that"),
        (DAILY.replace("UTC,0,,,,", "UTC,0,,,,2026-11-02"), "line 3: muted_until has no muted_from: give the first muted day."),
        (DAILY.replace("UTC,0", "UTC,-5"), "line 3: cooldown_minutes: Input should be greater than or equal to 0 (found '-5')."),
        (DAILY.replace("everyone,", "finance,"), "lines 2 and 3 are both finance: keep one of them."),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence_that_names_its_line_and_quotes_no_address(tmp_path, row, sentence):
    path = tmp_path / "notification_channels.csv"
    path.write_text("\n".join([HEADER, ROWS[1], row]) + "\n")
    with pytest.raises(TeamFileError) as mistake:
        read_channels(tmp_path)
    assert sentence in str(mistake.value)
    assert WEBHOOK not in str(mistake.value)
    assert PASSWORD not in str(mistake.value)


def test_a_muted_day_is_a_day_of_the_file(tmp_path):
    path = tmp_path / "notification_channels.csv"
    path.write_text("\n".join([HEADER, DAILY.replace("UTC,0,,,,", "UTC,0,,,2026-12-24,2027-01-02")]) + "\n")
    row = read_channels(tmp_path)["everyone"]
    assert (row.muted_from, row.muted_until) == (date(2026, 12, 24), date(2027, 1, 2))


def test_the_addresses_of_the_page_are_understood(monkeypatch):
    section = (PROJECT / "docs" / "operate.md").read_text().partition("## Notifications")[2].partition("\n## ")[0]
    examples = re.findall(r"^(TOKENTRAIL_CHANNEL_\w+)=(.+)$", section, re.MULTILINE)
    assert len(examples) == 4
    for variable, address in examples:
        monkeypatch.setenv(variable, address)
        [service] = open_addresses(channel(address_variable=variable)["oncall"])
        assert service is not None, variable


def test_what_the_page_says_of_deadlines_and_tries_is_so():
    page = (PROJECT / "docs" / "operate.md").read_text()
    assert (DEADLINE_SECONDS, QUICK_TRIES, MAX_TRIES, STALE_AFTER.days) == (20, 3, 30, 7)
    assert (timedelta(minutes=5), timedelta(hours=6)) == (FIRST_WAIT, LONGEST_WAIT)
    for said in (
        "within 20 seconds",
        "up to three times",
        "5 minutes at first and after 6 hours at most",
        "30 tries or a week",
    ):
        assert said in page
