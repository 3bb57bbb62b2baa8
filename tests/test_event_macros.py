"""Functions of SQL that read an event's values say what their twins in Python say, and fast ways what slow ones do."""

from itertools import product

import duckdb
import pyarrow as pa
import pytest

from orchestration.landing.event_macros import MACROS
from orchestration.landing.text import BLANKS, INSTANT, tidy


@pytest.fixture
def database():
    with duckdb.connect() as found:
        found.execute("set TimeZone = 'UTC'")
        found.execute(MACROS)
        yield found


def test_a_blank_at_either_end_goes_and_one_inside_stays(database):
    ends = ["", *BLANKS, "a", "~", "é", "e\u0301", "🙂"]
    texts = [start + middle + end for start, middle, end in product(ends, ["", "x", "x y", "x\x7fy", "é"], ends)]
    database.register("texts", pa.table({"x": texts}))
    rows = database.execute("select x, tidy(x), tidy_plain(x) from texts").fetchall()
    assert len(rows) == len(texts)
    assert [text for text, tidied, _ in rows if tidied != (tidy(text) or None)] == []
    plain = [(text, tidied) for text, _, tidied in rows if min(text, default=" ") >= " "]  # no escape in JSON
    assert [text for text, tidied in plain if tidied != (tidy(text) or None)] == []


def test_a_time_as_duckdb_prints_it_is_read_like_any_other(database):
    days = [
        "2026-11-28",
        "2024-02-29",
        "2023-02-29",
        "0001-01-01",
        "0000-01-01",
        "9999-12-31",
        "1582-10-10",
        "2026-13-01",
    ]
    times = ["00:00:00", "23:59:60", "24:00:00", "12:34:56.1", "12:34:56.100000", "12:34:56.123456", "23:59:59.9999999"]
    zones = ["", "Z", "z", "+00", "-0330", "+05:45", "-14:00", "+15", " UTC", " +02"]
    texts = ["".join(parts) for parts in product(days, "Tt ", times, zones)]
    printed = database.execute(
        "select (timestamp '1600-01-01' + to_microseconds(i * 1234567891997))::varchar from range(100000) t(i)"
    ).fetchall()
    odd = ["infinity", "-infinity", "epoch", "now", "", None, "0044-03-15 (BC) 12:00:00", "2026-11-28"]
    database.register("texts", pa.table({"x": [*texts, *odd, *(text for (text,) in printed)]}))
    slow = f"""
        case when regexp_full_match(x, '{INSTANT}')
        then coalesce(try_cast(x as timestamptz), try_cast(upper(x) as timestamptz))::timestamp end
    """
    read, same = database.execute(
        f"select count(instant(x)), count(*) filter (instant(x) is not distinct from {slow}) from texts"
    ).fetchone()
    assert read > len(printed)
    assert same == len(texts) + len(odd) + len(printed)
