"""`make reload`: the lines of a landed file are judged again, once, and nobody else's rows move."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration.commands.reload import main
from orchestration.landing.compaction import compact
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows
from orchestration.landing.reloading import NotReloaded, reload
from orchestration.landing.waiting import new_files
from tests.pipeline import event, pipeline_at
from tests.test_landing import land, manifest, rejects, rows
from tests.test_landing_safety import without_load

MIXED = "events/dt=2026-11-21/mixed.jsonl"
LONG = 2_000


@pytest.fixture
def settings(tmp_path: Path):
    return pipeline_at(tmp_path / "data", threads=2).settings


def land_mixed(settings) -> Path:
    """A file of which half the lines are too long for a strict setting, among others that share its raw files."""
    lines = [
        event(f"m-{n}", f"2026-11-{19 + n % 2}T10:00:00Z", note="x" * (LONG if n % 4 > 1 else 1)) for n in range(8)
    ]
    land(settings, "before.jsonl", [event("before"), event("long", note="x" * LONG), event("bad", status="nope")])
    land(settings, "same-day.jsonl", [event("other", "2026-11-19T10:00:00Z")])
    return land(settings, "mixed.jsonl", [*lines, event("bad", status="nope")])


def strict(settings):
    return replace(settings, max_line_bytes=1_000)


def ids(settings) -> list[str]:
    return sorted(row["external_request_id"] for row in rows(settings))


def test_lines_refused_before_are_loaded_now(settings):
    land_mixed(settings)
    assert load_new_files(strict(settings)).rejects_by_reason == {"bad_status": 2, "line_too_long": 5}
    before = [row for row in rows(settings) if not row["external_request_id"].startswith("m-")]
    load = reload(settings, MIXED)
    assert (load.rows_in, load.rows_loaded, load.rejects_by_reason) == (9, 8, {"bad_status": 1})
    assert ids(settings) == ["before", *(f"m-{n}" for n in range(8)), "other"]
    assert [row for row in rows(settings) if not row["external_request_id"].startswith("m-")] == before
    refused = sorted((Path(row["landing_file"]).name, row["reason_code"]) for row in rejects(settings))
    assert refused == [("before.jsonl", "bad_status"), ("before.jsonl", "line_too_long"), ("mixed.jsonl", "bad_status")]
    assert sum(row["rows_in"] for row in manifest(settings)) == 3 + 1 + 9
    assert files_with_missing_rows(settings) == []
    assert new_files(settings) == []
    assert load_new_files(settings).load_id is None


# What manifests, rejects and raw files of the release before sources with a mapping lack.
OF_MAPPINGS = ("rows_skipped", "skips_by_reason", "mapping_hash", "source", "item", "emitter", "source_version")


def as_before_mappings(settings) -> None:
    """Rewrite the raw zone as the release before sources with a mapping left it."""
    for path in settings.raw.rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        kept = ("source",) if path.parent.name in ("_loads", "_rejects") or path.stem == "rejects" else ()
        later = [name for name in OF_MAPPINGS if name in table.column_names and name not in kept]
        pq.write_table(table.drop_columns(later), path)


def test_a_raw_zone_of_an_earlier_release_goes_on(settings, monkeypatch):
    land_mixed(settings)
    load_new_files(strict(settings))
    as_before_mappings(settings)
    before = ids(settings)
    assert load_new_files(settings).load_id is None
    land(settings, "after.jsonl", [event("after", "2026-11-19T10:00:00Z"), event("bad-after", status="nope")])
    assert load_new_files(settings).rows_in == 2
    assert reload(settings, MIXED).rows_loaded == 8
    monkeypatch.setattr("orchestration.landing.compaction.FILES_PER_DAY", 1)
    assert compact(settings)["dates"] >= 1
    assert ids(settings) == sorted({*before, "after", *(f"m-{n}" for n in range(8))})
    assert {(row["item"], row["reason_code"]) for row in rejects(settings)} == {
        (None, "bad_status"), (None, "line_too_long"), (1, "bad_status"),
    }  # fmt: skip
    assert {row["rows_skipped"] for row in manifest(settings)} == {0}
    assert files_with_missing_rows(settings) == []
    assert load_new_files(settings).load_id is None


def test_judging_again_and_again_changes_nothing_more(settings):
    land_mixed(settings)
    load_new_files(strict(settings))
    reload(settings, MIXED)
    once, listed = without_load(rows(settings)), len(manifest(settings))
    for _ in range(2):
        reload(settings, MIXED)
        assert (without_load(rows(settings)), len(manifest(settings))) == (once, listed)
    assert compact(settings) == {"dates": 0, "files": 0, "manifests": 0}
    assert len(list((settings.raw / "_loads").glob("2*"))) == 4  # three are superseded, for their readers


def test_a_reload_equals_a_load_by_the_rules_of_today(settings, tmp_path):
    land_mixed(settings)
    control = replace(pipeline_at(tmp_path / "control", threads=2).settings, landing_address=settings.landing)
    load_new_files(control)
    load_new_files(strict(settings))
    for name in ("mixed", "before"):
        reload(settings, f"events/dt=2026-11-21/{name}.jsonl")
    assert without_load(rows(settings)) == without_load(rows(control))
    assert without_load(rejects(settings)) == without_load(rejects(control))
    names = ("landing_file", "event_date", "rows_in", "rows_loaded", "rows_rejected", "file_status", "content_hash")
    assert [[row[key] for key in names] for row in manifest(settings)] == [
        [row[key] for key in names] for row in manifest(control)
    ]


@pytest.mark.parametrize("written", ["{path}", "landing/" + MIXED, "./" + MIXED])
def test_a_file_is_named_as_people_have_it(settings, written):
    path = land_mixed(settings)
    load_new_files(settings)
    assert reload(settings, written.format(path=path)).rows_loaded == 8


def test_a_copy_may_be_named_when_the_first_is_gone(settings):
    path = land_mixed(settings)
    load_new_files(strict(settings))
    land(settings, "copy.jsonl", path.read_bytes(), day="2026-11-22")
    load_new_files(strict(settings))
    path.unlink()
    with pytest.raises(NotReloaded, match=r"mixed.jsonl is not there any more: put it back .* stay as they are"):
        reload(settings, MIXED)
    assert len(ids(settings)) == 6
    assert reload(settings, "events/dt=2026-11-22/copy.jsonl").rows_loaded == 8
    known = {(Path(row["landing_file"]).name, row["file_status"]) for row in manifest(settings)}
    assert {("mixed.jsonl", "already_loaded"), ("copy.jsonl", "loaded")} <= known
    assert ("copy.jsonl", "already_loaded") not in known
    assert files_with_missing_rows(settings) == []


def test_what_cannot_be_judged_again_is_a_sentence(settings):
    path = land_mixed(settings)
    with pytest.raises(NotReloaded, match="has not been loaded yet, or has changed since: make run loads it"):
        reload(settings, MIXED)
    load_new_files(settings)
    path.write_bytes(path.read_bytes() + json.dumps(event("more")).encode())
    for name, sentence in (
        (MIXED, "has not been loaded yet, or has changed since"),
        ("events/dt=2026-11-20/mixd.jsonl", f"no load has taken in a file of this name. Is it {MIXED}"),
        ("events/dt=2026-11-20/mixed.jsonl.gz", f"Is it {MIXED}"),
        ("/etc/passwd", "is not a landing file: give its path under landing"),
        ("", "is not a landing file"),
    ):
        with pytest.raises(NotReloaded, match=sentence):
            reload(settings, name)
    assert files_with_missing_rows(settings) == []


def test_an_error_on_the_way_leaves_everything_as_it_was(settings, monkeypatch):
    land_mixed(settings)
    load_new_files(strict(settings))
    before, listed = rows(settings), manifest(settings)
    for step in ("superseding.fold_manifests", "superseding.sync", "reloading.Loader.judge"):
        with monkeypatch.context() as broken:
            broken.setattr(f"orchestration.landing.{step}", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
            with pytest.raises(RuntimeError, match="stopped for lack of space"):
                reload(settings, MIXED)
        assert (rows(settings), manifest(settings)) == (before, listed)
    assert reload(settings, MIXED).rows_loaded == 8


def test_the_command_says_what_became_of_it(settings, monkeypatch, capsys):
    land_mixed(settings)
    load_new_files(settings)
    monkeypatch.setenv("TOKENTRAIL_DATA", str(settings.data))
    monkeypatch.setenv("FILE", MIXED)
    assert main() == 0
    assert capsys.readouterr().out == (
        f"{MIXED}: 8 lines loaded, 1 refused (bad_status 1). make run rebuilds the dates it touches.\n"
    )
    for name, sentence in (("events/dt=2026-11-21/gone.jsonl", "Is it"), ("", "FILE")):
        monkeypatch.setenv("FILE", name)
        assert main() == 2
        assert sentence in capsys.readouterr().err


def test_the_marts_follow(tmp_path):
    """Dates whose rows change are rebuilt, though the file is the same: more rows, and the same rows with hashed ids."""
    pipeline = pipeline_at(tmp_path / "data")
    land_mixed(pipeline.settings)
    load_new_files(strict(pipeline.settings))
    pipeline.price()
    count = "select count(*), count(distinct user_id) filter (user_id = 'u-1') from marts.fct_attempts"
    assert pipeline.inside(count) == [(6, 1)]
    hashing = replace(pipeline.settings, id_secret="secret")
    for name in ("mixed", "before", "same-day"):
        reload(hashing, f"events/dt=2026-11-21/{name}.jsonl")
    pipeline.price()
    assert pipeline.inside(count) == [(11, 0)]
