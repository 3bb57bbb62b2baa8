"""Events of incidents: what a line may say, each refusal as a sentence, and that none of them is taken for usage."""

import json
from dataclasses import replace
from datetime import UTC, date
from datetime import datetime as aware
from pathlib import Path

import duckdb
import pytest

from orchestration.incidents.events import known_events
from orchestration.landing.incident_events import EVENT_TYPES, LONGEST_TEXT, PLAN_TYPES, RAW_COLUMNS, Refused, judged
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows, manifest_rows_sql
from orchestration.landing.waiting import new_files
from orchestration.prices.book import seen_price_keys
from orchestration.settings import PROJECT
from orchestration.team.incidents import SPIKE_TYPES
from tests.pipeline import Pipeline, event

OPENED = {
    "incidentId": "inc-1",
    "type": "opened",
    "occurredAt": "2026-11-20T23:30:00-02:00",
    "actor": "kim",
    "alertId": "a1",
    "problemId": "f1",
    "spikeType": "retry",
    "startedAt": "2026-11-20T09:00:00Z",
    "endpointTag": " agent.act ",
    "title": "",
    "rootCause": "a field of another type",
    "answer": 42,
}


def incident(kind: str, **fields: object) -> dict:
    """An event of a type with everything it must say."""
    values = {"spikeType": "retry", **dict.fromkeys(("alertId", "problemId"), "x")}
    required = {name: values.get(name, f"the {name}") for name in EVENT_TYPES[kind][0]}
    same = {"incidentId": "inc-1", "type": kind, "occurredAt": "2026-11-21T10:00:00Z", "actor": "kim"}
    return same | required | fields


def plan(kind: str = "planned", **fields: object) -> dict:
    """A plan of two days for an endpoint, or with other fields."""
    days = (
        {"fromDate": "2026-11-20", "untilDate": "2026-11-22"} if kind != "plan_ended" else {"untilDate": "2026-11-21"}
    )
    scope = {} if kind == "plan_ended" or "problemId" in fields else {"endpointTag": "chat.reply"}
    same = {"planId": "p-1", "type": kind, "occurredAt": "2026-11-21T10:00:00Z", "actor": "kim", "reason": "launch"}
    return same | days | scope | fields


def land(pipeline: Pipeline, name: str, events: list[dict] | str, day: str = "2026-11-21") -> Path:
    text = events if isinstance(events, str) else "".join(json.dumps(event) + "\n" for event in events)
    path = Path(pipeline.settings.landing) / "incidents" / f"dt={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def rows(pipeline: Pipeline, column: str = "raw_file") -> list[dict]:
    manifests = manifest_rows_sql(pipeline.settings)
    with duckdb.connect() as database:
        files = database.sql(f"select distinct {column} from {manifests} where {column} is not null").fetchall()
        listed = [str(pipeline.settings.raw / file) for (file,) in files]
        found = database.execute("from read_parquet($files) order by content_hash, line_number", {"files": listed})
        return found.to_arrow_table().to_pylist()


def test_a_line_becomes_the_columns_of_the_raw_zone(pipeline):
    land(pipeline, "a.jsonl", [OPENED])
    load = load_new_files(pipeline.settings, "incidents")
    assert (load.rows_loaded, load.rows_rejected, load.event_dates) == (1, 0, [date(2026, 11, 21)])
    [row] = rows(pipeline)
    assert {name: value for name, value in row.items() if value is not None} == {
        "incident_id": "inc-1",
        "event_type": "opened",
        "occurred_at": aware(2026, 11, 21, 1, 30, tzinfo=UTC).replace(tzinfo=None),
        "actor": "kim",
        "alert_id": "a1",
        "fingerprint": "f1",
        "environment": "prod",
        "data_mode": "real",
        "spike_type": "retry",
        "started_at": aware(2026, 11, 20, 9, tzinfo=UTC).replace(tzinfo=None),
        "endpoint_tag": "agent.act",
        "content_hash": row["content_hash"],
        "line_number": 1,
        "load_id": load.load_id,
        "event_date": date(2026, 11, 21),
    }
    assert [*row] == [*RAW_COLUMNS, "event_date"]


def test_senders_of_the_first_release_called_the_problem_a_fingerprint():
    before = {name: value for name, value in OPENED.items() if name != "problemId"} | {"fingerprint": "f1"}
    assert judged(before) == judged(OPENED)
    assert judged(before | {"problemId": "f2"})["fingerprint"] == "f2"


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_type_takes_what_it_requires_and_refuses_less(kind):
    assert judged(incident(kind))["event_type"] == kind
    for name in ("incidentId", "occurredAt", "actor", *EVENT_TYPES[kind][0]):
        with pytest.raises(Refused, match=f"missing_field: {name} is missing"):
            judged(incident(kind, **{name: "  "}))


def test_the_documented_types_are_those_that_are_taken():
    section = (PROJECT / "docs" / "sources.md").read_text().partition("## Incidents")[2]
    table = [line.split("|")[1:4] for line in section.partition("```")[0].splitlines() if line.startswith("| ")][1:]
    documented = {kind: (needed, maybe) for kinds, needed, maybe in table for kind in kinds.strip().split(", ")}
    types = EVENT_TYPES | PLAN_TYPES
    assert documented.keys() == types.keys()
    for kind, (required, optional) in types.items():
        for names, text in zip((required, optional), documented[kind], strict=True):
            assert [name for name in names if name not in text] == []


@pytest.mark.parametrize("kind", PLAN_TYPES)
def test_a_plan_says_what_when_who_and_why(kind):
    row = judged(plan(kind))
    assert (row["plan_id"], row["event_type"], row["incident_id"], row["reason"]) == ("p-1", kind, None, "launch")
    for name in ("planId", "occurredAt", "actor", *PLAN_TYPES[kind][0]):
        with pytest.raises(Refused, match=f"missing_field: {name} is missing"):
            judged(plan(kind, **{name: " "}))


def test_a_plan_is_about_a_problem_or_a_scope_of_prod_and_real_data_unless_it_says_so():
    of_endpoint, of_problem = judged(plan()), judged(plan(problemId="f1"))
    assert (of_endpoint["environment"], of_endpoint["data_mode"], of_endpoint["endpoint_tag"]) == (
        "prod",
        "real",
        "chat.reply",
    )
    assert (of_problem["fingerprint"], of_problem["endpoint_tag"]) == ("f1", None)
    assert judged(plan(endpointTag=None, environment="Staging"))["environment"] == "staging"
    assert judged(plan(untilDate="2027-11-21"))["until_date"] == date(2027, 11, 21)  # 366 days


REFUSALS = [
    ("missing_field", plan(endpointTag=None), "every planned event names its scope: problemId, or one of environment"),
    ("bad_value", plan(problemId="f1", tenantId="acme"), "problemId and tenantId name two scopes: give one of them"),
    ("bad_value", plan(untilDate="2026-11-20"), "untilDate is 2026-11-20, not after fromDate 2026-11-20"),
    ("bad_value", plan(untilDate="2027-11-22"), "2026-11-20 to 2027-11-22 is more than 366 days: write a rule"),
    ("bad_timestamp", plan("muted", fromDate="20 November"), "fromDate is 20 November, no day such as 2026-11-22"),
    ("bad_timestamp", plan(fromDate="2026-11-31"), "fromDate is 2026-11-31, no day such as"),
    ("date_out_of_range", plan(fromDate="2014-12-31"), "fromDate is 2014-12-31"),
    ("missing_field", plan("plan_ended", reason=None), "reason is missing; every plan_ended event has it"),
    ("bad_event_type", incident("closed", type="escalated"), "type is escalated. Write one of the types"),
    ("missing_field", incident("closed", type=None), "type is missing"),
    (
        "missing_field",
        incident("scope_documented", tenantId=""),
        "tenantId is missing; every scope_documented event has",
    ),
    (
        "bad_value",
        incident("spike_type_confirmed", spikeType="gremlins"),
        "spikeType is gremlins, none of volume, token",
    ),
    ("bad_value", incident("opened", dataMode="prod"), "dataMode is prod, none of real, test, demo"),
    ("bad_value", incident("note_added", note="x" * (LONGEST_TEXT + 1)), "note has 4001 characters, more than 4000"),
    ("bad_value", incident("closed", actor=7), "actor is 7, no text"),
    ("bad_value", incident("closed", note="a\0b"), "note has characters that no text has"),
    ("bad_value", incident("runbook_updated", runbookUrl="javascript:alert(1)"), "no http or https address"),
    ("id_too_long", incident("closed", eventId="e" * 257), "eventId has 257 characters"),
    ("bad_timestamp", incident("closed", occurredAt="yesterday"), "occurredAt is yesterday"),
    ("bad_timestamp", incident("closed", occurredAt="2026-02-30T10:00:00Z"), "occurredAt is 2026-02-30"),
    ("bad_timestamp", incident("opened", startedAt="09:00"), "startedAt is 09:00"),
    ("date_out_of_range", incident("closed", occurredAt="2014-12-31T23:59:59Z"), "occurredAt is 2014"),
    ("not_an_object", [1], "no object"),
    ("invalid_json", "{", "it is not JSON"),
    ("invalid_json", "[" * 100_000, "it is nested too deeply"),
]


def test_every_refusal_is_a_sentence_and_costs_one_line(pipeline):
    texts = [line if isinstance(line, str) else json.dumps(line) for _, line, _ in REFUSALS]
    land(pipeline, "a.jsonl", "\n".join([json.dumps(OPENED), *texts, json.dumps(incident("closed"))]) + "\n")
    load = load_new_files(pipeline.settings, "incidents")
    assert (load.rows_loaded, load.rows_rejected) == (2, len(REFUSALS))
    found = sorted(rows(pipeline, "rejects_file"), key=lambda row: row["line_number"])
    for row, (code, _, words) in zip(found, REFUSALS, strict=True):
        where = f"landing/incidents/dt=2026-11-21/a.jsonl line {row['line_number']}: rejected, {code}: "
        assert row["message"].startswith(where), row["message"]
        assert words in row["message"]
        assert (row["source"], row["reason_code"]) == ("incidents", code)
    assert files_with_missing_rows(pipeline.settings, "incidents") == []


def test_the_longest_text_and_the_first_and_last_second_are_taken():
    assert judged(incident("note_added", note="x" * LONGEST_TEXT))["note"]
    assert judged(incident("closed", eventId="e" * 256, occurredAt="2015-01-01t00:00:00z"))["occurred_at"].year == 2015
    assert judged(incident("closed", occurredAt="2101-01-01T00:30:00.5+01:00"))["occurred_at"].year == 2100
    assert [judged(incident("spike_type_confirmed", spikeType=kind))["spike_type"] for kind in SPIKE_TYPES]


def test_what_was_loaded_is_not_loaded_again_and_a_lost_line_is_found(pipeline):
    settings = pipeline.settings
    land(pipeline, "a.jsonl", [OPENED])
    land(pipeline, "again.jsonl", [OPENED])
    assert load_new_files(settings, "incidents").rows_loaded == 1
    assert load_new_files(settings, "incidents").load_id is None
    assert new_files(settings, "incidents") == []
    for number in range(12):
        land(pipeline, f"{number}.jsonl", [incident("note_added", note=f"note {number}")])
        load_new_files(settings, "incidents")
    assert len(rows(pipeline)) == 13
    assert files_with_missing_rows(settings, "incidents") == []
    with duckdb.connect() as database:
        [(merged, count)] = database.execute(
            f"select raw_file, sum(rows_loaded) from {manifest_rows_sql(settings)} where rows_loaded > 0 group by all "
            "having count(*) > 1"
        ).fetchall()
        path = settings.raw / merged
        database.execute(
            f"create table kept as from read_parquet('{path}', hive_partitioning = false) limit {count - 1}"
        )
        database.execute(f"copy kept to '{path}' (format parquet)")
    assert len(files_with_missing_rows(settings, "incidents")) == 1
    assert files_with_missing_rows(settings) == []


NOTE = json.dumps(incident("note_added"))
ODD_LINES = {
    "half of a pair": rb'"\ud83d is half"',
    "a pair": rb'"\ud83d\ude00"',
    "no UTF-8": b'"caf\xe9"',
    "half of a pair, written": b'"\xed\xa0\xbd"',
    "a number": b"1" * 5_000,
    "a number in a field of no type": b'"x", "count": ' + b"1" * 5_000,
    "a fraction in a field of no type": b'"x", "count": 0.' + b"1" * 5_000,
    "deep": b'"x", "cause": ' + b"[" * 101 + b"]" * 101,
    "not too deep": b'"x", "cause": ' + b"[" * 99 + b"]" * 99,
    "deep in a text": b'"x", "cause": "' + b"[" * 150 + b"]" * 150 + b'"',
    "endless": b'"x", "cause": ' + b"[" * 100_000,
    "too long": b'"x", "cause": "' + b"y" * 100_000 + b'"',
    "control characters": b'"a\tb\x00c"',
    "a break between fields": b'"x",\r "cause": 1',
    "two objects": b'"x"} {"note": "y"',
}
AROUND = {
    "windows.jsonl": (b"", b"\r\n", b"\r\n"),
    "byte_order_mark.ndjson": (b"\xef\xbb\xbf", b"\n", b""),
    "blank_lines.JSONL": (b"\n \t\n\xef\xbb\xbf\n", b"\n\n\v\f\r\n", b"\n\n"),
}


@pytest.mark.parametrize("odd", ODD_LINES)
def test_an_event_that_waits_is_what_will_be_loaded(pipeline, odd):
    settings = replace(pipeline.settings, max_line_bytes=90_000)
    for name, (first, between, last) in AROUND.items():
        notes = (b'"before"', ODD_LINES[odd], b'"after"', b'"last"')
        lines = [NOTE.replace('"the note"', "%").encode().replace(b"%", note) for note in notes]
        land(pipeline, name, "").write_bytes(first + between.join(lines) + last)
    waiting = known_events(settings)["inc-1"]
    assert [row["note"] for row in waiting].count("after") == len(AROUND)
    load_new_files(settings, "incidents")
    assert new_files(settings, "incidents") == []
    loaded = [{name: row[name] for name in RAW_COLUMNS} for row in known_events(settings)["inc-1"]]
    of_load = dict.fromkeys(("content_hash", "line_number", "load_id"))
    assert sorted(map(str, waiting)) == sorted(str(row | of_load) for row in loaded)


def test_ids_are_those_of_the_marts_and_not_hashed_again(pipeline):
    secret = Pipeline(replace(pipeline.settings, id_secret="pepper"))
    land(secret, "a.jsonl", [incident("scope_documented", tenantId="acme")])
    load_new_files(secret.settings, "incidents")
    assert rows(secret)[0]["tenant_id"] == "acme"


def test_incidents_have_no_price_to_look_for(pipeline):
    """That no figure comes of them either is in test_rebuild.py."""
    pipeline.land("usage.jsonl", [event("r-1")])
    load_new_files(pipeline.settings)
    land(pipeline, "a.jsonl", [OPENED, incident("closed")])
    load_new_files(pipeline.settings, "incidents")
    assert len(seen_price_keys(pipeline.settings)) == 1


def test_before_the_first_incident_the_model_is_empty(pipeline):
    pipeline.land("usage.jsonl", [event("r-1")])
    pipeline.build("--select", "stg_incident_events int_arrivals stg_loads")
    assert pipeline.inside("select count(*) from staging.stg_incident_events") == [(0,)]
