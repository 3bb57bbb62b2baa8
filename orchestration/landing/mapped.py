"""From landed lines of a gateway or tracer to native fields, by its mapping; then one way with native events.

What a mapping does not name never leaves the batch: prompts are read with their line and dropped with it. A line that is
refused is kept as the fields that were made of it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.landing import convert
from orchestration.landing.convert import Around, Converted, joined, judge, take_into
from orchestration.landing.database import is_of_data
from orchestration.landing.fields import FIELD, RAW_COLUMNS, snake_case
from orchestration.landing.mapping import TRACE_FIELDS, Mapping
from orchestration.landing.privacy import ID_FIELDS, WITHHELD_UNREAD, hmac_pads

PIECE_BYTES = 1_500_000  # of lines that are read at once
OF_LINE = ("content_hash", "line_number", "item")
DEEPEST = 64  # spans above a span that are looked at: deeper ones are of a loop
RESTATES = "parent span of a provider call, which restates its usage"


def convert_mapped(mapping: Mapping) -> Callable[..., Converted]:
    """The conversion of a source with a mapping, as `convert` is that of native events."""

    def convert_lines(
        database: duckdb.DuckDBPyConnection,
        lines: pa.Table,
        name_part: Callable[[date], Path],
        load_id: str,
        secret: str,
        give_up: tuple[int, float] = (10_000, 0.9),
    ) -> Converted:
        waiting: list[Around] = []  # goes into the files of the calls that it was found with

        def take(there: set[str], _: list[dict]) -> Converted:
            around = waiting.pop() if waiting else None
            return take_into(database, there, name_part, load_id, mapping.source, give_up, around)

        def judged(rows: pa.Table | None) -> Converted:
            found = judge(database, rows, secret, take) if rows is not None else Converted({}, {}, [])
            return joined(found, take(set(), [])) if waiting else found

        def keep(names: list[str]) -> None:
            waiting.append(_leave_context(database, names, secret))

        return mapped(database, mapping, lines, judged, keep)

    return convert_lines


def mapped(
    database: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    lines: pa.Table,
    judged: Callable[[pa.Table | None], Converted],
    keep: Callable[[list[str]], None] | None = None,
) -> Converted:
    """Maps a batch, whole or in halves where one line of it cannot be, and has its calls judged, if there are any.

    `keep` takes the spans that are not calls but may say something of a call: it gets the fields that they say.
    """
    try:
        database.register("source_lines", _in_pieces(lines))
        _parse(database, mapping)
        keys = frozenset(database.execute(mapping.keys).fetchall()) if mapping.keys else frozenset()
        database.execute(f"create or replace temp table mapped as {mapping.apart(keys)}")
        inherited = _filled(database, mapping.inherits)
        if mapping.inherits:
            _inherit(database, inherited)
        calls = _calls(database, mapping.calls(keys), inherited)
        database.execute("drop table records")
    except duckdb.Error as error:
        alone = lines.num_rows == 1
        if not (is_of_data(error) or (isinstance(error, duckdb.OutOfMemoryException) and not alone)):
            raise
        if alone:
            (row,) = lines.select(["content_hash", "line_number", "item"]).to_pylist()
            reason = f"bad_value\tmappings/{mapping.source}.yml cannot be computed for it ({type(error).__name__})"
            return Converted({}, {}, [(row["content_hash"], row["line_number"], row["item"], reason, WITHHELD_UNREAD)])
        middle = lines.num_rows // 2
        first = mapped(database, mapping, lines.slice(0, middle), judged, keep)
        return joined(first, mapped(database, mapping, lines.slice(middle), judged, keep))
    finally:
        database.unregister("source_lines")
    left = _left_out(database)
    if mapping.inherits and keep:
        keep(inherited)
    database.execute("drop table mapped")
    return joined(left, _with_hints(judged(calls), mapping))


def _parse(database: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Makes `records` of the lines; each of them is tried only where one cannot be read."""
    try:
        database.execute(f"create or replace temp table records as {mapping.parse}")
    except duckdb.Error as error:
        if not is_of_data(error):
            raise
        database.execute(f"create or replace temp table records as {mapping.parse_each}")


def _in_pieces(lines: pa.Table) -> pa.Table:
    """The lines in pieces that DuckDB reads one after the other: what is made of one stays in the processor's cache."""
    rows = max(1, PIECE_BYTES * lines.num_rows // max(1, lines.nbytes))
    return pa.Table.from_batches(lines.to_batches(max_chunksize=rows), lines.schema)


def _left_out(database: duckdb.DuckDBPyConnection) -> Converted:
    """What is skipped, by content and reason, and the lines that cannot be read."""
    found = Converted({}, {}, [])
    for content_hash, why, rows in database.execute(
        "select content_hash, skip, count(*) from mapped where skip is not null group by all"
    ).fetchall():
        found.skips.setdefault(content_hash, Counter())[why] = rows
    for content_hash, line_number, item in database.execute(
        "select content_hash, line_number, item from mapped where is_broken"
    ).fetchall():
        found.rejects.append((content_hash, line_number, item, "invalid_json\tit is not JSON", WITHHELD_UNREAD))
    return found


def _filled(database: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> list[str]:
    """Those of some fields that any record has."""
    counts = ", ".join(f'count("{FIELD}{name}")' for name in names)
    found = database.execute(f"select {counts} from mapped").fetchone() or () if names else ()  # noqa: S608
    return [name for name, count in zip(names, found, strict=True) if count]


def _calls(database: duckdb.DuckDBPyConnection, statement: str, inherited: list[str]) -> pa.Table | None:
    """The calls of a batch as a table of native fields: of a hundred fields, it has the dozen that any of them has."""
    if inherited:
        values = ", ".join(f'coalesce("{FIELD}{name}", nearest.{name}) as "{FIELD}{name}"' for name in inherited)
        statement = (
            f"select calls.* replace ({values}) from ({statement}) as calls left join nearest "  # noqa: S608
            f"on {_key('spanId')} = nearest.start"
        )
    rows = database.execute(statement).to_arrow_table()
    if not rows.num_rows:
        return None
    filled = [name for name in rows.column_names if rows[name].null_count < rows.num_rows]
    rows = rows.select(sorted(filled, key=lambda name: (name not in OF_LINE, name)))
    there = [name.removeprefix(FIELD) for name in rows.column_names if name.startswith(FIELD)]
    return _as_lines(database, rows, there) if "usage" in there else convert.with_names(rows, there)


def _as_lines(database: duckdb.DuckDBPyConnection, rows: pa.Table, names: list[str]) -> pa.Table:
    """Rows with a provider's own usage object as lines of native events: those are looked into."""
    pairs = ", ".join(f"""'{name}', "{FIELD}{name}" """ for name in names)
    of_row = ", ".join(name for name in rows.column_names if not name.startswith(FIELD))
    database.register("mapped_fields", rows)
    lines = database.execute(
        f"select {of_row}, json_object({pairs})::varchar as line from mapped_fields"  # noqa: S608
    ).to_arrow_table()
    database.unregister("mapped_fields")
    return lines


def _with_hints(found: Converted, mapping: Mapping) -> Converted:
    """The rejects with what the mapping says of a field that is missing."""
    if not mapping.hints:
        return found
    rejects = []
    for content_hash, line_number, item, reason, line in found.rejects:
        code, _, detail = reason.partition("\t")
        hint = mapping.hints.get(detail.removesuffix(" is missing")) if code == "missing_field" else None
        rejects.append((content_hash, line_number, item, f"{reason} ({hint})" if hint else reason, line))
    return replace(found, rejects=rejects)


def _key(field: str) -> str:
    """The span that a field names, as a number of 64 bits: to compare file, trace and span as texts takes twice as long."""
    return f'hash(content_hash, "{FIELD}traceId", "{FIELD}{field}")'


def _inherit(database: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    """Finds in `nearest` what calls lack and the nearest span above them has; a call above a call is skipped.

    Only spans of one file are looked at, so that rows do not depend on what else was loaded with it; models do the rest.
    """
    trace, span, parent = (f'"{FIELD}{name}"' for name in TRACE_FIELDS)
    database.execute(
        f"""
        create or replace temp table spans as
        select {_key("spanId")} as key,
            any_value(case when {parent} is not null then {_key("parentSpanId")} end) as parent,
            any_value(skip is null) as is_call{"".join(f', any_value("{FIELD}{name}") as {name}' for name in names)}
        from mapped
        where {span} is not null and not is_broken
            and {trace} in (select {trace} from mapped where skip is null and {parent} is not null)
        group by all
        """  # noqa: S608
    )
    found = "".join(f", coalesce(walk.{name}, spans.{name}) as {name}" for name in names)
    is_done = " and ".join(f"walk.{name} is not null" for name in ("call", *names))
    database.execute(
        f"""
        create or replace temp table nearest as
        with recursive walk as (
            select key as start, parent as above, 1 as depth, null::ubigint as call
                {"".join(f", null::varchar as {name}" for name in names)}
            from spans where is_call
            union all
            select start, spans.parent, depth + 1, coalesce(call, case when is_call then key end) {found}
            from walk inner join spans on above = key
            where depth <= {DEEPEST} and not ({is_done})
        )
        select start, any_value(call) as call {"".join(f", any_value({name}) as {name}" for name in names)}
        from walk group by start
        """  # noqa: S608
    )
    database.execute(
        f"""
        update mapped set skip = '{RESTATES}'
        where skip is null and {_key("spanId")} in (select call from nearest)
        """  # noqa: S608
    )
    database.execute("drop table spans")


def _leave_context(database: duckdb.DuckDBPyConnection, names: list[str], secret: str) -> Around:
    """Leaves spans that are not calls in a table, for calls below them in other files: raw rows without a status.

    Those that say something a call may take, and those of a trace that has such a span or a call in this batch: they lead
    from one to the other.
    """
    trace = f'"{FIELD}traceId"'
    said = " or ".join(["skip is null", *(f'"{FIELD}{name}" is not null' for name in names)])
    pads = hmac_pads(secret) if secret else (b"", b"")
    values = {snake_case(name): f'tidy("{FIELD}{name}")' for name in (*names, *TRACE_FIELDS)}
    if secret:
        for name in (name for name in ID_FIELDS if name in names):
            values[snake_case(name)] = f"keyed_hash({values[snake_case(name)]}, inner_pad, outer_pad)"
    values |= {name: name for name in ("content_hash", "line_number", "item", "emitter")}
    values["occurred_at"] = f'instant("{FIELD}occurredAt")'
    columns = ", ".join(f"({value})::{RAW_COLUMNS[name]} as {name}" for name, value in values.items())
    database.execute(
        f"""
        create or replace temp table context as
        select {columns} from mapped, (select ?::blob as inner_pad, ?::blob as outer_pad)
        where skip is not null and "{FIELD}spanId" is not null and {trace} is not null and {trace} not in (
            select {trace} from mapped where {trace} is not null group by all having not bool_or({said})
        )
        """,  # noqa: S608
        list(pads),
    )
    within = "occurred_at between timestamp '2015-01-01' and timestamp '2100-12-31'"
    days = database.execute(f"select distinct content_hash, occurred_at::date from context where {within}").fetchall()  # noqa: S608
    return Around("context", set(values), set(days))
