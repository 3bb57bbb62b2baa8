"""What is announced about budgets: once, and a correction when the past changes, with its cause."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from benchmarks.budgets.world import Spend, World, budget, world_at
from orchestration.budgets.announcements import (
    Announced,
    _event,
    announce,
    announcements_folder,
    read_announcements,
    why_nothing_is_announced,
)
from orchestration.ledger import log_file
from orchestration.notifications import read_outbox
from orchestration.settings import Settings
from tests.parsed import lend

# Each step adds to what is known, and names what it must make the ledger say: kind, budget, new state, cause of a correction.
STEPS = {
    "2026-11-10T12:00:00": {
        ("watched", "late", None, None),
        ("watched", "old", None, None),
        ("watched", "refunded", None, None),
        ("watched", "nightly", None, None),
        ("closed", "old", None, None),
        ("news", "old", "exceeded", None),
        ("news", "old", "ok", None),
        ("news", "late", "warning", None),
        ("news", "refunded", "exceeded", None),
        ("news", "nightly", "spend_alert", None),
        ("news", "nightly", "exceeded", None),
    },
    "2026-11-10T13:00:00": {("moved", "late", "warning", "late_data"), ("news", "late", "exceeded", None)},
    "2026-11-10T14:00:00": {("withdrawn", "refunded", "exceeded", "repricing")},
    "2026-11-10T15:00:00": {
        ("withdrawn", "late", "exceeded", "limit_change"),
        ("withdrawn", "late", "warning", "limit_change"),
        ("moved", "old", "exceeded", "late_data"),
        ("news", "refunded", "exceeded", None),  # as it had been announced, and withdrawn
    },
}

LATE_FILE = "events/dt=2026-11-10/late.jsonl"
UNVALUED = Spend("2026-11-10T09:00:00", None, tokens=10, is_valued=False)


def at(world: World, as_of: str) -> Settings:
    return replace(world.settings, as_of=datetime.fromisoformat(as_of).replace(tzinfo=UTC))


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> tuple[World, dict[str, tuple[Counter, list[dict], list[dict]]]]:
    """A month in which things become known late; by step: what was counted, the new lines, and the outbox."""
    world = world_at(tmp_path_factory.mktemp("announced") / "data")
    lend(world.settings)
    world.spend = {
        "old": [Spend("2026-09-10T10:00:00", 20), Spend("2026-11-10T10:00:00", 1)],
        "late": [Spend("2026-11-09T10:00:00", 5), Spend("2026-11-10T11:20:00", 4)],
        "refunded": [Spend("2026-11-10T09:00:00", 11), UNVALUED],
    }
    named = {"valid_from": "2026-11-01", "channel": "finance"}
    world.budgets = [budget(name, "month", 10, **named) for name in world.spend]
    world.budgets[0]["valid_from"] = "2026-09-01"
    nights = [datetime(2026, 10, 10, 2) + timedelta(days=number) for number in range(32)]  # noqa: DTZ001
    world.spend["nightly"] = [Spend(night.isoformat(), 3) for night in nights]
    alerting = {"channel": "finance", "valid_from": "2026-11-10", "is_spend_alert_on": "true"}
    world.budgets.append(budget("nightly", "day", 2, **alerting))
    seen = {}

    def step(as_of: str, *arguments: str) -> None:
        world.build(as_of, *arguments)
        before = len(read_announcements(world.settings))
        counted = announce(at(world, as_of))
        seen[as_of] = counted, read_announcements(world.settings)[before:], read_outbox(world.settings)

    first, late, repriced, changed = STEPS
    step(first)
    world.spend["late"].insert(1, Spend("2026-11-09T20:00:00", 3, file=LATE_FILE))
    step(late)
    world.spend["refunded"] = [Spend("2026-11-10T09:00:00", 7, price="prices/acme.yml, entry 1"), UNVALUED]
    step(repriced)
    world.budgets[1] = budget("late", "month", 20, **named)
    world.spend["old"].insert(0, Spend("2026-09-02T08:00:00", 11))
    world.spend["refunded"] = [Spend("2026-11-10T09:00:00", 11), UNVALUED]
    step(changed)
    return world, seen


@pytest.mark.parametrize("as_of", STEPS)
def test_the_ledger_says_what_became_known(story, as_of):
    _, seen = story
    lines = seen[as_of][1]
    announced = {
        (line["kind"], line["budget_id"], line.get("to_state"), line.get("correction_cause")) for line in lines
    }
    assert announced == STEPS[as_of]
    assert {line["known_at"] for line in lines} == {as_of + "+00:00"}


def test_what_was_long_over_at_the_first_run_wakes_nobody(story):
    _, seen = story
    first = next(iter(STEPS))
    assert {line["budget_id"] for line in seen[first][1] if line.get("is_silent")} == {"old"}
    titles = [message["title"] for message in seen[first][2]]
    assert sorted(titles) == [
        "Budget late: warning, $9.00 of $10.00",
        "Budget nightly: exceeded, $3.00 of $2.00",
        "Budget nightly: spend_alert, $0.00 of $2.00",
        "Budget refunded: exceeded, $11.00 of $10.00",
    ]


def test_what_is_usually_too_much_is_said_before_anything_is_spent(story):
    _, seen = story
    (message,) = (each for each in seen[next(iter(STEPS))][2] if "nightly: spend_alert" in each["title"])
    assert "On course for $3.00.\nNothing is spent yet: a usual day costs more than the limit." in message["body"]


@pytest.mark.parametrize(("state", "names_drivers"), [("warning", True), ("ok", False)])
def test_what_the_money_went_to_is_said_while_there_is_something_to_do(story, state, names_drivers):
    _, seen = story
    line = next(each for each in seen[next(iter(STEPS))][1] if each.get("to_state") == "warning")
    of_period = {
        **dict.fromkeys(("driver_2", "driver_3", "runbook_url", "drill_url", "channel", "escalation_channel")),
        "period": "month",
        "driver_1": "endpoint chat: $9.00, usually $1.00",
        "unpriced_attempts": 0,
    }
    facts = SimpleNamespace(status={(line["budget_id"], line["period_start"]): of_period})
    assert ("- endpoint chat: $9.00, usually $1.00" in _event(line | {"to_state": state}, facts).body) == names_drivers


def test_a_message_says_what_is_not_in_the_amount(story):
    _, seen = story
    (message,) = (each for each in seen[next(iter(STEPS))][2] if each["title"].startswith("Budget refunded"))
    assert "Not in it: 1 call without a price, 1 of them without even an estimate." in message["body"]


def test_a_correction_says_what_was_announced_and_why_it_is_wrong(story):
    _, seen = story
    by_key = {message["event_key"]: message for message in seen["2026-11-10T14:00:00"][2]}
    moved, withdrawn = (
        by_key[f"budget/{next(line for line in seen[step][1] if line['kind'] == kind)['announcement_id']}"]
        for step, kind in (("2026-11-10T13:00:00", "moved"), ("2026-11-10T14:00:00", "withdrawn"))
    )
    assert (moved["kind"], moved["title"]) == ("correction", "Budget late, correction: ok -> warning moved")
    assert (
        "It had been announced for 2026-11-10 11:15 (UTC): usage arrived late (events/dt=2026-11-10/late.jsonl)."
        in moved["body"]
    )
    assert "ok -> warning at 2026-11-09 20:00 (UTC), by spend." in moved["body"]
    because = "calls were priced anew (prices/acme.yml, entry 1, approved by cfo)"
    assert f"It had been announced, and no longer holds: {because}." in withdrawn["body"]


def test_the_ledger_adds_up_to_what_the_facts_say(story):
    world, _ = story
    announced = {}
    for line in read_announcements(world.settings):
        if line["kind"] in {"news", "added", "moved", "withdrawn"}:
            announced[line["budget_id"], line["period_start"], line["to_state"], line["occurrence"]] = line
    held = {(*key[:3], line["changed_at"]) for key, line in announced.items() if line["kind"] != "withdrawn"}
    facts = world.ask(
        "select budget_id, period_start::varchar, to_state, strftime(changed_at, '%Y-%m-%dT%H:%M:%S') from budget_transitions"
    )
    assert held == set(facts)


def test_what_holds_again_after_it_was_withdrawn_is_announced_again(story):
    world, seen = story
    ids = [line["announcement_id"] for line in read_announcements(world.settings) if "announcement_id" in line]
    assert len(set(ids)) == len(ids)
    (again,) = (line for line in seen["2026-11-10T15:00:00"][1] if line["kind"] == "news")
    assert f"budget/{again['announcement_id']}" in {message["event_key"] for message in seen["2026-11-10T15:00:00"][2]}
    world.build("2026-11-10T16:00:00")  # the mart over the ledger passes its tests


def test_a_line_that_cannot_be_read_stops_nobody(story):
    world, _ = story
    announced = Announced()
    for line in read_announcements(world.settings):
        if line["kind"] != "news":
            announced.apply(line)
    assert {line["kind"] for line in announced.changes.values()} == {"moved"}


def test_saying_it_again_says_nothing_and_a_kill_before_the_outbox_loses_nothing(story):
    world, seen = story
    last = list(STEPS)[-1]
    settings, lines = at(world, last), len(read_announcements(world.settings))
    for _ in range(10):
        assert set(announce(settings)) <= {"known"}
    assert (len(read_announcements(settings)), len(read_outbox(settings))) == (lines, len(seen[last][2]))
    log = settings.ledger / "outbox" / "log.jsonl"
    written = log.read_bytes()
    log.write_bytes(b"")  # as if the run had been killed after the ledger and before the outbox
    announce(settings)
    announced_lately = {message["event_key"] for message in seen[last][2]}
    assert {message["event_key"] for message in read_outbox(settings)} == announced_lately
    log.write_bytes(written)


def test_money_is_kept_in_all_its_digits(story):
    world, _ = story
    spent = [line["spent_usd"] for line in read_announcements(world.settings) if line["kind"] == "news"]
    assert all(isinstance(text, str) and Decimal(text).as_tuple().exponent == -12 for text in spent)


def test_a_torn_line_was_never_written(story):
    world, _ = story
    lines = read_announcements(world.settings)
    file = log_file(announcements_folder(world.settings))
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"kind": "news", "budget')
    assert read_announcements(world.settings) == lines
    file.write_bytes(whole)


def test_a_run_as_of_an_earlier_instant_corrects_nothing_and_sends_nothing(story):
    """At 12:30 the late call and the new limit are not to be seen yet: not that they no longer hold."""
    world, _ = story
    last = list(STEPS)[-1]
    lines, messages = read_announcements(world.settings), read_outbox(world.settings)
    world.build("2026-11-10T12:30:00", "--full-refresh")
    earlier = at(world, "2026-11-10T12:30:00")
    assert announce(earlier) == Counter()
    assert (
        "reports as of 2026-11-10 12:30:00 UTC, and budget_announcements in the ledger already has reports as of 2026-11-10 15:00:00"
        in (why_nothing_is_announced(earlier))
    )
    assert (read_announcements(world.settings), read_outbox(world.settings)) == (lines, messages)
    world.build(last, "--full-refresh")
    assert why_nothing_is_announced(at(world, last)) is None
    assert set(announce(at(world, last))) <= {"known"}
    assert read_announcements(world.settings) == lines


def test_a_run_that_had_nothing_to_announce_counts_as_the_latest_all_the_same(story):
    world, _ = story
    quiet = at(world, "2026-11-10T15:10:00")
    assert set(announce(quiet)) <= {"known"}
    between = at(world, "2026-11-10T15:05:00")
    assert announce(between) == Counter()
    assert why_nothing_is_announced(between)
    assert why_nothing_is_announced(quiet) is None


# what becomes known, and its cause: each moves a change of the same budget, whose spend alert knows what is usual
CORRECTED = {
    "late-past": ("late_past", "events/dt=2026-11-10/past.jsonl"),
    "counts": ("corrected_usage", "events/dt=2026-11-10/again.jsonl"),
    "carried": ("carry_over", None),
    "booked": ("adjustment", "budget_adjustments.csv, cfo: credit"),
    "owner": ("limit_change", "budgets.csv, finance: test"),
}


def test_a_correction_names_its_true_cause_and_what_is_behind_it(tmp_path):
    """Usage of weeks before that moves what is usual, corrected counts, a period before that left less: no price, no limit, no rule."""
    world = world_at(tmp_path / "data")
    lend(world.settings)
    first, again, past = (f"events/dt=2026-11-{name}.jsonl" for name in ("09/first", "10/again", "10/past"))
    days = [f"2026-10-{day:02}" for day in range(4, 32)]
    world.spend = {
        "late-past": [Spend(f"{day}T10:00:00", 2) for day in days]
        + [Spend(f"2026-11-0{day}T10:00:00", 4, tokens=9, file=first) for day in range(1, 10)],
        "counts": [Spend("2026-11-09T10:00:00", 9, tokens=9, file=first)],
        "carried": [Spend("2026-10-09T10:00:00", 8), Spend("2026-11-09T10:00:00", 9)],
        "booked": [Spend("2026-11-09T10:00:00", 9)],
        "owner": [Spend("2026-11-09T10:00:00", 9)],
    }
    named = {"valid_from": "2026-11-01", "channel": "finance"}
    world.budgets = [budget(name, "month", 10, **named) for name in world.spend]
    world.budgets[0] |= {"limit_usd": "70", "is_spend_alert_on": "true"}
    world.budgets[2] |= {"valid_from": "2026-10-01", "carry_over": "unused"}
    world.build("2026-11-10T12:00:00")
    announce(at(world, "2026-11-10T12:00:00"))
    before = len(read_announcements(world.settings))
    assert {
        line["budget_id"] for line in read_announcements(world.settings) if line["kind"] == "news"
    } >= CORRECTED.keys()
    world.spend["late-past"] += [Spend(f"{day}T10:00:00", 60, file=past) for day in days]
    world.spend["counts"] = [Spend("2026-11-09T10:00:00", 5, tokens=5, file=again)]
    world.spend["carried"][0] = Spend("2026-10-09T10:00:00", 1)
    world.budgets[4] |= {"limit_usd": "20"}
    world.adjustments = [
        {
            "budget_id": "booked",
            "effective_at": "2026-11-08",
            "amount_usd": "-5",
            "reason": "credit",
            "approved_by": "cfo",
        }
    ]
    world.build("2026-11-10T13:00:00")
    announce(at(world, "2026-11-10T13:00:00"))
    corrections = [line for line in read_announcements(world.settings)[before:] if line.get("correction_cause")]
    assert {
        line["budget_id"]: (line["correction_cause"], line["correction_detail"]) for line in corrections
    } == CORRECTED
