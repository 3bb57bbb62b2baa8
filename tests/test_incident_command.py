"""`python -m orchestration.commands.incident`: what it writes is what the loader takes, and what cannot be is a sentence."""

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import fsspec
import pytest

from orchestration.commands.incident import COMMANDS, PLANS, main
from orchestration.incidents.events import event as incident_event
from orchestration.incidents.events import known_events, write
from orchestration.landing.incident_events import EVENT_TYPES, PLAN_TYPES
from orchestration.landing.load import load_new_files
from orchestration.team.incidents import CONTAINMENT_MAP
from orchestration.team.rows import read_rows
from tests.pipeline import AS_OF, WITHOUT_TESTS, Pipeline
from tests.test_docs import land  # noqa: F401 - its alert is the one that becomes an incident here

INCIDENT = "inc-2026-11-20-unknown-model-acme-internal-7b"


@pytest.fixture
def run(published_calls, tmp_path, monkeypatch, capsys):
    """Runs a command over a landing folder of its own; returns the exit code and what was printed, spaces folded."""
    monkeypatch.setenv("TOKENTRAIL_DATA", str(published_calls.settings.data))
    monkeypatch.setenv("TOKENTRAIL_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("TOKENTRAIL_AS_OF", AS_OF.isoformat())
    monkeypatch.setenv("USER", "kim")
    monkeypatch.setenv("LOGNAME", "kim")

    def command(*arguments: str, answers: list[str] | None = None) -> tuple[int, str]:
        """With `answers` somebody sits at a terminal and writes these; after the last one the input ends."""
        left = iter(answers or [])

        def ask(question: str) -> str:
            print(question)
            answer = next(left, None)
            if answer is None:
                raise EOFError
            return answer

        code = main([*arguments], ask if answers is not None else None)
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    command.landing = tmp_path / "landing"
    return command


@pytest.fixture
def alert(published_calls) -> str:
    [(found,)] = published_calls.ask("select alert_id from alerts")
    return found


def containment(spike_type: str, published_calls: Pipeline) -> str:
    rows = read_rows(published_calls.settings.team, CONTAINMENT_MAP)
    return next(row.containment_action for row in rows if row.spike_type == spike_type)


def landed(run) -> list[dict]:
    return [
        json.loads(path.read_text())
        for path in sorted(run.landing.rglob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    ]


def test_an_alert_becomes_an_incident_that_knows_what_the_alert_says(run, published_calls, alert):
    assert run("open", "--alert", alert, "--title", "The internal model")[0] == 0
    [(problem_id, start)] = published_calls.ask("select problem_id, started_at from alerts")
    assert landed(run) == [
        {
            "incidentId": INCIDENT,
            "type": "opened",
            "occurredAt": "2026-11-23T12:00:00Z",
            "actor": "kim",
            "alertId": alert,
            "problemId": problem_id,
            "environment": "prod",
            "dataMode": "real",
            "spikeType": "unknown_model",
            "startedAt": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "title": "The internal model",
            "model": "acme-internal-7b",
        }
        | {
            name: value
            for name, value in landed(run)[0].items()
            if name in ("endpointTag", "tenantId", "userId", "promptVersion")
        }
    ]
    [path] = [path for path in run.landing.rglob("*") if path.is_file()]
    assert path.parent == run.landing / "incidents" / "dt=2026-11-23"


def test_a_whole_life_is_taken_by_the_loader(run, published_calls, alert):
    life = [
        ("open", "--alert", alert, "--incident", "inc-1", "--by", "lee", "--at", "2026-11-20T11:00:00+01:00"),
        ("owner", "inc-1", "kim"),
        ("channel", "inc-1", "#inc-1"),
        ("confirm", "inc-1", "retry"),
        ("contain", "inc-1", "--note", "at the gateway"),
        ("root-cause", "inc-1", "the provider timed out"),
        ("document", "inc-1", "--endpoint", "chat.reply"),
        ("guardrail", "inc-1", "a retry budget"),
        ("runbook", "inc-1", "--escalation-channel", "#help"),
        ("review", "inc-1"),
        ("note", "inc-1", "we talked to them"),
        ("close", "inc-1", "--reason", "the owner is on leave"),
        ("reopen", "inc-1"),
    ]
    for arguments in life:
        assert run(*arguments)[0] == 0, arguments
    events = landed(run)
    assert {row["type"] for row in events} == set(EVENT_TYPES)
    assert events[0]["occurredAt"] == "2026-11-20T11:00:00+01:00"
    assert events[4]["containmentAction"] == containment("retry", published_calls)
    assert (events[6]["endpointTag"], events[6]["promptVersion"]) == (
        "chat.reply",
        events[0].get("promptVersion", "none"),
    )
    assert (events[8]["owner"], events[8]["escalationChannel"]) == ("team-assistant", "#help")
    assert events[8]["runbookUrl"].startswith("https://")
    settings = replace(published_calls.settings, data=run.landing.parent / "data", landing_address=str(run.landing))
    waiting = known_events(settings)["inc-1"]
    load = load_new_files(settings, "incidents")
    assert (load.rows_loaded, load.rows_rejected) == (len(life), 0)
    assert [row["event_type"] for row in known_events(settings)["inc-1"]] == [row["event_type"] for row in waiting]


def test_containment_is_that_of_the_alert_until_a_type_is_confirmed(run, published_calls, alert):
    run("open", "--alert", alert)
    assert run("contain", INCIDENT)[0] == 0
    assert landed(run)[1]["containmentAction"] == containment("unknown_model", published_calls)
    assert run("contain", INCIDENT, "Switched it off")[0] == 0
    assert landed(run)[2]["containmentAction"] == "Switched it off"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("open", "--alert", "nope"), "marts.alerts has no alert 'nope' (the latest are: "),
        (("close", "xyz"), f"No landed file knows the incident 'xyz' (the latest are: {INCIDENT}). Open it first"),
        (("close", INCIDENT.replace("model", "mode")), f"Did you mean {INCIDENT}?"),
        (("confirm", INCIDENT, "gremlins"), "'gremlins' is not a spike type. Write one of volume, token"),
        (("confirm", INCIDENT, "retrys"), "'retrys' is not a spike type. Did you mean retry?"),
        (("contian", INCIDENT), "'contian' is not a command. Did you mean contain"),
        (("resolve", INCIDENT), "'resolve' is not a command. Did you mean close?"),
        (("guardrail",), f"guardrail needs its text: guardrail {INCIDENT} "),
        (("review", INCIDENT, "all good"), "review takes no text besides the incident: put 'all good' after --note."),
        (
            ("plan", "--endpoint", "chat.replay", "--until", "2026-12-01", "--reason", "launch"),
            "Did you mean chat.reply?",
        ),
        (("plan", "--endpoint", "chat.reply", "--reason", "launch"), "Until when is it planned? Add --until"),
        (("mute", "--endpoint", "chat.reply"), "Why? Add --reason"),
        (("mute", "--reason", "noise"), "every muted event names its scope: problemId, or one of environment"),
        (
            ("mute", "--endpoint", "chat.reply", "--until", "2026-11-23", "--reason", "noise"),
            "untilDate is 2026-11-23, not after fromDate 2026-11-23",
        ),
        (
            ("plan", "--endpoint", "chat.reply", "--until", "Monday", "--reason", "launch"),
            "'Monday' is not a day: write it as 2026-12-08, or today or tomorrow.",
        ),
        (("end",), "Which plan or mute? Not over: none."),
        (("note", INCIDENT, "x" * 4001), "Nothing was written: note has 4001 characters, more than 4000 (bad_value)."),
        (
            ("close", INCIDENT, "--reason", "x", "--at", "noon"),
            "Nothing was written: occurredAt is noon (bad_timestamp).",
        ),
        (
            ("runbook", INCIDENT, "--endpoint", "new"),
            "Nothing was written: owner is missing; every runbook_updated event",
        ),
        (("owner", INCIDENT, " "), "Nothing was written: owner is missing"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_writes_nothing(run, alert, arguments, sentence):
    run("open", "--alert", alert)
    code, printed = run(*arguments)
    assert code == 2
    assert sentence in printed
    assert len(landed(run)) == 1


def test_an_alert_has_one_incident(run, alert):
    run("open", "--alert", alert)
    code, printed = run("open", "--alert", alert, "--incident", "inc-2")
    assert (code, printed) == (2, f"The alert {alert} has the incident {INCIDENT} already: reopen it if it was closed.")


def test_before_the_first_publication_no_alert_is_known(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENTRAIL_DATA", str(tmp_path / "empty"))
    code, printed = run("open", "--alert", "a")
    assert code == 2
    assert "tokentrail.duckdb does not exist, so no alert is known: run the pipeline first (make run)." in printed


def test_an_incident_of_an_object_store_is_found_there(published_calls, tmp_path):
    settings = replace(published_calls.settings, data=tmp_path, landing_address="memory://bucket/landing")
    fields = {
        "incidentId": "inc/ä 1",
        "type": "opened",
        "occurredAt": "2026-11-20T10:00:00Z",
        "actor": "kim",
        "alertId": "a",
        "problemId": "f",
    }
    path = write(settings, fields)
    assert Path(path).name.startswith("120000-inc-ä-1-opened-")
    assert fsspec.filesystem("memory").exists(f"/bucket/landing/{path}")
    assert list(known_events(settings)) == ["inc/ä 1"]
    assert load_new_files(settings, "incidents").rows_loaded == 1
    assert list(known_events(settings)) == ["inc/ä 1"]


def test_every_type_has_its_command():
    assert {kind for kind, *_ in COMMANDS.values()} == set(EVENT_TYPES) - {"opened"}
    assert {kind for kind, _ in PLANS.values()} == set(PLAN_TYPES) - {"plan_ended"}


def test_what_is_left_out_is_the_only_thing_that_can_be_meant(run, alert):
    assert run("open")[0] == 0  # the only alert without an incident
    assert run("contain")[0] == 0  # the only open incident
    assert run("owner", "kim")[0] == 0
    assert run("note", INCIDENT[:14], "called the provider")[0] == 0
    assert run("note", "two words that nobody quoted")[0] == 0
    events = landed(run)
    assert [row["incidentId"] for row in events] == [INCIDENT] * 5
    assert events[0]["alertId"] == alert
    assert [row.get("owner") or row.get("note") for row in events[2:]] == [
        "kim",
        "called the provider",
        "two words that nobody quoted",
    ]


def test_part_of_an_alert_or_of_its_driver_is_the_alert(run, alert):
    assert run("open", alert[:6])[0] == 0
    assert landed(run)[0]["alertId"] == alert
    run.landing.rename(run.landing.with_name("before"))
    assert run("open", "internal-7b")[0] == 0
    assert landed(run)[0]["alertId"] == alert


def test_list_and_show_know_at_once_what_landed(run, alert):
    code, printed = run("list")
    assert (code, "Open incidents: none" in printed, f"Next: open {alert[:8]}" in printed) == (0, True, True)
    run("open")
    assert f"Next: contain {INCIDENT}" in run("list")[1]
    run("contain")
    run("owner", "kim")
    code, printed = run("show")
    assert code == 0
    for words in (
        "contained, opened 2026-11-23 12:00 UTC",
        "owner kim, channel none yet",
        "[x] containment before",
        alert,
    ):
        assert words in printed
    assert f"Next: channel {INCIDENT}" in printed


def test_closing_with_gaps_shows_them_and_asks_for_a_reason(run):
    run("open")
    code, printed = run("close")
    assert code == 2
    assert f"{INCIDENT} still lacks: - spike type confirmed - one owner and one channel" in printed
    assert "weekly review" not in printed  # that is done after it is closed
    assert run("close", answers=[""])[0] == 2
    assert len(landed(run)) == 1
    code, printed = run("close", answers=["the model was a test"])
    assert (code, landed(run)[-1]["reason"]) == (0, "the model was a test")
    assert run("close")[0] == 2  # none is open any more


def test_questions_lead_from_an_alert_to_a_closed_incident(run, published_calls):
    answers = ["1", "", "kim", "#inc", "", "chat.reply", "none", "none", "a test key", "", "kim", "#help", "yes"]
    code, printed = run(answers=answers)
    assert code == 0
    events = landed(run)
    assert [row["type"] for row in events] == [
        *("opened", "containment_applied", "owner_assigned", "channel_set", "spike_type_confirmed", "scope_documented"),
        *("root_cause_found", "guardrail_added", "runbook_updated", "closed"),
    ]
    assert events[1]["containmentAction"] == containment("unknown_model", published_calls)
    assert "closed" in printed


def test_questions_can_be_left_at_any_time_and_what_was_answered_stays(run):
    assert run(answers=["1", "-", "kim"])[0] == 0
    assert [row["type"] for row in landed(run)] == ["opened", "owner_assigned"]


def test_a_form_writes_the_same_event_without_a_command_line(run, published_calls, alert):
    settings = replace(published_calls.settings, landing_address=str(run.landing))
    said = {"alertId": alert, "actor": "kim", "occurredAt": "2026-11-20T11:00:00Z"}
    write(settings, incident_event(settings, "opened", **said))
    write(settings, incident_event(settings, "containment_applied", incidentId=INCIDENT, actor="kim", note=None))
    assert [row["type"] for row in landed(run)] == ["opened", "containment_applied"]
    assert landed(run)[1]["containmentAction"] == containment("unknown_model", published_calls)


def test_a_plan_or_mute_is_recorded_corrected_and_ended(run, published_calls, alert, monkeypatch):
    [(problem_id, onset)] = published_calls.ask("select problem_id, onset_date from alerts")
    assert run("mute", alert[:6], "--reason", "known, fixed on Monday")[0] == 0
    assert "Alerts without an incident: none" in run("list")[1]
    assert (
        run("plan", "--endpoint", "chat.reply", "--from", "today", "--until", "2026-12-01", "--reason", "launch")[0]
        == 0
    )
    muted, planned = landed(run)
    assert (muted["problemId"], muted["fromDate"], muted["actor"]) == (problem_id, str(onset), "kim")
    assert muted["untilDate"] == "2026-11-30"  # a week from today on
    assert planned["planId"] == "plan-2026-11-23-chat-reply"
    assert "plan-2026-11-23-chat-reply planned until 2026-12-01: launch (kim)" in run("list")[1]
    again = ("--id", planned["planId"], "--endpoint", "chat.reply", "--until", "2026-12-08", "--reason", "delayed")
    monkeypatch.setenv("TOKENTRAIL_AS_OF", (AS_OF + timedelta(minutes=1)).isoformat())
    assert run("plan", *again)[0] == 0
    assert "planned until 2026-12-08: delayed" in run("list")[1]
    monkeypatch.setenv("TOKENTRAIL_AS_OF", (AS_OF + timedelta(minutes=2)).isoformat())
    assert run("end", "plan-2026", "--reason", "called off")[0] == 0
    assert "delayed" not in run("list")[1]
    settings = replace(published_calls.settings, data=run.landing.parent / "data", landing_address=str(run.landing))
    load = load_new_files(settings, "incidents")
    assert (load.rows_loaded, load.rows_rejected) == (4, 0)


def test_a_muted_alert_is_there_with_its_mute_and_back_when_it_ends(published_calls, alert, tmp_path):
    """In a copy of the data root, which others read."""
    shutil.copytree(published_calls.settings.data, tmp_path / "data", symlinks=True)
    published = replace(published_calls, settings=replace(published_calls.settings, data=tmp_path / "data"))
    settings = published.settings
    scope = {"environment": "prod", "model": "acme-internal-7b", "fromDate": "2026-11-20", "untilDate": "2026-11-24"}
    plan = incident_event(
        settings, "planned", actor="kim", reason="trial of a model", occurredAt="2026-11-23T09:00:00Z", **scope
    )
    write(settings, plan)
    published.run(*WITHOUT_TESTS, "--select", "+alerts", "+alert_plans", "+rejected_events")
    [(status, plan_id)] = published.ask("select status, plan_id from alerts where alert_id = ?", alert)
    assert (status, plan_id) == ("planned", "plan-2026-11-20-prod-acme-internal-7b")
    columns = "kind, model, from_date, until_date, reason, actor"
    [row] = published.ask(f"select {columns} from alert_plans")
    assert row == ("planned", "acme-internal-7b", date(2026, 11, 20), date(2026, 11, 24), "trial of a model", "kim")
    ended = {"planId": plan["planId"], "actor": "kim", "reason": "over", "untilDate": "2026-11-20"}
    write(settings, incident_event(settings, "plan_ended", occurredAt="2026-11-23T10:00:00Z", **ended))
    published.run(*WITHOUT_TESTS, "--select", "+alerts", "+alert_plans")
    assert published.ask("select status, plan_id from alerts where alert_id = ?", alert) == [("open", None)]
    assert published.ask("select ended_by, end_reason from alert_plans") == [("kim", "over")]
