"""What stopped a build, as sentences that name test or model, file, line and request, and what to do next.

Read from what dbt left behind: the results of its run, and the warehouse in its current state. A failed test is asked again for its
rows; those that name an attempt or a line give the line itself, those that name a date and its dimensions the likeliest lines.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from shlex import quote
from signal import Signals

import duckdb

from orchestration.sentences import advice_about_the_machine
from orchestration.settings import Settings
from orchestration.warehouse import WarehouseBusyError, warehouse
from orchestration.wording import first_line, innermost

Line = tuple[str, int, str]  # landing file, line number, request

LINES = 10  # named for one test
ROWS = 100  # of a test whose lines are looked for
TESTS = 5  # of which lines are named: one broken row breaks many tests
ADVICE = (
    "`make set-aside FILE={file} LINE={line}` lets the next run publish without a line, `make take-back` counts it again "
    "(docs/operate.md, When a run fails)."
)
# How an error of DuckDB or dbt begins that values cannot cause, and one that only values cause. Any other may be of either.
OF_CODE = ("Catalog Error", "Binder Error", "Parser Error", "Compilation Error")
OF_VALUES = ("Conversion Error", "Out of Range Error", "Invalid Input Error")
NOT_OF_VALUES = "No line that landed causes such an error: please report it with state/dbt/build.log."
# What a row of a test may hold -> the columns of the fact that it finds its lines by, surest first.
EXACT = (
    {"landing_content_hash": "landing_content_hash", "landing_line_number": "landing_line_number"},
    {"content_hash": "landing_content_hash", "line_number": "landing_line_number"},
    {"attempt_key": "attempt_key"},
    {"request_id": "request_id"},
)
SCOPE = ("source", "environment", "data_mode")
DIMENSIONS = ("endpoint_tag", "prompt_version", "feature_tag", "tenant_id", "user_id", "provider", "model")


def why_the_build_failed(settings: Settings, since: datetime) -> str:
    """Sentences about each test and model that failed in the dbt run that began at `since` (UTC, no zone); '' where dbt left nothing."""
    results = [result for result in _results(settings, since) if result["status"] in ("fail", "error")]
    try:
        with warehouse(settings) as connection:
            return " ".join(_sentences(connection, results, settings))
    except (duckdb.Error, WarehouseBusyError) as error:
        named = ", ".join(_name(result) for result in results)
        return f"{named} failed; the lines that caused it cannot be determined: {first_line(error)}" if named else ""


def why_dbt_stopped(settings: Settings, error: BaseException | None) -> str:
    """The error that ended dbt before it had results, and what to do where the machine or a lock is the cause."""
    said = innermost(str(error or ""))
    if killed := re.search(r"exit code `-(\d+)`", said):
        return (
            f"dbt was ended by {Signals(int(killed[1])).name}, as the system does where memory ran out (a smaller "
            "TOKENTRAIL_MEMORY_LIMIT leaves more of it), or somebody did. What it had built is kept: run again."
        )
    advice = advice_about_the_machine(said, settings.data)
    return f"{said}. {advice}" if advice else said


def _results(settings: Settings, since: datetime) -> list[dict]:
    path = settings.state / "dbt" / "run_results.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text())
    is_of_this_run = datetime.fromisoformat(found["metadata"]["generated_at"]).replace(tzinfo=None) >= since
    return found["results"] if is_of_this_run else []


def _name(result: dict) -> str:
    return result["unique_id"].split(".")[2]


def _sentences(connection: duckdb.DuckDBPyConnection, results: list[dict], settings: Settings) -> Iterator[str]:
    example = None
    for result in results[:TESTS]:
        ask = _lines_of_test if result["status"] == "fail" else _largest_new
        yield _what_failed(result)
        if result["status"] == "error" and (advice := _advice_without_lines(str(result["message"]), settings)):
            yield advice
            continue
        try:
            words, lines = ask(connection, result)
        except duckdb.Error as error:
            yield f"The lines that caused it cannot be determined: {first_line(error)}."
            continue
        if lines:
            yield f"{words} {_listed(lines)}."
            example = example or lines[0]
    if len(results) > TESTS:
        yield f"{len(results) - TESTS} more failed: state/dbt/build.log has them."
    if example:
        yield ADVICE.format(file=quote(example[0]), line=example[1])


def _what_failed(result: dict) -> str:
    if result["status"] == "fail":
        rows = "1 row fails" if result["failures"] == 1 else f"{result['failures']} rows fail"
        return f"{_name(result)}: {rows}."
    verb = "asked" if result["unique_id"].startswith("test.") else "built"
    return f"{_name(result)} could not be {verb}: {first_line(result['message'])}."


def _advice_without_lines(message: str, settings: Settings) -> str:
    """What to do about an error of the machine or of the code; '' where a line may be the cause. A value that is quoted decides nothing."""
    said = first_line(message)
    if said.startswith(OF_VALUES):
        return ""
    is_of_code = said.startswith(OF_CODE) or message.startswith(OF_CODE)
    return advice_about_the_machine(said, settings.data) or (NOT_OF_VALUES if is_of_code else "")


def _listed(lines: list[Line]) -> str:
    return "; ".join(f"landing/{file} line {line}, request {request}" for file, line, request in lines)


def _lines_of_test(connection: duckdb.DuckDBPyConnection, result: dict) -> tuple[str, list[Line]]:
    """The lines behind the rows of a test: those that its rows name, else those of the same date and dimensions."""
    rows = f"select * from ({result['compiled_code']}) limit {ROWS}"  # noqa: S608
    connection.execute(f"create or replace temp table failing as {rows}")
    there = {name for (name,) in connection.execute("select column_name from (describe failing)").fetchall()}
    exact = next((columns for columns in EXACT if columns.keys() <= there), None)
    if not exact and "event_date" not in there:
        return "", []
    same = [f"fact.{theirs} = failing.{ours}" for ours, theirs in (exact or {"event_date": "event_date"}).items()]
    # a test may leave a dimension out of some of its rows
    same += [
        f"(failing.{name} is null or fact.{name} = failing.{name})"
        for name in (*SCOPE, *(() if exact else DIMENSIONS))
        if name in there
    ]
    lines = connection.execute(
        f"""
        with lines as (
            select distinct fact.landing_content_hash, fact.landing_line_number, fact.request_id, fact.cost_usd,
                fact.load_id > {_SINCE} as is_new
            from marts.fct_attempts as fact inner join failing on {" and ".join(same)}
        )
        select arrivals.landing_file, lines.landing_line_number, lines.request_id
        from lines inner join intermediate.int_arrivals as arrivals on lines.landing_content_hash = arrivals.content_hash
        order by lines.is_new desc, abs(lines.cost_usd) desc nulls last, 1, 2 limit {LINES}
        """  # noqa: S608
    ).fetchall()
    return ("The lines are" if exact else "The most likely lines are"), lines


# Load ids sort by time: what was loaded after the newest row that readers see was built is new to them.
_SINCE = "coalesce((select strftime(max(built_at), '%Y%m%dT%H%M%S') from tokentrail.verified), '')"


def _largest_new(connection: duckdb.DuckDBPyConnection, _: dict) -> tuple[str, list[Line]]:
    """The lines with the largest counts among those that arrived since the last publication: what a sum or a cast fails at."""
    dates = connection.execute(
        f"select distinct event_date from staging.stg_loads where event_date is not null and load_id > {_SINCE}"  # noqa: S608
    ).fetchall()
    if not dates:
        return "", []
    listed = ", ".join(f"date '{day}'" for (day,) in dates)
    lines = connection.execute(
        f"""
        select arrivals.landing_file, events.line_number, events.request_id
        from staging.stg_events as events
        inner join intermediate.int_arrivals as arrivals
            on events.source = arrivals.source and events.content_hash = arrivals.content_hash
        where events.event_date in ({listed}) and events.load_id > {_SINCE}
        order by greatest(events.input_tokens, events.output_tokens, abs(events.reported_cost_usd)) desc nulls last, 1, 2
        limit 3
        """  # noqa: S608
    ).fetchall()
    return "The largest figures that arrived since the last publication are in", lines
