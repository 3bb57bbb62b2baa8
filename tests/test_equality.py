"""The comparison of two releases' publications is sharp: what differs by a digit, a row or a name is reported, and nothing else."""

from pathlib import Path

import duckdb
import pytest

from benchmarks.equality import RENAMED, Comparison, Names, PublicationError, compare, main, read_names

MART = """
    create table marts.alerts as from (values
        ('a-1', 'prod', 12.000000000001::decimal(38, 12), 0.25::double, 'load-1'),
        ('a-2', 'prod', 3.5::decimal(38, 12), null::double, 'load-1'),
        ('a-2', 'prod', 3.5::decimal(38, 12), null::double, 'load-1'),
        ('a-3', null, null, 1e6::double, 'load-2')
    ) as rows(alert_id, environment, delta_usd, z, load_id)
"""


@pytest.fixture
def publish(tmp_path):
    """publish("old", "update ...") writes a published file with one small mart, changed by the statements given."""

    def write(name: str, *changes: str) -> Path:
        path = tmp_path / f"{name}.duckdb"
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as database:
            for statement in ("create schema marts", MART, *changes):
                database.execute(statement)
        return path

    return write


@pytest.fixture
def compared(publish):
    """compared("update ...") compares the mart with itself after a change."""

    def compared(*changes: str, names: Names | None = None) -> Comparison:
        [found] = compare(publish("old"), publish("new", *changes), names or Names())
        return found

    return compared


def test_equal_marts_are_equal_whatever_the_order_of_their_rows(compared):
    found = compared("create or replace table marts.alerts as select * from marts.alerts order by alert_id desc")
    assert (found.is_equal, found.rows, found.columns) == (True, (4, 4), 4)


@pytest.mark.parametrize(
    ("change", "differing", "sentence"),
    [
        (
            "update marts.alerts set delta_usd = 12.000000000002 where alert_id = 'a-1'",
            (1, 1),
            "delta_usd 12.000000000001 -> 12.000000000002 where alert_id=a-1, environment=prod, z=0.25",
        ),
        ("update marts.alerts set delta_usd = 0 where delta_usd is null", (1, 1), "delta_usd None -> 0E-12"),
        ("delete from marts.alerts where alert_id = 'a-3'", (1, 0), "only in the old: alert_id=a-3, z=1000000.0"),
        ("insert into marts.alerts from marts.alerts where alert_id = 'a-1'", (0, 1), "only in the new: alert_id=a-1"),
        ("delete from marts.alerts where rowid = 2", (1, 0), "only in the old: alert_id=a-2"),
        ("alter table marts.alerts rename z to score", (0, 0), "no column z; where it has a new name"),
        ("alter table marts.alerts drop delta_usd", (0, 0), "no column delta_usd"),
        (
            "alter table marts.alerts alter delta_usd type double",  # whose text lacks the zeros
            (2, 2),
            "delta_usd is DOUBLE, and was DECIMAL(38,12).",
        ),
        ("drop table marts.alerts; create table marts.other as select 1 as one", (4, 0), "does not have this mart"),
    ],
)
def test_what_differs_is_reported(compared, change, differing, sentence):
    found = compared(change)
    assert not found.is_equal
    assert found.differing == differing
    assert sentence in str(found)


@pytest.mark.parametrize(
    ("change", "is_equal"),
    [
        ("update marts.alerts set z = 0.25 + 9e-10 where alert_id = 'a-1'", True),
        ("update marts.alerts set z = 0.25 + 2e-9 where alert_id = 'a-1'", False),
        ("update marts.alerts set z = 1e6 + 5e-4 where alert_id = 'a-3'", True),
        ("update marts.alerts set z = 1e6 + 5e-3 where alert_id = 'a-3'", False),
        ("update marts.alerts set z = 0 where z is null", False),
    ],
)
def test_ratios_agree_to_nine_places(compared, change, is_equal):
    assert compared(change).is_equal is is_equal


def test_what_a_load_writes_and_what_a_release_adds_is_left_alone(compared):
    added = ("alter table marts.alerts add column owner varchar", "create table marts.catalog as select 1 as one")
    assert compared("update marts.alerts set load_id = 'load-9'", *added).is_equal


def test_columns_and_values_are_compared_under_their_new_names(compared):
    names = Names({"alerts": {"environment": "stage"}}, {"alerts": {"stage": {"prod": "production"}}})
    renamed = "alter table marts.alerts rename environment to stage"
    worded = "update marts.alerts set stage = 'production' where stage = 'prod'"
    assert compared(renamed, worded, names=names).is_equal
    assert compared(renamed, names=names).differing == (3, 3)


def test_a_name_that_maps_nothing_is_refused(compared):
    with pytest.raises(PublicationError, match=r"no alerts\.zed to rename"):
        compared(names=Names({"alerts": {"zed": "score"}}))
    with pytest.raises(PublicationError, match=r"no alerts\.zone to map values of"):
        compared(names=Names(values={"alerts": {"zone": {"a": "b"}}}))


def test_two_releases_from_the_command_line(publish, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.equality.RENAMED", tmp_path / "renamed.yml")
    (tmp_path / "renamed.yml").write_text("columns:\n  alerts: {z: score}\n")
    old, new = publish("old"), publish("new", "alter table marts.alerts rename z to score")
    assert main([str(old), str(new)]) == 0
    assert main([str(new), str(new)]) == 2, "the map would rename what has its new name already"
    assert main([str(new), str(new), "--same-names"]) == 0
    assert main([str(new), str(old), "--same-names"]) == 1
    assert "1 of 1 marts differ: alerts." in capsys.readouterr().out
    assert main([str(tmp_path), str(tmp_path / "empty")]) == 2


def test_the_map_of_this_release_can_be_read():
    names = read_names(RENAMED)
    assert all(old != new for columns in names.columns.values() for old, new in columns.items())
