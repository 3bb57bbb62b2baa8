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
from orchestration.landing.convert import Converted, DateRows, joined, judge, quoted, take_into
from orchestration.landing.database import is_of_data
from orchestration.landing.fields import FIELD, RAW_COLUMNS, snake_case
from orchestration.landing.mapping import TRACE_FIELDS, Mapping
from orchestration.landing.privacy import ID_FIELDS, WITHHELD_UNREAD, hmac_pads

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
        def take(there: set[str], _: list[dict]) -> Converted:
            return take_into(database, there, name_part, load_id, mapping.source, give_up)

        def keep(names: list[str]) -> Converted:
            return _write_context(database, mapping, names, name_part, load_id, secret)

        return mapped(database, mapping, lines, lambda rows: judge(database, rows, secret, take), keep)

    return convert_lines


def mapped(
    database: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    lines: pa.Table,
    judged: Callable[[pa.Table], Converted],
    keep: Callable[[list[str]], Converted] | None = None,
) -> Converted:
    """Maps a batch, whole or in halves where one line of it cannot be, and has its calls judged.

    `keep` writes spans that are not calls but may say something of a call: it gets the fields that calls take from them.
    """
    try:
        database.register("source_lines", lines)
        database.execute(f"create or replace temp table mapped as {mapping.statement}")
        if mapping.inherits:
            _inherit(database, mapping)
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
        left = joined(left, keep(_inherited(mapping)))
    calls = _calls(database, mapping)
    database.execute("drop table mapped")
    return joined(left, _with_hints(judged(calls), mapping)) if calls is not None else left


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


def _calls(database: duckdb.DuckDBPyConnection, mapping: Mapping) -> pa.Table | None:
    """The calls of a batch as a table of native fields, without those that none of them has."""
    rows = database.execute(
        "select * exclude (skip, is_broken) from mapped where skip is null and not is_broken"
    ).to_arrow_table()
    if not rows.num_rows:
        return None
    empty = [name for name in rows.column_names if rows[name].null_count == rows.num_rows]
    rows = rows.drop_columns(
        [name for name in empty if name.startswith(FIELD) or name in ("emitter", "source_version")]
    )
    names = [name.removeprefix(FIELD) for name in rows.column_names if name.startswith(FIELD)]
    return _as_lines(database, rows, names) if "usage" in names else convert.with_names(rows, names)


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


def _inherit(database: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Spans take what they lack from the nearest span above them that has it; a call above a call is skipped.

    Only spans of one file are looked at, so that rows do not depend on what else was loaded with it; models do the rest.
    """
    trace, span, parent = (f'"{FIELD}{name}"' for name in TRACE_FIELDS)
    columns = [f'"{FIELD}{name}"' for name in _inherited(mapping)]
    database.execute(
        f"""
        create or replace temp table above as
        with recursive spans as (
            select content_hash, {trace} as trace, {span} as span, any_value({parent}) as parent,
                any_value(skip is null) as is_call, {", ".join(f"any_value({c}) as {c}" for c in columns)}
            from mapped where {span} is not null and not is_broken group by all
        ),
        walk(content_hash, trace, start, parent, depth) as (
            select content_hash, trace, span, parent, 1 from spans where parent is not null and is_call
            union all
            select walk.content_hash, walk.trace, walk.start, spans.parent, walk.depth + 1
            from walk inner join spans
                on walk.content_hash = spans.content_hash and walk.trace = spans.trace and walk.parent = spans.span
            where walk.depth < {DEEPEST} and spans.parent is not null
        )
        select walk.content_hash, walk.trace, walk.start, walk.depth, spans.span, spans.is_call,
            {", ".join(f"spans.{c}" for c in columns)}
        from walk inner join spans
            on walk.content_hash = spans.content_hash and walk.trace = spans.trace and walk.parent = spans.span
        """  # noqa: S608
    )
    nearest = ", ".join(f"arg_min({c}, depth) filter ({c} is not null) as {c}" for c in columns)
    database.execute(
        f"""
        create or replace temp table mapped as
        with calls as (select content_hash, {trace} as trace, {span} as span from mapped where skip is null),
        restating as (
            select distinct above.content_hash, above.trace, above.span
            from above inner join calls
                on above.content_hash = calls.content_hash and above.trace = calls.trace and above.start = calls.span
            where above.is_call
        ),
        nearest as (select content_hash, trace, start, {nearest} from above group by all)
        select mapped.* replace (
            {", ".join(f"coalesce(mapped.{c}, nearest.{c}) as {c}" for c in columns)},
            coalesce(mapped.skip, case when restating.span is not null then '{RESTATES}' end) as skip
        )
        from mapped
        left join nearest on mapped.content_hash = nearest.content_hash
            and mapped.{trace} = nearest.trace and mapped.{span} = nearest.start
        left join restating on mapped.content_hash = restating.content_hash
            and mapped.{trace} = restating.trace and mapped.{span} = restating.span
        """  # noqa: S608
    )
    database.execute("drop table above")


def _inherited(mapping: Mapping) -> list[str]:
    """The fields that a call takes from the spans above it."""
    return [name for name in mapping.inherits if name in mapping.fields]


def _write_context(
    database: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    names: list[str],
    name_part: Callable[[date], Path],
    load_id: str,
    secret: str,
) -> Converted:
    """Writes spans that are not calls, for calls below them in other files: raw rows without a status, which no call lacks.

    Those that say something a call may take, and those of a trace that has such a span or a call in this batch: they lead
    from one to the other.
    """
    trace = f'"{FIELD}traceId"'
    said = " or ".join(f'"{FIELD}{name}" is not null' for name in names)
    pads = hmac_pads(secret) if secret else (b"", b"")
    values = {snake_case(name): f'tidy("{FIELD}{name}")' for name in (*names, *TRACE_FIELDS)}
    if secret:
        for name in (name for name in ID_FIELDS if name in names):
            values[snake_case(name)] = f"keyed_hash({values[snake_case(name)]}, inner_pad, outer_pad)"
    values |= {name: name for name in ("content_hash", "line_number", "item", "emitter")}
    values |= {"load_id": f"'{load_id}'", "source": f"'{mapping.source}'"}
    columns = ", ".join(f"({values.get(name, 'null')})::{kind} as {name}" for name, kind in RAW_COLUMNS.items())
    columns = columns.replace("(null)::TIMESTAMP as occurred_at", f'instant("{FIELD}occurredAt") as occurred_at')
    database.execute(
        f"""
        create or replace temp table context as
        select {columns} from mapped, (select ?::blob as inner_pad, ?::blob as outer_pad)
        where skip is not null and "{FIELD}spanId" is not null and {trace} in (
            select {trace} from mapped where skip is null or {said}
        )
        """,  # noqa: S608
        list(pads),
    )
    kept = Converted({}, {}, [])
    within = "occurred_at between timestamp '2015-01-01' and timestamp '2100-12-31'"
    for content_hash, day in database.execute(
        f"select distinct content_hash, occurred_at::date from context where {within}"  # noqa: S608
    ).fetchall():
        kept.dates[content_hash, day] = DateRows()
        kept.parts.setdefault(day, [])
    for day in kept.parts:
        path = name_part(day)
        path.parent.mkdir(parents=True, exist_ok=True)
        database.execute(
            f"copy (from context where occurred_at::date = date '{day}') to '{quoted(path)}' "
            "(format parquet, compression zstd)"
        )
        kept.parts[day].append(path)
    database.execute("drop table context")
    return kept
