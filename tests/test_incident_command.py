"""`python -m orchestration.commands.incident`: what it writes is what the loader takes, and what cannot be is a sentence."""

import json
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from orchestration.commands.incident import COMMANDS, main
from orchestration.incidents.events import known_events, write
from orchestration.landing import load_new_files
from orchestration.landing.incidents import EVENT_TYPES
from orchestration.team.incidents import CONTAINMENT_MAP
from orchestration.team.rows import read_rows
from tests.pipeline import AS_OF, Pipeline
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

    def command(*arguments: str) -> tuple[int, str]:
        code = main([*arguments])
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
    [(problem_id, start)] = published_calls.ask("select problem_id, coalesce(burst_start, window_start) from alerts")
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
        ("close", "inc-1"),
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
        (("close", "inc-9"), f"No landed file knows the incident 'inc-9' (the latest are: {INCIDENT}). Open it first"),
        (("confirm", INCIDENT, "gremlins"), "Nothing was written: spikeType is gremlins, none of volume, token"),
        (("note", INCIDENT, "x" * 4001), "Nothing was written: note has 4001 characters, more than 4000 (bad_value)."),
        (("close", INCIDENT, "--at", "noon"), "Nothing was written: occurredAt is noon (bad_timestamp)."),
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
