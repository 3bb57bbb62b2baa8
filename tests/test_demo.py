"""The simulator: the same arguments give the same bytes, days stand alone, the truth is what a naive recount finds."""

import gzip
import hashlib
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from demo import incidents
from demo.__main__ import main
from demo.delivery import BREAKAGES, day_deliveries
from demo.incidents import RECURS, REGRESSES, SPIKE_TYPES, earlier, occurrences, plan
from demo.oncall import KNOWN, lives
from demo.problems import problem_id, problem_of
from demo.traffic import PARTS, day_attempts
from demo.world import DEMO_END, ENDPOINTS, SEASON_START, UNKNOWN_MODELS, build_world, live_version

LAST_DAYS = ["--until", "2026-11-22", "--days", "6", "--requests-per-day", "400"]


def run(data: Path, *arguments: str) -> dict:
    assert main(["--data", str(data), *arguments]) == 0
    return json.loads((data / "demo_truth.json").read_text())


def hashes(data: Path) -> dict[str, str]:
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(data.rglob("*"))
        if path.is_file()
    }


def lines_of(data: Path, file: str) -> list[str]:
    content = (data / "landing" / file).read_bytes()
    return (gzip.decompress(content) if file.endswith(".gz") else content).decode().splitlines()


def events_of(data: Path, truth: dict) -> list[dict]:
    """Every good line of the files that are not copies, as the file holds it, with its arrival date."""
    broken = {(row["file"], row["line_number"]) for row in truth["broken"]}
    return [
        json.loads(line) | {"arrival": file["arrival_date"]}
        for file in truth["files"]
        if file["copy_of"] is None
        for number, line in enumerate(lines_of(data, file["file"]), 1)
        if (file["file"], number) not in broken
    ]


def instant(event: dict) -> datetime:
    return datetime.fromisoformat(event.get("occurredAt") or event["createdAt"]).astimezone(UTC)


def setting(event: dict) -> tuple[str, str]:
    return event.get("environment", "prod").lower(), event.get("dataMode", "real")


def identity(event: dict) -> tuple:
    """In these files only a request tried once leaves out which attempt it is."""
    return event["externalRequestId"], event.get("attempt", 1)


def inclusive_input(event: dict) -> int:
    cached = event.get("cacheReadTokens", 0) + event.get("cacheWriteTokens", 0)
    return event.get("inputTokens", 0) + (cached if event.get("tokenConvention") == "exclusive" else 0)


@pytest.fixture(scope="module")
def world_of_days(tmp_path_factory):
    data = tmp_path_factory.mktemp("demo")
    return data, run(data, *LAST_DAYS)


@pytest.fixture(scope="module")
def events(world_of_days):
    return events_of(*world_of_days)


def test_the_same_arguments_give_the_same_bytes(world_of_days, tmp_path):
    run(tmp_path, *LAST_DAYS)
    assert hashes(tmp_path) == hashes(world_of_days[0])


def test_another_seed_is_another_world(world_of_days, tmp_path):
    run(tmp_path, *LAST_DAYS, "--days", "1", "--seed", "8")
    assert not set(hashes(tmp_path).values()) & set(hashes(world_of_days[0]).values())


def test_one_more_day_leaves_the_days_before_it_alone_and_equals_one_long_run(world_of_days, tmp_path):
    """The truth file too: it is a sum over arrival days."""
    run(tmp_path, "--from", "2026-11-17", "--until", "2026-11-20", "--requests-per-day", "400")
    before = hashes(tmp_path / "landing")
    run(tmp_path, "--from", "2026-11-21", "--until", "2026-11-21", "--requests-per-day", "400")
    run(tmp_path, "--from", "2026-11-22", "--until", "2026-11-22", "--requests-per-day", "400")
    assert before.items() <= hashes(tmp_path / "landing").items()
    assert hashes(tmp_path) == hashes(world_of_days[0])


def test_writing_a_day_again_changes_nothing(world_of_days):
    data, truth = world_of_days
    before = hashes(data)
    assert run(data, "--from", "2026-11-18", "--until", "2026-11-18", "--requests-per-day", "400") == truth
    assert hashes(data) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*LAST_DAYS, "--seed", "8"], "seed 7, not 8"),
        (["--from", "2026-11-24", "--until", "2026-11-24", "--requests-per-day", "400"], "would leave a gap"),
        (["--from", "2026-11-23"], "is after --until 2026-11-22"),
    ],
)
def test_what_does_not_fit_the_folder_is_refused_in_a_sentence(world_of_days, capsys, arguments, sentence):
    assert main(["--data", str(world_of_days[0]), *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_every_line_is_valid_json_but_the_labelled_ones(world_of_days):
    data, truth = world_of_days
    assert truth["broken"]
    for file in truth["files"]:
        lines = lines_of(data, file["file"])
        assert len(lines) == file["events"] + file["broken_lines"]
        invalid = {
            row["line_number"]
            for row in truth["broken"]
            if (row["file"], row["reason_code"]) == (file["file"], "invalid_json")
        }
        for number, line in enumerate(lines, 1):
            if number in invalid:
                with pytest.raises(json.JSONDecodeError):
                    json.loads(line)
            else:
                json.loads(line)


def test_absent_fields_are_left_out(events):
    assert all(value is not None for event in events for value in event.values())
    assert any("outputTokens" not in event and event["status"] == "success" for event in events)


def test_the_truth_is_what_a_naive_recount_finds(events, world_of_days):
    _, truth = world_of_days
    best, first, dates = {}, {}, {}
    for event in events:
        key = (*setting(event), *identity(event))
        rank = (event.get("inputTokens") is not None, event.get("usageSource") != "estimate", event["arrival"])
        best[key] = max(best.get(key, (rank, event)), (rank, event), key=lambda pair: pair[0])
        first.setdefault(key, event)
        dates[key] = instant(event).date().isoformat()
    recount = Counter()
    for key, (_, event) in best.items():
        cell = (dates[key], *setting(event))
        recount[*cell, "attempts"] += 1
        recount[*cell, "errors"] += event["status"] == "error"
        recount[*cell, "requests"] += event.get("attempt", 1) == 1
        recount[*cell, "input_tokens"] += inclusive_input(event)
        recount[*cell, "output_tokens"] += event.get("outputTokens", 0)
    for event in events:
        recount[instant(event).date().isoformat(), *setting(event), "deliveries"] += 1
    names = ("requests", "attempts", "errors", "deliveries", "input_tokens", "output_tokens")
    reported = {
        (row["event_date"], row["environment"], row["data_mode"], name): row[name]
        for row in truth["by_day"]
        for name in names
    }
    assert reported == {key: recount[key] for key in reported}
    assert sum(recount.values()) == sum(reported.values())
    totals = truth["totals"]
    assert totals["requests"] == len({(*setting(event), event["externalRequestId"]) for event in events})
    assert totals["duplicate_deliveries"] == len(events) - len(best)
    assert totals["lines"] == sum(file["events"] + file["broken_lines"] for file in truth["files"])
    assert totals["broken_by_reason"] == dict(sorted(Counter(row["reason_code"] for row in truth["broken"]).items()))


def test_provider_request_ids_name_one_attempt(events):
    attempts = {}
    for event in events:
        if "providerRequestId" in event:
            attempts.setdefault(event["providerRequestId"], set()).add(identity(event))
    assert all(len(pairs) == 1 for pairs in attempts.values())


def test_parts_stay_within_their_totals():
    world = build_world(7, 20_000)
    rows = day_deliveries(world, date(2026, 11, 3))
    part = {column: np.maximum(rows[column].to_numpy(), 0) for column in PARTS}
    total = {column: np.maximum(rows[column].to_numpy(), 0) for column in ("input", "output")}
    assert (part["cache_read"] + part["cache_write"] <= total["input"]).all()
    assert (part["cache_write_1h"] <= part["cache_write"]).all()
    assert (part["reasoning"] <= total["output"]).all()
    assert (total["input"] > 0).sum() > 20_000


def test_every_season_has_each_spike_type_once_in_its_last_three_weeks():
    for seed in (1, 7, 99):
        found = plan(build_world(seed, 5_000), 0)
        assert sorted(incident.kind for incident in found) == sorted(SPIKE_TYPES)
        assert len({incident.endpoint for incident in found}) == len(SPIKE_TYPES)
        assert all(DEMO_END - timedelta(days=21) < incident.start.date() <= DEMO_END for incident in found)
        assert max(incident.end for incident in found).date() == DEMO_END + timedelta(days=1)


SEASON = ["--until", "2026-11-22", "--days", "60", "--requests-per-day", "100"]


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    data = tmp_path_factory.mktemp("season")
    return data, run(data, *SEASON)


def oncall_events(data: Path) -> list[dict]:
    """Every incident event in order of landing, with its arrival date and file."""
    return [
        json.loads(line) | {"arrival": path.parent.name.removeprefix("dt="), "file": str(path.relative_to(data))}
        for path in sorted((data / "landing" / "incidents").rglob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def test_two_problems_of_a_season_happened_before_in_another_week():
    for seed in (1, 7, 99):
        world = build_world(seed, 5_000)
        for number in (0, 1, 2):
            there = occurrences(world, number)
            marks = Counter(problem_id(problem_of(world, incident)) for incident in there)
            assert sorted(marks.values()) == [1] * 6 + [2] * 2
            for first in earlier(world, number):
                again = next(incident for incident in plan(world, number) if incident.kind == first.kind)
                assert first.end + timedelta(days=4) <= again.start
                assert first.start.isocalendar()[:2] != again.start.isocalendar()[:2]


@pytest.mark.parametrize("day", [incident.start.date() for incident in plan(build_world(7, 5_000), 0)])
def test_what_happened_before_leaves_the_traffic_of_the_others_alone(monkeypatch, day):
    with_both = day_deliveries(build_world(7, 400), day)
    monkeypatch.setattr(incidents, "earlier", lambda *_: ())
    pd.testing.assert_frame_equal(with_both, day_deliveries(build_world(7, 400), day))


def test_what_happened_before_is_in_the_traffic(monkeypatch):
    days = [incident.start.date() for incident in earlier(build_world(7, 400), 0)]
    hit = [int((day_attempts(build_world(7, 400), day)["incident"] >= len(SPIKE_TYPES)).sum()) for day in days]
    monkeypatch.setattr(incidents, "earlier", lambda *_: ())
    assert min(hit) > 0
    assert [(day_attempts(build_world(7, 400), day)["incident"] >= 0).any() for day in days] == [False] * 2


def test_the_weeks_of_the_truth_add_up_to_its_incidents(season):
    _, truth = season
    for incident in truth["incidents"]:
        days = [row for row in truth["incident_days"] if row["incident"] == incident["incident"]]
        assert sum(week["days"] for week in incident["weeks"]) == len(days)
        assert sum(week["extra_cost_usd"] for week in incident["weeks"]) == pytest.approx(incident["extra_cost_usd"])
        assert [week["occurrences"] for week in incident["weeks"]] == [1] + [0] * (len(incident["weeks"]) - 1)
        week = date.fromisoformat(incident["weeks"][0]["week_start"])
        assert week.weekday() == 0
        assert week <= date.fromisoformat(incident["onset_date"]) < week + timedelta(days=7)
        assert incident["problem_id"] == md5_of(*incident["problem"].values())
    for name in ("occurrences", "days", "extra_cost_usd"):
        by_incident = sum(week[name] for incident in truth["incidents"] for week in incident["weeks"])
        assert sum(row[name] for row in truth["recurrence"]) == pytest.approx(by_incident)


def md5_of(*parts: str) -> str:
    """As dbt_project/macros/alert_rows.sql names alerts and problems."""
    return duckdb.execute(
        "select left(md5(concat_ws('|', " + ", ".join("?" * len(parts)) + ")), 16)", parts
    ).fetchone()[0]


def test_one_problem_recurs_one_regresses_and_the_others_are_new(season):
    _, truth = season
    names = {incident["incident"]: incident for incident in truth["incidents"]}
    repeats = {row["spike_type"]: row for row in names.values() if row["repeats"]}
    assert set(repeats) == {RECURS, REGRESSES}
    assert all(row["problem_id"] == names[row["repeats"]]["problem_id"] for row in repeats.values())
    kinds = {incident["problem_id"]: incident["spike_type"] for incident in names.values()}
    reported = {
        kind: [row["status"] for row in truth["recurrence"] if kinds[row["problem_id"]] == kind] for kind in SPIKE_TYPES
    }
    assert reported == {
        "abuse": ["new", "quiet", "quiet", "recurring", "quiet", "quiet"],
        "price_mix": ["new", "resolved", "resolved", "regressed", "quiet", "quiet"],
        "token": ["new", "quiet", "quiet"],
        "volume": ["new", "quiet"],
        "retry": ["new", "quiet"],
        "unknown_model": ["new", "new"],  # from Sunday to Monday: it goes on
        "concentration": ["new"],
        "deploy": ["new"],
    }


def test_a_world_that_opens_after_the_first_time_knows_nothing_of_it(tmp_path):
    truth = run(tmp_path, *SEASON, "--days", "21")
    assert {row["repeats"] for row in truth["incidents"]} == {None}
    assert {row["status"] for row in truth["recurrence"]} == {"new", "quiet"}
    opened = {event["incidentId"] for event in oncall_events(tmp_path) if event["type"] == "opened"}
    assert {event["incidentId"] for event in oncall_events(tmp_path)} == opened


def test_incident_events_are_the_same_however_their_days_were_written(season, tmp_path):
    run(tmp_path, "--from", "2026-09-24", "--until", "2026-11-13", "--requests-per-day", "100")
    run(tmp_path, "--from", "2026-11-14", "--until", "2026-11-22", "--requests-per-day", "100")
    run(tmp_path, "--from", "2026-11-13", "--until", "2026-11-16", "--requests-per-day", "100")
    assert hashes(tmp_path) == hashes(season[0])


def test_incident_events_name_the_alerts_and_problems_of_the_truth(season):
    data, truth = season
    of_alert = {
        md5_of(
            *(row["problem"][name] for name in ("environment", "data_mode", "spike_type", "anchor")), row["onset_date"]
        ): row
        for row in truth["incidents"]
    }
    opened = [event for event in oncall_events(data) if event["type"] == "opened"]
    assert len(opened) == 4
    for event in opened:
        row = of_alert[event["alertId"]]
        assert (event["problemId"], event["spikeType"]) == (row["problem_id"], row["spike_type"])
        assert row["onset_date"] < event["occurredAt"][:10] <= event["arrival"]


def test_incident_events_hold_what_people_get_wrong(season):
    """One type that nobody knows, and one event that arrives after a later one."""
    data, truth = season
    events = oncall_events(data)
    assert len({event["eventId"] for event in events}) == len(events)
    assert [event["type"] for event in events if event["type"] not in KNOWN] == ["postmortem_scheduled"]
    files = {row["file"]: row["events"] + len(row["bad_event_type_lines"]) for row in truth["oncall"]}
    assert {f"landing/{file}": count for file, count in files.items()} == Counter(event["file"] for event in events)
    late = [event for event in events if event["occurredAt"][:10] < event["arrival"]]
    assert [event["type"] for event in late] == ["spike_type_confirmed"]
    assert any(event["occurredAt"] > late[0]["occurredAt"] for event in events if event["arrival"] < late[0]["arrival"])


def test_the_guardrail_was_there_before_the_problem_came_back():
    for seed in (1, 7, 99):
        for number in (0, 1, 2):
            world = build_world(seed, 5_000)
            (first, steps), (again, others), *rest = lives(world, number)
            assert [step.type for step in steps][-1] == "closed"
            assert "guardrail_added" not in {step.type for step in others}
            assert first.start + timedelta(days=8) < again.start  # five working days are seven days at most
            assert len({incident.name for incident in (first, again, *(incident for incident, _ in rest))}) == 4


@pytest.mark.parametrize("kind", SPIKE_TYPES)
def test_an_incident_does_what_its_spike_type_says(kind):
    world = build_world(7, 3_000)
    incident = next(incident for incident in plan(world, 0) if incident.kind == kind)
    calls = day_attempts(world, incident.start.date())
    hit = calls[calls["incident"] >= 0]
    own = hit[hit["endpoint"] == incident.endpoint]
    others = calls[(calls["incident"] < 0) & (calls["error"] >= 0)]
    assert len(own) > 10
    if kind in ("volume", "abuse", "concentration"):
        assert (own["extra"] & (own["plain_input"] == 0) & (own["plain_output"] == 0)).all()
        tenants = set(world.user_tenant[own["user"]])
        assert {"volume": len(tenants) > 3, "abuse": set(own["user"]) == {incident.user}}.get(
            kind, tenants == {incident.tenant}
        )
    elif kind in ("token", "deploy"):
        assert own["input"].sum() > 1.5 * own["plain_input"].sum()
        assert kind == "token" or set(own["version"]) == {world.label_code(incident.version)}
    elif kind == "retry":
        assert own["request"].value_counts().mean() > 1.4
        assert (own["error"] >= 0).mean() > 0.4 > 10 * len(others) / len(calls)
    else:
        assert set(own["model"]) == {incident.model}
        assert not (own["plain_model"] == incident.model).any()


def test_the_default_world_holds_what_senders_get_wrong(events):
    tries = Counter(event["externalRequestId"] for event in events if event.get("attempt", 1) > 1)
    assert tries
    assert any("tenantId" not in event and event.get("metadata", {}).get("tenantId") for event in events)
    for field in ("endpointTag", "promptVersion", "userId", "attempt", "providerRequestId"):
        assert any(field not in event for event in events), field
    assert {event.get("environment") for event in events} >= {None, "prod", "PROD", "staging", "dev"}
    assert {event.get("dataMode") for event in events} >= {None, "real", "test", "demo"}
    assert {event["model"] for event in events} >= {*UNKNOWN_MODELS[:1]}
    assert any(event["arrival"] > instant(event).date().isoformat() for event in events)
    assert any(event["status"] == "success" and "inputTokens" not in event for event in events)
    assert {"flex", "priority"} <= {event.get("serviceTier") for event in events}


def test_some_retries_straddle_midnight():
    world = build_world(7, 5_000)
    straddling = [day_attempts(world, SEASON_START + timedelta(days=offset)) for offset in range(6)]
    assert any(calls["event_day"].nunique() == 2 for calls in straddling)


def test_broken_lines_use_the_loaders_reason_codes():
    """The loader is not imported: the two must agree on words, not on code."""
    source = "".join(
        path.read_text() for path in (Path(__file__).parents[1] / "orchestration" / "landing").glob("*.py")
    )
    assert [reason for reason, _ in BREAKAGES if reason not in source] == []


def test_prompt_versions_change_a_few_times_in_a_season():
    days = [SEASON_START + timedelta(days=offset) for offset in range(60)]
    counts = [len({live_version(7, code, day).label for day in days}) for code in range(len(ENDPOINTS))]
    assert min(counts) == 1
    assert 3 <= max(counts) <= 4


@pytest.mark.parametrize("formats", ["jsonl.gz", "parquet", "csv", "mixed"])
def test_other_formats_hold_the_same_events(tmp_path, formats):
    days = ["--until", "2026-11-16", "--days", "1", "--requests-per-day", "400"]
    truth = run(tmp_path, *days, "--format", formats)
    plain = run(tmp_path / "plain", *days)
    assert truth["totals"] == plain["totals"]
    columns = "{'externalRequestId': 'VARCHAR', 'inputTokens': 'BIGINT', 'metadata': 'VARCHAR'}"
    same = "count(*), count(distinct externalRequestId), sum(inputTokens::bigint), count(metadata)"

    def read(root: Path, extension: str, reader: str):
        paths = [
            str(path) for path in sorted((root / "landing").rglob(f"*.{extension}")) if path.name.startswith("app-eu")
        ]
        return duckdb.sql(f"select {same} from {reader.format(paths)}").fetchall()

    readers = {
        "jsonl": "read_json({}, columns=" + columns.replace("{", "{{").replace("}", "}}") + ")",
        "parquet": "read_parquet({})",
        "csv": "read_csv({}, all_varchar=true)",
    }
    extension = "jsonl.gz" if formats == "mixed" else formats
    assert read(tmp_path, extension, readers[extension.removesuffix(".gz")]) == read(
        tmp_path / "plain", "jsonl", readers["jsonl"]
    )
