"""Senders that fell silent: one message for each silence, one when it is over, and the sentence that other commands show.

What is silent is a rule of the warehouse (`source_freshness`); this ledger keeps what was announced. Its lines have a `kind`:

  silent     a sender of real data fell silent
  returned   its calls arrive again, or late files show that it was not silent
  ended      no call for four weeks: it is not waited for any more
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict

import duckdb

from orchestration.notifications.differences import announce_differences
from orchestration.notifications.outbox import Event
from orchestration.plain import for_chat, for_title
from orchestration.settings import Settings
from orchestration.warehouse import warehouse
from orchestration.wording import count, listed, many, minute

CHANNELS = ("oncall",)
Sender = tuple[str, str]  # source and environment, of real data


class Freshness(TypedDict):
    """The columns used of a row of source_freshness. Instants are UTC, without a zone."""

    source: str
    environment: str
    status: str
    last_event_at: datetime
    hours_since_last_event: float
    missing_calls: float | None
    silent_from: datetime | None


class Line(TypedDict):
    """A line of the ledger."""

    kind: Literal["silent", "returned", "ended"]
    source: str
    environment: str
    silent_since: str
    known_at: str


def real_senders(marts: duckdb.DuckDBPyConnection) -> list[Freshness]:
    """The senders of real data, those that are silent for longest first; none in marts of a release that did not watch them."""
    if not marts.execute("from duckdb_tables() where table_name = 'source_freshness'").fetchall():
        return []
    return _rows(marts, FRESHNESS_SQL)


def silent_senders(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """A sentence for each sender of real data that is silent."""
    return [sentence(row) for row in real_senders(marts) if row["status"] == "silent"]


def sentence(row: Freshness) -> str:
    """Who is silent, since when, and what is missing."""
    hours = round(row["hours_since_last_event"])
    lasting = many(hours // 24, "day") if hours >= 48 else many(hours, "hour")
    missing = row["missing_calls"]
    return (
        f"{_named(row)} is silent: no call since {minute(row['last_event_at'])} UTC ({lasting})"
        f"{'' if missing is None else f', about {count(round(missing))} calls are missing'}."
    )


def announce_silences(settings: Settings) -> Counter:
    """Writes to the ledger who fell silent and who came back, and puts the messages into the outbox; counts both."""
    with warehouse(settings) as connection:
        connection.execute("use marts")
        senders = {_sender(row): row for row in real_senders(connection)}
        return announce_differences(
            settings,
            silences_folder(settings),
            lambda lines: _differences(lines, senders, settings.as_of),
            lambda recent, _: (_event(connection, line, senders.get(_sender(line))) for line in recent),
        )


def what_became_of_senders(counts: Counter) -> str:
    """What `announce_silences` counted, in words."""
    said = [
        f"{many(counts[kind], 'sender')} {words}"
        for kind, words in (("silent", "fell silent"), ("returned", "came back"), ("ended", "ended"))
        if counts[kind]
    ]
    return listed(said) or "no sender fell silent or came back"


def silences_folder(settings: Settings) -> Path:
    """Where silences are kept: in the ledger, because what was announced cannot be computed again."""
    return settings.ledger / "source_silences"


def _differences(lines: list[Line], senders: dict[Sender, Freshness], as_of: datetime) -> Iterator[Line]:
    """The lines that bring the ledger up to date: a silence is one until the sender is heard again, however late files move its start."""
    known = {_sender(line): line for line in lines}
    waited_for = {sender: line for sender, line in known.items() if line["kind"] == "silent"}
    for sender, row in senders.items():
        line = waited_for.pop(sender, None)
        heard_since = line and row["last_event_at"].replace(tzinfo=UTC) > datetime.fromisoformat(line["known_at"])
        if row["status"] == "silent" and (line is None or heard_since):
            yield _line("silent", sender, row["last_event_at"].isoformat(), as_of)
        elif line and row["status"] != "silent":
            yield _line("ended" if row["status"] == "ended" else "returned", sender, line["silent_since"], as_of)
    for sender, line in waited_for.items():  # its calls were withdrawn or renamed: nobody can wait for it
        yield _line("ended", sender, line["silent_since"], as_of)


def _line(kind: Literal["silent", "returned", "ended"], sender: Sender, since: str, as_of: datetime) -> Line:
    source, environment = sender
    return {
        "kind": kind,
        "source": source,
        "environment": environment,
        "silent_since": since,
        "known_at": as_of.isoformat(),
    }


def _event(connection: duckdb.DuckDBPyConnection, line: Line, row: Freshness | None) -> Event:
    """The message of a line: a warning, because marts are published all the same. Who was warned hears its end, however soon."""
    is_over = line["kind"] != "silent"
    since = datetime.fromisoformat(line["silent_since"])
    name = for_title(_named(line))
    if line["kind"] == "silent":
        title = f"{name} fell silent"
        body = [sentence(row) if row else "", *_what_lacks(connection, line, since)]
    elif line["kind"] == "returned":
        title = f"{name} is back"
        until = f" until {minute(row['last_event_at'])} UTC" if row else ""
        body = [f"It had been silent since {minute(since)} UTC. Calls have arrived{until}; budgets go on from there."]
        body += _what_is_lost(connection, line, since)
    else:
        title = f"{name} counts as ended"
        body = [f"No call since {minute(since)} UTC: it is not waited for any more, and budgets go on without it."]
    return Event(
        event_key=f"silence/{line['kind']}/{line['source']}/{line['environment']}/{line['silent_since']}",
        topic=f"silence/{line['source']}/{line['environment']}",
        kind="silence",
        severity="warning",
        title=title,
        body="\n".join(for_chat(text) for text in body if text),
        drill_url="",
        occurred_at=since.replace(tzinfo=UTC),
        channels=CHANNELS,
        follows=is_over,
        ends=is_over,
    )


def _what_lacks(connection: duckdb.DuckDBPyConnection, line: Line, since: datetime) -> Iterator[str]:
    """What rests on the missing calls, and where to look first."""
    [(budgets,)] = connection.execute(BUDGETS_SQL, [_named(line)]).fetchall()
    if budgets:
        yield f"Projections wait for it: {listed(budgets)}."
    [(refused,)] = connection.execute(REFUSED_SQL, [line["source"], since]).fetchall()
    if refused:
        yield f"{many(refused, 'line')} of {line['source']} were refused since then: rejected_events says why."
    for file, arrival_date in connection.execute(LAST_FILE_SQL, [line["source"]]).fetchall():
        yield f"The last file with calls is landing/{file}, of {arrival_date}. docs/operate.md says what to check."


def _what_is_lost(connection: duckdb.DuckDBPyConnection, line: Line, since: datetime) -> Iterator[str]:
    """What a silence leaves behind that late files did not fill."""
    left = connection.execute(LEFT_SQL, [line["source"], line["environment"], since]).fetchall()
    for silent_since, returned_at, missing in left:
        lacking = "" if missing is None else f", about {count(round(missing))} calls"
        yield f"Still missing: {minute(silent_since)} to {minute(returned_at)} UTC{lacking}."


FRESHNESS_SQL = """
    select source, environment, status, last_event_at, hours_since_last_event, missing_calls, silent_from
    from source_freshness where data_mode = 'real' order by status <> 'silent', last_event_at, source, environment
"""
BUDGETS_SQL = """
    select list(distinct budget_id order by budget_id) from budget_status
    where is_open and list_contains(string_split(silent_senders, ', '), ?)
"""
REFUSED_SQL = "select count(*) from rejected_events where source = ? and arrival_date >= ?::date"
LAST_FILE_SQL = """
    select landing_file, arrival_date from staging.stg_loads where source = ? and rows_loaded > 0
    order by last_occurred_at desc, arrival_date desc, landing_file limit 1
"""
LEFT_SQL = """
    select silent_since, returned_at, missing_calls from source_silences
    where source = ? and environment = ? and data_mode = 'real' and returned_at >= ? order by silent_since
"""


def _named(row: Freshness | Line) -> str:
    return f"{row['source']} in {row['environment']}"


def _sender(row: Freshness | Line) -> Sender:
    return row["source"], row["environment"]


def _rows(marts: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    found = marts.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
