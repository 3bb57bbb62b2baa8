"""From (line_number, JSON line or typed fields) to typed rows with a reason code where a row is refused: one SQL for all.

Each batch is first asked which keys its lines have. Fields that no line has become NULL constants, so the cost of a
row is that of the fields it has; fields nobody knows go to `metadata`. Python functions run only on the rare values
that SQL cannot canonicalise (usage, priceContext, metadata with a body in it).
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.landing.database import NO_EXTENSIONS, is_of_data, quoted
from orchestration.landing.event_macros import MACROS
from orchestration.landing.fields import (
    CHOICES,
    FIELD,
    FIELDS,
    LONGEST_ID,
    OF_ROW,
    PRICE_KEY,
    RAW_COLUMNS,
    REQUIRED,
    STRINGS,
    TOKENS,
    camel_case,
    snake_case,
)
from orchestration.landing.mapping_macros import MACROS_OF_MAPPINGS
from orchestration.landing.privacy import (
    ID_FIELDS,
    cleaned,
    cleaned_text,
    hmac_pads,
    id_hasher,
    is_body,
    json_text,
    needs_cleaning,
)
from orchestration.landing.usage import (
    APART,
    LARGEST_COUNT,
    context_json,
    disjoint_usage,
    json_object,
    reread,
    usage_json,
)
from pricing.units import LEAF_OF_COUNT

LONGEST_TEXT = 1_024  # characters of a label: what is longer is not a name
LARGEST_COST = 10**12  # USD: 10^14 such lines still add up within DECIMAL(38,12)
LONGEST_LATENCY = 10 * 366 * 86_400_000  # ms: ten years
MOST_EXTRAS = 100  # more unknown field names than this in one batch are generated names: handled row by row
DEFAULTS = {"environment": "prod", "dataMode": "real", "tokenConvention": "inclusive"}
WHOLE = {**dict.fromkeys(TOKENS, (0, LARGEST_COUNT)), "attempt": (1, 2**31 - 1), "httpStatus": (0, 999)}
# Words of closed lists, and words that select a price: one tier has many spellings.
WITHOUT_CASE = ("status", "environment", "serviceTier", "requestedServiceTier", "region", *CHOICES)

# Lines that SQL reads otherwise than their sender meant: key lists of a batch say whether it has any such line.
IS_TWICE = "coalesce(len(list_distinct(try(json_keys(line)))) < len(try(json_keys(line))), false)"
IS_HALF = r"(not json_valid(line) and contains(lower(line), '\ud'))"
IS_NAN = "contains(line, 'NaN')"
IS_USAGE = "(contains(line, '\"raw') or contains(line, '_text_'))"
ODD = {"is_twice": IS_TWICE, "is_half": IS_HALF, "is_nan": IS_NAN}
HAS_USAGE = f"select coalesce(bool_or({IS_USAGE}), false) from lines"  # noqa: S608
KEYS = f"""
    select
        any_value(keys),
        len(any_value(keys)) > len(list_distinct(any_value(keys))) as is_twice,
        bool_or(case when keys is null then {IS_HALF} end) as is_half,
        bool_or({IS_NAN}) as is_nan,
        not bool_or(contains(line, '\\')) as is_plain,
        max(strlen(line)) as longest,
        count(*) as rows
    from (select line, try(json_keys(line)) as keys from (select {{event}} as line from lines))
    group by keys::varchar
"""  # noqa: S608


@dataclass
class DateRows:
    """What one landing file has for one event date."""

    rows: int = 0
    first_occurred_at: datetime | None = None
    last_occurred_at: datetime | None = None
    price_keys: set[tuple] = field(default_factory=set)

    def include(self, more: "DateRows") -> None:
        """Count in further rows."""
        self.rows += more.rows
        self.first_occurred_at = min(filter(None, (self.first_occurred_at, more.first_occurred_at)), default=None)
        self.last_occurred_at = max(filter(None, (self.last_occurred_at, more.last_occurred_at)), default=None)
        self.price_keys |= more.price_keys


@dataclass
class Converted:
    """What became of one batch."""

    dates: dict[tuple[str, date], DateRows]  # by content hash and event date
    parts: dict[date, list[Path]]  # files written, by event date
    # content hash, line number, item, reason code and detail (tab between), line
    rejects: list[tuple[str, int, int, str, str]]
    passed_over: dict[str, int] = field(
        default_factory=dict
    )  # by content hash: refused lines that are not in `rejects`
    skips: dict[str, Counter] = field(default_factory=dict)  # by content hash: items that are not calls, by reason
    amounts: dict[str, dict[str, Decimal]] = field(default_factory=dict)  # of invoices: by outcome and currency
    scopes: dict[str, set[str]] = field(default_factory=dict)  # of invoices: what an export replaces, as texts


def open_database(memory_limit: str, temp_directory: Path, secret: str) -> duckdb.DuckDBPyConnection:
    """An in-memory database for the workers of a load: each takes a cursor and runs on its own thread."""
    config = {"threads": 1, "memory_limit": memory_limit, "temp_directory": str(temp_directory), **NO_EXTENSIONS}
    database = duckdb.connect(config={key: value for key, value in config.items() if value})
    database.execute("set global TimeZone = 'UTC'")
    database.execute(MACROS + MACROS_OF_MAPPINGS)
    hash_id = id_hasher(secret)
    for name, function in (
        ("context_json", lru_cache(4096)(lambda text: context_json(text, hash_id))),
        ("usage_json", lambda text: usage_json(text, bool(secret))),
        ("disjoint_usage", disjoint_usage),
        ("reread", reread),
        ("cleaned_json", lambda text: cleaned_text(text, hash_id)),
        ("unknown_fields", lambda line: unknown_fields(line, hash_id)),
    ):
        arguments = 2 if name == "disjoint_usage" else 1
        database.create_function(name, function, ["VARCHAR"] * arguments, "VARCHAR")
    return database


def unknown_fields(line: str, hash_id: Callable[[str], str]) -> str:
    """The metadata of a line whose unknown fields have too many or too odd names for columns."""
    event = json.loads(line, parse_constant=lambda _: None)
    metadata = event.get("metadata")
    if isinstance(metadata, str):
        metadata = json_object(metadata) or metadata
    unknown = {key: value for key, value in event.items() if key not in FIELDS and value is not None}
    known = metadata if isinstance(metadata, dict) else {} if metadata in (None, "") else {"metadata": metadata}
    return json_text(cleaned(unknown | known, hash_id))


class Around(NamedTuple):
    """Other rows that are kept with calls: a table, which raw columns it has, and the days of each content."""

    table: str
    there: set[str]
    days: set[tuple[str, date]]


def convert(
    database: duckdb.DuckDBPyConnection,
    lines: pa.Table,
    name_part: Callable[[date], Path],
    load_id: str,
    secret: str,
    give_up: tuple[int, float] = (10_000, 0.9),
) -> Converted:
    """Types, judges and writes a batch with columns content_hash, line_number and line, or a column for each field.

    A batch with a value that DuckDB cannot digest is halved until the one line that is to blame stands alone and is
    rejected. Less memory than a batch needs halves it too, but refuses nothing: where a line alone does not fit, and for
    all other trouble of the machine, the duckdb.Error is raised. Of a file that is refused nearly whole (`give_up`:
    more than so many lines of a batch, and this share of it), the first lines stand for the others.
    """

    def take(there: set[str], _: list[dict]) -> Converted:
        return take_into(database, there, name_part, load_id, "events", give_up)

    return judge(database, lines, secret, take)


def take_into(
    database: duckdb.DuckDBPyConnection,
    there: set[str],
    name_part: Callable[[date], Path],
    load_id: str,
    source: str,
    give_up: tuple[int, float],
    around: Around | None = None,
) -> Converted:
    """Writes the good rows of `typed` by date, and says what became of all of them; without columns, what is around alone."""
    dates = _dates(database, there) if there else {}
    if around:
        dates |= {key: DateRows() for key in around.days if key not in dates}
    parts = {}
    for day in sorted({day for _, day in dates}):
        parts[day] = [name_part(day)]
        rows = (
            [_selected(there, "typed", f"reason is null and event_date = date '{day}'", load_id, source)]
            if there
            else []
        )
        if around:
            rows.append(_selected(around.there, around.table, f"occurred_at::date = date '{day}'", load_id, source))
        _write(database, " union all ".join(rows), parts[day][0])
    rejects, passed_over = _rejects(database, there, *give_up) if there else ([], {})
    return Converted(dates, parts, rejects, passed_over)


def judge(
    database: duckdb.DuckDBPyConnection,
    lines: pa.Table,
    secret: str,
    take: Callable[[set[str], list[dict]], Converted],
    with_all_reasons: bool = False,
) -> Converted:
    """Types and judges a batch, whole or in halves, into the table `typed`; `take` says what became of it.

    `take` gets the columns of that table and the key lists of the batch, each with its number of `rows`. A refused row has a
    `reason` (its code, a tab and the detail) and, where they are asked for, `reasons`: all of them.
    """
    try:
        return _judged_whole(database, lines, secret, take, with_all_reasons)
    except duckdb.Error as error:
        alone = lines.num_rows == 1
        if not (is_of_data(error) or (isinstance(error, duckdb.OutOfMemoryException) and not alone)):
            raise
        if alone:
            (row,) = lines.to_pylist()
            reason = f"invalid_json\tit cannot be read ({type(error).__name__})"
            fields = {name: value for name, value in row.items() if name.startswith(FIELD) and value is not None}
            line = row.get("line") or json.dumps(
                {name.removeprefix(FIELD): str(value) for name, value in fields.items()}
            )
            return Converted({}, {}, [(row["content_hash"], row["line_number"], row.get("item", 1), reason, line)])
    middle = lines.num_rows // 2
    first = judge(database, lines.slice(0, middle), secret, take, with_all_reasons)
    return joined(first, judge(database, lines.slice(middle), secret, take, with_all_reasons))


def joined(one: Converted, other: Converted) -> Converted:
    """Both batches as one."""
    for key, more in other.dates.items():
        one.dates.setdefault(key, DateRows()).include(more)
    for day, parts in other.parts.items():
        one.parts.setdefault(day, []).extend(parts)
    one.rejects.extend(other.rejects)
    for content_hash, lines in other.passed_over.items():
        one.passed_over[content_hash] = one.passed_over.get(content_hash, 0) + lines
    for content_hash, skips in other.skips.items():
        one.skips.setdefault(content_hash, Counter()).update(skips)
    return one


def _judged_whole(database, lines, secret, take, with_all_reasons) -> Converted:
    database.register("lines", lines)
    if "line" in lines.column_names:
        keys, event, types = *_of_lines(database, lines), None
    else:
        keys, event, types = _of_fields(lines)
    of_row = [name for name in OF_ROW if name in lines.column_names]
    statement, parameters = rows_sql(keys, secret, event, types, with_all_reasons, of_row)
    database.execute(f"create or replace temp table typed as {statement}", parameters)
    taken = take({column[0] for column in database.execute("from typed limit 0").description}, keys)
    database.execute("drop table typed")
    database.unregister("lines")
    return taken


def _of_lines(database, lines: pa.Table) -> tuple[list[dict], str]:
    """The key lists of a batch of lines and the expression of the event in one; odd lines are written anew first."""
    keys = _keys(database, "line")
    odd = [condition for name, condition in ODD.items() if any(found[name] for found in keys)]
    if any("usage" in (found["keys"] or ()) for found in keys) and database.execute(HAS_USAGE).fetchone()[0]:
        odd.append(IS_USAGE)
    if odd:
        read_again = database.execute(f"select case when {' or '.join(odd)} then reread(line) end as event from lines")  # noqa: S608
        database.register("lines", lines.append_column("event", read_again.to_arrow_table()["event"]))
        return _keys(database, "coalesce(event, line)"), "coalesce(event, line)"
    return keys, "line"


def _of_fields(lines: pa.Table) -> tuple[list[dict], str, dict[str, pa.DataType]]:
    """The same for a batch of typed fields, which has nothing odd, and the types; the event is what its line would be."""
    names = pc.unique(lines["names"]).to_pylist()
    types = {
        name.removeprefix(FIELD): kind
        for name, kind in zip(lines.column_names, lines.schema.types, strict=True)
        if name.startswith(FIELD)
    }
    texts = [
        pc.max(pc.binary_length(lines[f"{FIELD}{name}"])).as_py()
        for name in types
        if name in STRINGS and pa.types.is_string(types[name])
    ]
    longest = max((length for length in texts if length is not None), default=0)
    rows = {found["values"]: found["counts"] for found in pc.value_counts(lines["names"]).to_pylist()}
    is_plain = "item" not in lines.column_names  # what a mapping read of JSON may hold any character
    keys = [
        {"keys": json.loads(found), "is_plain": is_plain, "longest": longest, "rows": rows[found]} for found in names
    ]
    cases = []
    for found in names:
        pairs = ", ".join(f"'{quoted(name)}', {_column(name)}" for name in json.loads(found))
        cases.append(f"when '{quoted(found)}' then json_object({pairs})::varchar")
    return keys, f"case names {' '.join(cases)} end", types


def with_names(rows: pa.Table, names: list[str]) -> pa.Table:
    """A table of fields with the column that says which they are."""
    same = pa.DictionaryArray.from_arrays(np.zeros(rows.num_rows, np.int32), [json.dumps(names)])
    return rows.append_column("names", same)


def _column(name: str) -> str:
    """The column of a field in a batch of fields."""
    return '"' + f"{FIELD}{name}".replace('"', '""') + '"'


def _text(name: str, kind: pa.DataType) -> str:
    """The text that a typed field would be read as from a line."""
    if isinstance(kind, pa.JsonType):
        return f"({_column(name)} ->> '$')"
    return _column(name) if pa.types.is_string(kind) else f"{_column(name)}::varchar"


def _rejects(database, there: set[str], most: int, share: float) -> tuple[list[tuple], dict[str, int]]:
    """The refused rows, and by content hash how many more there are where nearly all of a content is refused."""
    crowded = database.execute(
        """
        select content_hash, count(reason) - ? from typed group by content_hash
        having count(reason) > ? and count(reason) >= ? * count(*)
        """,
        [most, most, share],
    ).fetchall()
    item = "item" if "item" in there else "1 as item"
    rows = f"select content_hash, line_number, {item}, reason, line from typed where reason is not null"  # noqa: S608
    if not crowded:
        return database.execute(rows).fetchall(), {}
    rows += (
        f" qualify row_number() over (partition by content_hash order by line_number) <= {most}"
        " or not list_contains(?, content_hash)"
    )
    hashes = [content_hash for content_hash, _ in crowded]
    return database.execute(rows, [hashes]).fetchall(), dict(crowded)


def _keys(database, event: str) -> list[dict]:
    """The key lists that occur in a batch, each with what its lines may have that SQL cannot read."""
    found = database.execute(KEYS.format(event=event)).fetchall()
    return [dict(zip(("keys", *ODD, "is_plain", "longest", "rows"), values, strict=True)) for values in found]


def _dates(database, there: set[str]) -> dict[tuple[str, date], DateRows]:
    dates: dict[tuple[str, date], DateRows] = {}
    key = ", ".join(column if column in there else f"null::varchar as {column}" for column in PRICE_KEY)
    for content_hash, day, *price_key, rows, first, last in database.execute(
        f"""
        select content_hash, event_date, {key}, count(*), min(occurred_at), max(occurred_at)
        from typed where reason is null group by all
        """  # noqa: S608
    ).fetchall():
        dates.setdefault((content_hash, day), DateRows()).include(DateRows(rows, first, last, {tuple(price_key)}))
    return dates


def _selected(there: set[str], table: str, condition: str, load_id: str, source: str) -> str:
    """Rows of a table with these columns as rows of a raw file."""
    values = dict.fromkeys(RAW_COLUMNS, "null") | {"item": "1"} | {column: column for column in there}
    values |= {"load_id": f"'{load_id}'", "source": f"'{quoted(source)}'"}
    columns = ", ".join(f"{values[column]}::{kind} as {column}" for column, kind in RAW_COLUMNS.items())
    return f"select {columns} from {table} where {condition}"  # noqa: S608


def _write(database, rows: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    database.execute(f"copy ({rows}) to '{quoted(path)}' (format parquet, compression zstd)")


def merge(database, parts: list[Path], target: Path) -> None:
    """Writes raw files one after the other into one. Raises RuntimeError when a row does not arrive.

    Files of an earlier release may lack columns: they are NULL there.
    """
    listed = ", ".join(f"'{quoted(part)}'" for part in parts)
    source = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
    database.execute(f"copy (from {source}) to '{quoted(target)}' (format parquet, compression zstd)")
    there, arrived = (
        database.execute(f"select sum(num_rows) from parquet_file_metadata([{files}])").fetchone()[0]  # noqa: S608
        for files in (listed, f"'{quoted(target)}'")
    )
    if there != arrived:
        raise RuntimeError(f"{target}: {arrived} rows of {there} arrived in the merged file. Nothing was replaced.")


def rows_sql(
    keys: list[dict],
    secret: str,
    event: str,
    types: dict[str, pa.DataType] | None,
    with_all_reasons: bool = False,
    of_row: Iterable[str] = (),
) -> tuple[str, list]:
    """The SQL from `lines` to every raw column plus event_date, reason and (for refused rows) line; its parameters.

    `keys` are the key lists that occur in the batch, `event` the expression of the event as JSON, and `types` those of the
    fields where each is a column (None: they are read from the event). With `with_all_reasons`, refused rows have `reasons`.
    `of_row` are columns that pass as they are.
    """
    present = {name for found in keys for name in found["keys"] or ()}
    all_objects = all(found["keys"] for found in keys)
    tidy = "tidy_plain" if all(found["is_plain"] for found in keys) else "tidy"
    limited = STRINGS if any(found["longest"] > LONGEST_TEXT for found in keys) else APART
    extras = sorted(present.difference(FIELDS))
    plain = len(extras) <= MOST_EXTRAS and all(_is_plain(name) for name in extras) and _differ(extras)
    extras_read = [name for name in extras if not is_body(name)] if plain else []
    known, numbers = [name for name in FIELDS if name in present], set()
    text = dict.fromkeys(FIELDS, "null::varchar")
    if types is None:
        line, parsed = "line", _parsed(event, known, extras_read, all_objects, of_row)
        text |= {name: f'f."{name}"' for name in known}
        jsons = {name: f'f."{name}"' for name in extras_read}
        event = "event" if all_objects else "case when f is not null then event end"
    else:
        line, parsed = event, "select * from lines"
        text |= {name: _text(name, types[name]) for name in known}
        jsons = {name: f"nullif(to_json({_column(name)})::varchar, 'null')" for name in extras_read}
        numbers = {name for name in known if pa.types.is_int64(types[name]) and name in WHOLE}
        numbers |= {name for name in known if pa.types.is_float64(types[name]) and name == "latencyMs"}
    values = _values(text, present, secret, tidy)
    values |= {snake_case(name): _column(name) for name in numbers}
    metadata = text["metadata"] if "metadata" in present else None
    values["metadata"] = _metadata(metadata, jsons, secret) if plain else f"nullif(unknown_fields({event}), '{{}}')"
    typed = ",\n    ".join(f"{expression} as {column}" for column, expression in values.items())
    filled = {column for column, expression in values.items() if not expression.startswith("null::")}
    filled |= {"tenant_id"} if "metadata" in present else set()
    filled |= {"processing"} if "serviceTier" in present else set()
    there = ", ".join([*of_row, *filled])
    rules = _rules(text, present, numbers, limited, all_objects)
    all_reasons = (
        f", case when reason is not null then {rules.all_reasons()} end as reasons" if with_all_reasons else ""
    )
    pads = list(hmac_pads(secret)) if secret and present.intersection(ID_FIELDS) else []
    statement = f"""
    with parsed as ({parsed}),
    valued as (select parsed.*,
    {typed}
    from parsed{", (select ?::blob as inner_pad, ?::blob as outer_pad)" if pads else ""}),
    counted as (select * {_replaced(present)} from valued),
    judged as (
        select *, occurred_at::date as event_date, {rules.first_reason()} as reason
        from counted
    )
    select content_hash, line_number, event_date, {there}, reason, case when reason is not null then {line} end as line
        {all_reasons}
    from judged
    """  # noqa: S608
    return statement, pads


def _parsed(event: str, known: list[str], extras: list[str], all_objects: bool, of_row: Iterable[str]) -> str:
    """The lines with their fields as texts (of unknown ones as JSON) in `f`, which is NULL for what is not an object."""
    shape = {**dict.fromkeys(known, "VARCHAR"), **dict.fromkeys(extras, "JSON")} or {"model": "VARCHAR"}
    read = f"from_json(event, '{quoted(json.dumps(shape))}')"
    if not all_objects:
        read = f"case when json_valid(event) and json_type(event) = 'OBJECT' then {read} end"
    columns = ", ".join(["content_hash", "line_number", *of_row, "line"])
    return f"select *, {read} as f from (select {columns}, {event} as event from lines)"  # noqa: S608


def _replaced(present: set[str]) -> str:
    """What can be judged of a column only when others are read.

    Units under `usage` come without what the event's own counts or narrower units count already; the tenant of a line
    may be in its metadata.
    """
    replaced = []
    if "usage" in present:
        counts = ", ".join(f"'{snake_case(name)}': {snake_case(name)}" for name in TOKENS)
        counts = f"{{{counts}, 'token_convention': token_convention}}"
        disjoint = f"nullif(disjoint_usage(usage, to_json({counts})), '')"
        replaced.append(f"case when usage like '{{%' then {disjoint} else usage end as usage")
    if "serviceTier" in present:  # Anthropic says of a batch that its tier was batch
        replaced.append(
            "case when service_tier = 'batch' then coalesce(processing, 'batch') else processing end as processing"
        )
        replaced.append(
            "case when processing = 'realtime' then service_tier else nullif(service_tier, 'batch') end as service_tier"
        )
    if "metadata" in present:
        inside = (
            "case when contains(metadata, '\"tenantId\"') then tidy(json_extract_string(metadata, '$.tenantId')) end"
        )
        replaced.append(f"coalesce(tenant_id, {inside}) as tenant_id")
    return f"replace ({', '.join(replaced)})" if replaced else ""


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[\w.:/@ -]{1,100}", name) is not None


def _differ(extras: list[str]) -> bool:
    """Whether the unknown names differ from each other and from the fields when case is ignored, as columns must."""
    lower = {name.lower() for name in extras}
    return len(lower) == len(extras) and not lower & {name.lower() for name in FIELDS}


def _values(text: dict[str, str], present: set[str], secret: str, tidy: str) -> dict[str, str]:
    """Raw column -> expression over the texts `f.<field>`; a field that is not there is a NULL of its type."""
    values = {}
    for name in STRINGS:
        values[snake_case(name)] = f"{tidy}({text[name]})" if name in present else text[name]
    for name in set(WITHOUT_CASE) & present:
        values[snake_case(name)] = f"lower({values[snake_case(name)]})"
    for name, default in DEFAULTS.items():
        column = snake_case(name)
        values[column] = f"coalesce({values[column]}, '{default}')" if name in present else f"'{default}'"
    if secret:
        for name in present.intersection(ID_FIELDS):
            values[snake_case(name)] = f"keyed_hash({values[snake_case(name)]}, inner_pad, outer_pad)"
    for name in WHOLE:
        values[snake_case(name)] = f"whole({text[name]})" if name in present else "null::bigint"
    has = present.__contains__
    values["price_context"] = (
        f"nullif(context_json(tidy({text['priceContext']})), '')" if has("priceContext") else "null::varchar"
    )
    values["usage"] = f"nullif(usage_json(tidy({text['usage']})), '')" if has("usage") else "null::varchar"
    values["latency_ms"] = f"number({text['latencyMs']})" if has("latencyMs") else "null::double"
    values["reported_cost_usd"] = f"money({text['costUsd']})" if has("costUsd") else "null::decimal(38, 12)"
    values["withdrawn"] = (
        f"nullif(nullif(lower(tidy({text['withdrawn']})), 'false'), 'nan')" if has("withdrawn") else "null::varchar"
    )
    values["occurred_at"] = f"instant({occurred_text(text, present)})"
    return values


def occurred_text(text: dict[str, str], present: set[str]) -> str:
    """The time as the sender wrote it: occurredAt, else its alias."""
    both = [f"tidy({text[name]})" for name in ("occurredAt", "createdAt") if name in present]
    return f"coalesce({', '.join(both)})" if both else "null::varchar"


def _metadata(metadata: str | None, extras: dict[str, str], secret: str) -> str:
    """The sender's metadata and every unknown field as one JSON object; where both have a key, metadata's counts.

    `metadata` is its text, `extras` the JSON of each unknown field by name.
    """
    if not metadata and not extras:
        return "null::varchar"
    given = f"case when {metadata} like '{{%' and json_valid({metadata}) then nullif({metadata}, '{{}}') end"
    parts, taken = [], ""
    for name, value in extras.items():
        if metadata:
            taken = f"""case when json_exists({given}, '$."{name}"') then null else """
        end = " end" if metadata else ""
        parts.append(f"""{taken}'"{name}":' || {value}{end}""")
    if metadata:
        other = f"case when json_valid({metadata}) then {metadata} else to_json({metadata})::varchar end"
        parts.append(
            f"coalesce({given}[2:-2], '\"metadata\":' || case when {metadata} not in ('', '{{}}') then {other} end)"
        )
    merged = f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"
    pattern = needs_cleaning(secret).replace("'", "''")
    return (
        f"case when regexp_matches({merged}, '{pattern}', 'i') then nullif(cleaned_json({merged}), '{{}}') "
        f"else nullif({merged}, '{{}}') end"
    )


class Rule(NamedTuple):
    """What refuses a row, in SQL: the condition, and its reason code, a tab and the detail."""

    condition: str
    reason: str


@dataclass(frozen=True)
class Rules:
    """Rules in their order: values are judged where a line is an object, and parts once every value can be read."""

    shape: list[Rule]
    values: list[Rule]
    parts: list[Rule]

    def first_reason(self) -> str:
        """The reason of the first rule a row breaks; NULL for a row that breaks none."""
        return _first([*self.shape, *self.values, *self.parts])

    def all_reasons(self) -> str:
        """The list of the reasons of all rules a refused row breaks."""
        shape, values, parts = f"[{_first(self.shape)}]", _all(self.values), _all(self.parts)
        return f"case when {shape}[1] is not null then {shape} when len({values}) > 0 then {values} else {parts} end"


def _first(rules: list[Rule]) -> str:
    cases = "\n    ".join(f"when {rule.condition} then {rule.reason}" for rule in rules)
    return f"case\n    {cases}\n    end" if rules else "null::varchar"


def _all(rules: list[Rule]) -> str:
    reasons = ", ".join(f"case when {rule.condition} then {rule.reason} end" for rule in rules)
    return f"list_filter([{reasons}]::varchar[], lambda reason: reason is not null)"


def _rules(
    text: dict[str, str], present: set[str], numbers: set[str], limited: Iterable[str], all_objects: bool
) -> Rules:
    """What refuses a row of a batch.

    `numbers` are the fields that came as the numbers they are, `limited` the texts that may be too long in this batch.
    """
    shape, values = [], []
    if not all_objects:
        shape.append(_refuse("f is null and json_valid(event)", "not_an_object", "'it is JSON but no object'"))
        shape.append(_refuse("f is null", "invalid_json", "'it is not JSON'"))
    time = occurred_text(text, present)
    for name in REQUIRED:
        value = time if name == "occurredAt" else snake_case(name)
        values.append(_refuse(f"{value} is null", "missing_field", f"'{name} is missing'"))
    for name in (name for name in limited if name in present):
        most, code = (LONGEST_ID, "id_too_long") if name in APART else (LONGEST_TEXT, "bad_value")
        length, limit = f"length({snake_case(name)})", "" if code == "id_too_long" else f", more than {most}"
        values.append(_refuse(f"{length} > {most}", code, f"'{name} has ' || {length} || ' characters{limit}'"))
    values.append(_refuse("occurred_at is null", "bad_timestamp", f"found('occurredAt', {time})"))
    out_of_range = "year(occurred_at) not between 2015 and 2100"
    values.append(_refuse(out_of_range, "date_out_of_range", f"found('occurredAt', {time})"))
    values.append(_refuse("status not in ('success', 'error')", "bad_status", "found('status', status)"))
    values.extend(_value_rules(text, present, numbers))
    return Rules(shape, values, _part_rules(present))


def _refuse(condition: str, reason_code: str, detail: str) -> Rule:
    return Rule(condition, f"'{reason_code}' || chr(9) || {detail}")


def _value_rules(text: dict[str, str], present: set[str], numbers: set[str]) -> list[Rule]:
    """Words, numbers and objects that cannot be read as what their field holds."""
    rules = []

    def is_wrong(name: str, column: str, least: int, most: int) -> str:
        outside = f"{column} not between {least} and {most}"
        if name in numbers:
            return outside
        return f"{text[name]} is not null and coalesce({outside}, not is_absent({text[name]}))"

    for name in (name for name in CHOICES if name in present):
        words = ", ".join(f"'{word}'" for word in CHOICES[name])
        rules.append(
            _refuse(f"{snake_case(name)} not in ({words})", "bad_value", f"found('{name}', {snake_case(name)})")
        )
    for name in (name for name in WHOLE if name in present):
        least, most = WHOLE[name]
        problem = f"whole_problem('{name}', {text[name]}, {snake_case(name)}, {least}, {most})"
        rules.append(Rule(is_wrong(name, snake_case(name), least, most), problem))
    for name in {"priceContext", "usage"} & present:
        column = snake_case(name)
        rules.append(_refuse(f"starts_with({column}, '!!')", "parts_exceed_total", f"{column}[3:]"))
        rules.append(_refuse(f"starts_with({column}, '!')", "bad_value", f"{column}[2:]"))
    for name, least, most in (("latencyMs", 0, LONGEST_LATENCY), ("costUsd", -LARGEST_COST, LARGEST_COST)):
        if name in present:
            column = {"costUsd": "reported_cost_usd"}.get(name, snake_case(name))
            detail = (
                f"case when {column} is null then found('{name}', {text[name]}) "
                f"else out_of_range('{name}', {text[name]}, {least}, {most}) end"
            )
            rules.append(_refuse(is_wrong(name, column, least, most), "bad_value", detail))
    if "withdrawn" in present:
        rules.append(_refuse("withdrawn <> 'true'", "bad_value", f"found('withdrawn', {text['withdrawn']})"))
    return rules


def _part_rules(present: set[str]) -> list[Rule]:
    """The token leaves of the contract are remainders: none may be negative. Absent parts count 0."""

    def signed(columns: Mapping[str, int]) -> str:
        there = [(column, sign) for column, sign in columns.items() if camel_case(column) in present]
        terms = [f"{'-' if sign < 0 else '+'} coalesce({column}, 0)" for column, sign in there]
        return " ".join(terms).removeprefix("+ ") or "0"

    # A missing side is the total less the other side, when both are known. Reasoning that the total has next to input
    # and output is output too.
    cache = signed({"cache_read_tokens": 1, "cache_write_tokens": 1})
    input_tokens = (
        f"coalesce(input_tokens + case when token_convention = 'exclusive' then {cache} else 0 end, "
        "total_tokens - output_tokens)"
    )
    output_tokens = f"coalesce(output_tokens, total_tokens - ({input_tokens}))"
    if {"totalTokens", "reasoningTokens"} <= present:
        beyond = f"total_tokens - ({input_tokens}) - output_tokens"
        output_tokens = f"{output_tokens} + case when {beyond} = reasoning_tokens then reasoning_tokens else 0 end"
    sides = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    parts_of = {
        column: (sides.get(column) or signed({column: 1}), signed(leaf.counts_of_parts))
        for column, leaf in LEAF_OF_COUNT.items()
        if leaf.parts
    }
    # Lines with other units were judged with them: a token may be in several of these parts.
    alone = "usage is null and " if "usage" in present else ""
    return [
        _refuse(
            f"{alone}{whole} < {parts}",
            "parts_exceed_total",
            f"'the parts of {name} add up to ' || ({parts}) || ', more than the ' || ({whole}) || ' of {name}'",
        )
        for column, (whole, parts) in sorted(parts_of.items(), key=lambda rule: rule[0] in sides)  # the narrowest first
        for name in (camel_case(column),)
        if parts != "0" or ("totalTokens" in present and column in sides)
    ]
