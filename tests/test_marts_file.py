"""The published file is brought up to date by what changed, and is the same as one that is made anew (DESIGN section 6)."""

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.publishing import marts_file
from orchestration.publishing.publications import new_publication
from orchestration.settings import Settings
from tests.pipeline import pipeline_at

FIRST = date(2026, 11, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(6)]
CALLS = """
    select date '{day}' as event_date, 'prod' as environment, 'real' as data_mode, 'endpoint ' || number % 7 as endpoint_tag,
        'tenant ' || number % 5 as tenant_id, 'user ' || number % 11 as user_id, md5(number || '{salt}') as request_id,
        cast(number * {price} as decimal(38, 12)) as cost_usd
    from range({calls}) as numbers(number)
"""
BUILT = "insert into tokentrail.built values ('fct_attempts', date '{day}', '{stamp}', timestamp '2026-11-23 07:00:00')"
SAME = "(select * from {0} except all select * from {1}) union all (select * from {1} except all select * from {0})"


class World:
    """A warehouse with a mart by date, a table and a view, and the file that is published from it."""

    def __init__(self, settings: Settings):
        self.settings, self.stamps = settings, 0
        settings.data.mkdir(parents=True)
        self.change("create schema marts; create schema tokentrail; create schema intermediate")
        self.change(
            "create table tokentrail.built (model string, event_date date, input_fingerprint string, built_at timestamp)"
        )
        self.change(f"create table marts.fct_attempts as {CALLS.format(day=FIRST, salt='', price=1, calls=0)}")
        self.change("create table intermediate.large as select md5(range::varchar) as text from range(100000)")
        self.change("create table marts.alert_drivers as select range as rank from range(3)")
        self.change("create view marts.alert_compare as select count(*) as attempts from warehouse.marts.alert_drivers")

    def change(self, sql: str) -> None:
        with duckdb.connect(str(self.settings.warehouse)) as connection:
            connection.execute(sql)

    def build(self, day: date, calls: int = 2_000, price: int = 1) -> None:
        """Build a date again: other rows, and the memory of it."""
        self.stamps += 1
        rows = CALLS.format(day=day, salt=self.stamps, price=price, calls=calls)
        forget = "; ".join(
            f"delete from {table} where event_date = date '{day}'"
            for table in ("marts.fct_attempts", "tokentrail.built")
        )
        self.change(f"{forget}; insert into marts.fct_attempts {rows}; {BUILT.format(day=day, stamp=self.stamps)}")

    def drop(self, day: date) -> None:
        self.change(f"delete from marts.fct_attempts where event_date = date '{day}'")
        self.change(f"delete from tokentrail.built where event_date = date '{day}'")

    def publish(self) -> Path:
        with new_publication(self.settings) as folder:
            marts_file.write_marts(self.settings, folder / "tokentrail.duckdb", f"signature {self.stamps}")
        return self.settings.published_marts

    def asked(self, sql: str) -> list:
        with duckdb.connect() as connection:
            connection.execute(f"attach '{self.settings.warehouse}' as warehouse (read_only)")
            connection.execute(f"attach '{self.settings.published_marts.resolve()}' as published (read_only)")
            return connection.execute(sql).fetchall()

    def differences(self, mart: str = "fct_attempts") -> list:
        return self.asked(SAME.format(f"warehouse.marts.{mart}", f"published.marts.{mart}"))

    def free(self) -> float:
        [(share,)] = self.asked(
            "select free_blocks / total_blocks from pragma_database_size() where database_name = 'published'"
        )
        return share


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    monkeypatch.setattr(marts_file, "SMALL", 0)
    world = World(replace(pipeline_at(tmp_path / "other").settings, data=tmp_path / "data"))
    for day in DAYS:
        world.build(day)
    world.publish()
    return world


def test_a_file_that_is_made_anew_has_the_marts_sorted_and_nothing_else(world):
    assert world.differences() == world.differences("alert_drivers") == []
    assert world.free() == 0
    names = "select schema_name, table_name from duckdb_tables() where database_name = 'published' order by 2"
    assert [name for schema, name in world.asked(names) if schema == "marts"] == [
        *("alert_compare", "alert_drivers", "catalog", "fct_attempts", "publication")
    ]
    assert len(world.asked(names)) == 5
    order = ", ".join(marts_file.SORTED_BY)
    rows = world.asked(f"select {order} from published.marts.fct_attempts")
    assert rows == sorted(rows)
    assert world.asked("select attempts from published.marts.alert_compare") == [(3,)]


def test_no_block_of_rows_is_larger_than_what_a_page_skips(world):
    world.build(DAYS[0], calls=50_000)
    world.publish()
    groups = (
        "select max(count) from pragma_storage_info('published.marts.fct_attempts') where column_name = 'event_date'"
    )
    assert world.asked(groups)[0][0] <= marts_file.ROW_GROUP


def test_only_dates_that_were_built_again_are_written(world):
    world.change(
        "update marts.fct_attempts set request_id = upper(request_id)"
    )  # which no run does without the memory of it
    world.build(DAYS[1], price=3)
    world.drop(DAYS[2])
    world.build(FIRST + timedelta(days=9), calls=100)
    world.publish()
    old = "select distinct event_date from published.marts.fct_attempts where request_id = lower(request_id) and {0} order by 1"
    in_both = "request_id not in (select request_id from warehouse.marts.fct_attempts)"
    assert [day for (day,) in world.asked(old.format(in_both))] == [DAYS[0], *DAYS[3:]]
    counted = "select event_date, count(*), sum(cost_usd) from {0}.marts.fct_attempts group by 1 order by 1"
    assert world.asked(counted.format("published")) == world.asked(counted.format("warehouse"))
    dates = f"select event_date from read_parquet('{world.settings.state / 'published_dates.parquet'}')"
    assert {day for (day,) in world.asked(dates)} == {*DAYS, FIRST + timedelta(days=9)} - {DAYS[2]}


def test_marts_that_are_not_kept_by_date_are_as_in_the_warehouse(world):
    world.change("insert into marts.alert_drivers values (7)")
    world.change("create table marts.alert_focus as select 'an id' as alert_id")
    world.publish()
    assert world.differences("alert_drivers") == world.differences("alert_focus") == []
    assert world.asked("select attempts from published.marts.alert_compare") == [(4,)]
    world.change("drop table marts.alert_focus; alter table marts.alert_drivers add column unit string")
    world.change("alter table marts.fct_attempts add column region string")
    world.publish()
    assert world.differences() == world.differences("alert_drivers") == []
    assert world.asked("select count(*) from duckdb_tables() where table_name = 'alert_focus'") == [(0,)]


@pytest.mark.parametrize(
    "damage", ["half a file", "rows without their memory", "a file of an earlier release", "no memory"]
)
def test_what_cannot_be_brought_up_to_date_is_made_anew(world, damage):
    if damage == "rows without their memory":
        world.change(f"delete from marts.fct_attempts where event_date = date '{DAYS[3]}' and cost_usd > 1000")
    elif damage == "no memory":
        (world.settings.state / "published_dates.parquet").unlink()
    else:
        file = world.settings.published_marts.resolve()
        file.chmod(0o644)
        if damage == "half a file":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        else:
            with duckdb.connect(str(file)) as connection:
                connection.execute("drop table marts.publication")
    world.build(DAYS[0])
    world.publish()
    assert world.differences() == []
    assert world.free() == 0


def test_any_sequence_of_changes_gives_what_a_new_file_has_and_the_file_stays_compact(world):
    chance = random.Random(20)
    for _ in range(12):
        for day in chance.sample(DAYS, chance.randint(0, 3)):
            if chance.random() < 0.2:
                world.drop(day)
            else:
                world.build(day, calls=chance.randint(0, 30_000), price=chance.randint(0, 5))
        world.publish()
        assert world.differences() == []
        assert world.free() <= 0.7  # at most what one publication replaced
