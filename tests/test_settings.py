"""Every documented setting is read somewhere, and a value that cannot be read is a sentence that names the variable."""

import os
import re
import subprocess
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.dbt import build_command
from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.team.notifications import read_channels

CODE = ("orchestration", "dbt_project", "pricing", "expectations", "inbox")
READ_THROUGH = {"landing_address": "landing"}  # fields that the rest of the code reads by a property


def code() -> str:
    """Everything that could read a setting, but settings.py itself."""
    files = [
        path
        for folder in CODE
        for path in (PROJECT / folder).rglob("*")
        if path.suffix in {".py", ".sql", ".yml"} and path != PROJECT / "orchestration" / "settings.py"
    ]
    assert len(files) > 50
    return "\n".join(path.read_text() for path in files)


@pytest.mark.parametrize("name", [item.name for item in fields(Settings)])
def test_every_setting_is_read_somewhere(name):
    attribute = READ_THROUGH.get(name, name)
    assert re.search(rf"\bsettings\.{attribute}\b", code(), re.IGNORECASE)


def test_every_variable_that_is_read_is_a_documented_setting():
    documented = {item.metadata["env"] for item in fields(Settings)}
    # what a run of Dagster tells dbt
    of_a_run = {"TOKENTRAIL_REBUILD_FROM", "TOKENTRAIL_REBUILD_TO", "TOKENTRAIL_TABLES_FOLDER"}
    read = set(re.findall(r"TOKENTRAIL_[A-Z0-9_]+", code()))
    addresses = {name for name in read if name.startswith("TOKENTRAIL_CHANNEL_")}  # named by a seed, tested below
    assert read - addresses <= documented | of_a_run


def test_the_variables_of_channels_are_documented_as_a_family_and_those_we_ship_by_name():
    page = (PROJECT / "docs" / "operate.md").read_text()
    named = {row.address_variable for row in read_channels(PROJECT / "none").values()}
    assert re.search(r"^\| `TOKENTRAIL_CHANNEL_\*` \|", page, re.MULTILINE)
    assert named <= set(re.findall(r"TOKENTRAIL_CHANNEL_\w+", page))


def test_every_setting_says_what_it_is_for():
    for item in fields(Settings):
        assert item.metadata["env"] == item.metadata["env"].upper()
        assert item.metadata["help"].endswith(".")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOKENTRAIL_AS_OF", "yesterday"),
        ("TOKENTRAIL_MAX_LINE_BYTES", "4 MB"),
        ("TOKENTRAIL_IDENTITY_WINDOW_DAYS", "one"),
        ("TOKENTRAIL_IDENTITY_WINDOW_DAYS", "0"),
        ("TOKENTRAIL_LATENESS_HOURS", "6h"),
        ("TOKENTRAIL_UNPRICED_ERROR_SHARE", "5 %"),
        ("TOKENTRAIL_UNPRICED_WINDOW_DAYS", "week"),
        ("TOKENTRAIL_UNPRICED_WINDOW_DAYS", "0"),
        ("TOKENTRAIL_UNPRICED_SLA_DAYS", "soon"),
        ("TOKENTRAIL_UNPRICED_SLA_DAYS", "-1"),
        ("TOKENTRAIL_EXPORT_DAYS", "month"),
        ("TOKENTRAIL_TIME_ZONE", "Mars/Olympus"),
        ("TOKENTRAIL_TIME_ZONE", "/etc/passwd"),
        ("TOKENTRAIL_DAILY_AT", "6"),
        ("TOKENTRAIL_DAILY_AT", "24:00"),
        ("TOKENTRAIL_DAILY_AT", "06:60"),
        ("TOKENTRAIL_DAILY_AT", "6.15 am"),
        ("TOKENTRAIL_WEEKLY_AT", "Monday 6:00"),
        ("TOKENTRAIL_WEEKLY_AT", "25:00"),
        ("TOKENTRAIL_THREADS", "many"),
    ],
)
def test_a_value_that_cannot_be_read_is_a_sentence_that_names_the_variable(variable, value):
    with pytest.raises(ValueError, match=rf"^{variable} is .*\.$"):
        from_environment({variable: value})


def test_times_of_day_and_zones_at_the_edges_are_taken():
    for daily_at in ("00:00", "23:59", "6:05"):
        assert from_environment({"TOKENTRAIL_DAILY_AT": daily_at}).daily_at == daily_at
    assert from_environment({"TOKENTRAIL_TIME_ZONE": "Europe/Berlin"}).time_zone == "Europe/Berlin"


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00"])
def test_an_offset_is_honoured_and_none_means_utc(text):
    assert from_environment({"TOKENTRAIL_AS_OF": text}).as_of == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_everything_lives_under_the_data_root(tmp_path):
    settings = from_environment({"TOKENTRAIL_DATA": str(tmp_path)})
    places = [settings.raw, settings.ledger, settings.warehouse, settings.published, settings.state]
    assert all(place.is_relative_to(tmp_path) for place in [*places, Path(settings.landing)])
    assert from_environment({}).data == PROJECT / "data"
    assert from_environment({"TOKENTRAIL_LANDING": "s3://bucket/landing"}).landing == "s3://bucket/landing"


@pytest.mark.parametrize("name", ["with blanks", "a;b", "a&b", "Kosten (Köln), 日本", "a=b", "a@b+c", "a!b~c", "-a"])
def test_a_data_root_may_have_any_name_that_every_tool_reads_alike(tmp_path, name):
    assert from_environment({"TOKENTRAIL_DATA": str(tmp_path / name)}).data == tmp_path / name


@pytest.mark.parametrize("odd", [*"*?[]{}%#$`'\"\\|<>\n\t\x7f\u2028\u200b", "\udcff", " /x", "x /y", "/x "])
def test_a_data_root_that_some_tool_reads_otherwise_is_a_sentence(odd):
    with pytest.raises(ValueError, match=r"(?s)^TOKENTRAIL_DATA is .*\.$"):
        from_environment({"TOKENTRAIL_DATA": f"/srv/a{odd}b" if odd.strip(" xy/") else f"/srv/{odd}"})


@pytest.mark.parametrize(
    "place", [".", "orchestration", "dbt_project/target", "tests/data", ".git/x", "data/../docs", "/", "Makefile"]
)
def test_a_data_root_where_other_files_live_is_a_sentence(place):
    with pytest.raises(ValueError, match=r"^TOKENTRAIL_DATA is .*: give a folder.*\.$"):
        from_environment({"TOKENTRAIL_DATA": place})


def test_a_tilde_is_home_and_a_relative_root_is_taken_from_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert from_environment({"TOKENTRAIL_DATA": "~/llm cost"}).data == tmp_path / "llm cost"
    assert from_environment({"TOKENTRAIL_DATA": "elsewhere/data"}).data == PROJECT / "elsewhere" / "data"


def test_make_says_so_before_anything_is_written(tmp_path):
    root = f"{tmp_path}/50% off"
    said = subprocess.run(
        ["make", "-o", "environment", "run"],
        cwd=PROJECT,
        env=os.environ | {"TOKENTRAIL_DATA": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode != 0
    assert said.stderr.startswith(f"TOKENTRAIL_DATA is {root!r}: % cannot be part of the path")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "size"),
    [("3GB", 3 * 1000**3), ("800 mb", 800 * 1000**2), ("1.5GiB", 3 * 1024**3 // 2), ("2TB", 2 * 1000**4)],
)
def test_memory_is_a_size(tmp_path, limit, size):
    assert replace(from_environment(), data=tmp_path, memory_limit=limit).memory_bytes == size


@pytest.mark.parametrize(("more", "at_once"), [(0, "2"), (1, "1")])
def test_two_models_are_built_at_once_while_they_surely_fit_into_memory(tmp_path, more, at_once):
    settings = replace(from_environment(), data=tmp_path, memory_limit="2GB")
    folder = settings.raw / "events" / "event_date=2026-11-20"
    folder.mkdir(parents=True)
    for name, size in (("one", 30_000_000), ("two", 20_000_000 + more)):  # 1 GB, and 20 times 50 MB
        with (folder / f"load={name}.parquet").open("wb") as file:
            file.truncate(size)
    assert build_command(settings)[-2:] == ["--threads", at_once]


def test_with_little_memory_one_model_is_built_after_the_other(tmp_path):
    assert build_command(replace(from_environment(), data=tmp_path, memory_limit="999MB"))[-1] == "1"
