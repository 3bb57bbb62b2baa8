"""Parquet rows as typed columns or JSON lines: batches bounded by what they decode to, texts without their mark, NaN for
missing.

Columns of numbers, times and harmless texts stay as they are. What needs a look inside (lists and structs, bytes, a text
that is nested deeply or says NaN, a row that may be too long) becomes JSON, and is judged as any other line.
"""

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.landing.database import is_of_data, open_memory
from orchestration.landing.fields import FIELD, FIELDS, native_names
from orchestration.landing.files import READ_BYTES
from orchestration.landing.lines import (
    MOST_DEEP,
    Block,
    Broken,
    BrokenFile,
    Expansion,
    check_names,
    is_suspicious,
    sound_block,
)
from orchestration.landing.privacy import is_body
from orchestration.settings import Settings

BATCH_ROWS = 16_384
CELL_BYTES = 8  # the least that a value takes once it is decoded, nulls included
NAME_BYTES = 4_096  # names of columns beyond these count as expansion: every JSON line repeats them
NO_LINES = pa.array([], pa.string())
CONTROLS = 0x20  # bytes below are control characters
EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999  # us: years 1 to 9999, what JSON lines can say
VALUE_BYTES = 64  # as much JSON as a value that is not text becomes at most, the signs around it included
DICTIONARIES = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}


def parquet_blocks(
    path: Path,
    expansion: Expansion,
    settings: Settings,
    database=None,
    takes_fields: bool = False,
    is_native: bool = True,
    as_texts: bool = False,
) -> Iterator[Block]:
    """Parquet rows as JSON objects; structs, lists and maps become JSON. The line number is the row number.

    With `takes_fields`, rows that need no look inside stay columns. Those of a source with a mapping (not `is_native`) keep
    their names, and what the mapping may look into. `as_texts` writes numbers and times as texts, so that no decimal becomes
    a float; an empty column stays a name.

    Raises BrokenFile for what is not readable Parquet, OSError, MemoryError or duckdb.Error for the machine's trouble.
    """
    try:
        with (
            path.open("rb") as stream,
            _opened(stream) as file,
            database.cursor() if database else open_memory(settings) as own,
        ):
            check_names(file.schema_arrow.names)
            if not file.metadata.num_rows:
                raise BrokenFile("empty_file", "there is no row in it")
            first = 1
            for batch in _batches(file, expansion, is_native):
                texts = _as_texts(batch) if as_texts else batch
                yield from _blocks(texts, first, expansion, settings, own, takes_fields, is_native)
                first += batch.num_rows
    except (pa.ArrowException, duckdb.Error, OSError, MemoryError) as error:
        if _is_of_machine(error):
            raise
        raise BrokenFile("unreadable_file", f"it is no readable Parquet ({str(error).splitlines()[0][:200]})") from None


def _as_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with blanks for nulls, and with decimals, floats and times as they are printed."""
    columns = []
    for column in batch.columns:
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        if not (pa.types.is_nested(kind) or _is_binary(kind)):
            column = pc.fill_null(column.cast(pa.string()), "")
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def count_rows(path: Path) -> int | None:
    """Rows of a Parquet file, as its footer says."""
    try:
        return pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError):
        return None


def _is_of_machine(error: Exception) -> bool:
    if isinstance(error, MemoryError):  # a broken footer asks for more than any machine has
        asked = re.search(r"size (\d+)", str(error))
        return not (asked and int(asked[1]) > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    if isinstance(error, OSError):  # what pyarrow finds wrong in the bytes has no error number
        return error.errno not in (None, errno.EINVAL)
    return isinstance(error, duckdb.Error) and not is_of_data(error)


def _opened(stream) -> pq.ParquetFile:
    """The file, its dictionaries left as they are: 800 times one text of a megabyte is one megabyte until it is read."""
    metadata = pq.read_metadata(stream)
    columns = {
        column.path_in_schema
        for group in range(metadata.num_row_groups)
        for column in map(metadata.row_group(group).column, range(metadata.num_columns))
        if column.physical_type == "BYTE_ARRAY" and DICTIONARIES & set(column.encodings)
    }
    stream.seek(0)
    return pq.ParquetFile(stream, metadata=metadata, read_dictionary=sorted(columns))


def _batches(file: pq.ParquetFile, expansion: Expansion, is_native: bool) -> Iterator[pa.RecordBatch]:
    """Record batches of about READ_BYTES, as the footer promises; columns of prompts and completions are not read."""
    names = file.schema_arrow.names
    kept = [name for name in names if not (is_native and is_body(name))]
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        columns = [group.column(at) for at in range(group.num_columns)]
        cells = sum(column.num_values for column in columns) - group.num_rows * len(columns)  # elements of lists
        size = max(sum(column.total_uncompressed_size for column in columns), CELL_BYTES * cells, 1)
        expansion.foresee(size)
        rows = max(1, min(BATCH_ROWS, group.num_rows * READ_BYTES // size))
        yield from file.iter_batches(
            batch_size=rows, row_groups=[number], columns=kept if len(kept) < len(names) else None
        )


def _blocks(
    batch: pa.RecordBatch,
    first: int,
    expansion: Expansion,
    settings: Settings,
    database,
    takes_fields: bool,
    is_native: bool,
) -> Iterator[Block]:
    """The rows of a batch, in slices that decode to about READ_BYTES; what is too long never becomes text."""
    names = native_names(batch.schema.names) if is_native else batch.schema.names
    name_bytes = sum(len(name.encode()) + CELL_BYTES for name in names)
    values = sum((_value_bytes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))
    too_long = values > settings.max_line_bytes
    detail = f"it is longer than {settings.max_line_bytes} bytes"
    broken = [Broken(first + int(at), "", "line_too_long", detail) for at in np.flatnonzero(too_long)]
    numbers = np.arange(first, first + batch.num_rows)[~too_long]
    if too_long.any():
        batch, values = batch.filter(pa.array(~too_long)), values[~too_long]
    lines = values + name_bytes
    slices = (np.cumsum(lines) - lines) // READ_BYTES
    for start in np.flatnonzero(np.diff(slices, prepend=-1)):
        rows = int(np.searchsorted(slices, slices[start], side="right") - start)
        expansion.add(int(values[start : start + rows].sum()) + rows * max(0, name_bytes - NAME_BYTES))
        part, at = batch.slice(start, rows), numbers[start : start + rows]
        # a column that is empty here says nothing, and would be read as a field of every line
        filled = [
            (name, _plain(column)) for name, column in zip(names, part.columns, strict=True) if _has_values(column)
        ]
        longest = 2 * int(values[start : start + rows].max()) + name_bytes + VALUE_BYTES * len(names)
        fields = _fields(filled, database) if takes_fields and longest <= settings.max_line_bytes else None
        block = Block(at, NO_LINES, [], fields)
        if fields is None:
            block = _judged_block(filled, at, settings.max_line_bytes, database)
        yield replace(block, broken=broken + block.broken)
        broken = []
    if broken:
        yield Block(np.zeros(0, np.int64), NO_LINES, broken)


def _fields(filled: list[tuple[str, pa.Array]], database) -> pa.Table | None:
    """The columns and, as `names`, which they are; None where as lines they might be read otherwise.

    That is so for names that differ in case only or say NaN, for a `usage` (it may hold a provider's own object), for values
    that may have no text, and for texts that `sound_block` or `reread` might object to.
    """
    names = [name for name, _ in filled]
    if not names or len({name.lower() for name in names}) < len(names) or "usage" in names or "NaN" in "".join(names):
        return None
    typed = [_typed(name, column, database) for name, column in filled]
    columns = [column for column in typed if column is not None]
    if len(columns) < len(typed):
        return None
    names_column = pa.DictionaryArray.from_arrays(np.zeros(len(columns[0]), np.int32), [json.dumps(names)])
    return pa.table([*columns, names_column], names=[*(f"{FIELD}{name}" for name in names), "names"])


def _typed(name: str, column: pa.Array, database) -> pa.Array | None:
    """A column as SQL takes it for what JSON would say; None for one that it might not."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return column
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        return column.cast(pa.int64())
    if pa.types.is_float64(kind):
        return column if pc.all(pc.is_finite(column)).as_py() else None
    if pa.types.is_timestamp(kind) and kind.unit == "us":
        extremes = pc.min_max(column.cast(pa.int64())).as_py()
        return column if extremes["min"] >= EARLIEST and extremes["max"] <= LATEST else None
    if isinstance(kind, pa.JsonType) and (name == "metadata" or name not in FIELDS):
        return column if not _is_odd(column, MOST_DEEP - 1) and _is_json(column, database) else None
    return column if pa.types.is_string(kind) and not _is_odd(column) else None


def _is_json(column: pa.Array, database) -> bool:
    database.register("batch", pa.table({"value": column.drop_null().cast(pa.string())}))
    return database.execute("select bool_and(json_valid(value)) from batch").fetchone()[0]


def _is_odd(column: pa.StringArray, most_deep: int = MOST_DEEP) -> bool:
    """Whether a text has a control character, says NaN, or is nested deeply."""
    offsets = np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, 4 * column.offset)
    text = np.frombuffer(column.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    if (text < CONTROLS).any() or b"NaN" in text.tobytes():
        return True
    return len(text) > 0 and bool(is_suspicious(text, offsets - offsets[0], np.diff(offsets), most_deep).any())


def _has_values(column: pa.Array) -> bool:
    return column.null_count < len(column)


def _judged_block(filled: list[tuple[str, pa.Array]], numbers: np.ndarray, max_line_bytes: int, database) -> Block:
    """Rows as lines; those with bytes that are not text in a field of ours are broken. Elsewhere such bytes stay, as \\xNN."""
    names, columns = [name for name, _ in filled], [column for _, column in filled]
    problems: dict[int, str] = {}
    for name, column in zip(names, columns, strict=True):
        if name in FIELDS and _is_binary(column.type):
            for at, value in enumerate(column.to_pylist()):
                if value is not None and not _is_text(value):
                    problems.setdefault(at, f"{name} holds bytes that are no UTF-8")
    if not problems:
        return _sound(names, columns, numbers, max_line_bytes, database)
    is_bad = np.isin(np.arange(len(numbers)), list(problems))
    kept = _sound(
        names,
        [_plain(column.filter(pa.array(~is_bad))) for column in columns],
        numbers[~is_bad],
        max_line_bytes,
        database,
    )
    bad = _sound(
        names, [column.filter(pa.array(is_bad)) for column in columns], numbers[is_bad], max_line_bytes, database
    )
    detail = dict(zip(numbers[is_bad].tolist(), (problems[at] for at in sorted(problems)), strict=True))
    broken = [
        Broken(number, line, "invalid_utf8", detail[number])
        for number, line in zip(bad.numbers.tolist(), bad.lines.to_pylist(), strict=True)
    ]
    return Block(kept.numbers, kept.lines, kept.broken + broken + bad.broken)


def _sound(names, columns, numbers, max_line_bytes: int, database) -> Block:
    read, lines, unread = _json_lines(database, names, columns, numbers)
    block = sound_block(read, lines, max_line_bytes)
    return Block(block.numbers, block.lines, unread + block.broken)


def _json_lines(database, names, columns, numbers) -> tuple[np.ndarray, pa.StringArray, list[Broken]]:
    """One JSON object per row; a row with a value that cannot be written, such as a date in the year 300000, is broken."""
    if not len(numbers) or not columns:
        return numbers, pa.array(["{}"] * len(numbers), pa.string()), []
    table = pa.table(columns, names=[f"column_{at}" for at in range(len(columns))])
    pairs = ", ".join(f"'{name.replace(chr(39), chr(39) * 2)}', column_{at}" for at, name in enumerate(names))
    try:
        database.register("batch", table)
        made = database.execute(f"select json_object({pairs})::varchar as line from batch").to_arrow_table()  # noqa: S608
        return numbers, pa.concat_arrays(made["line"].cast(pa.string()).chunks), []
    except duckdb.Error as error:
        if not is_of_data(error):
            raise
        if len(numbers) == 1:
            detail = f"it has a value that cannot be read ({str(error).splitlines()[0][:100]})"
            return numbers[:0], pa.array([], pa.string()), [Broken(int(numbers[0]), "", "bad_value", detail)]
    middle = len(numbers) // 2
    first = _json_lines(database, names, [column[:middle] for column in columns], numbers[:middle])
    second = _json_lines(database, names, [column[middle:] for column in columns], numbers[middle:])
    return np.concatenate([first[0], second[0]]), pa.concat_arrays([first[1], second[1]]), first[2] + second[2]


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _plain(array: pa.Array) -> pa.Array:
    """Values as JSON can hold them: bytes that are UTF-8 are text, whatever their mark, and NaN is a missing number."""
    kind = array.type
    if isinstance(kind, pa.ExtensionType) and kind.extension_name != "arrow.uuid":
        return _plain(array.storage)
    if pa.types.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if pa.types.is_floating(kind):
        array = array.cast(pa.float32()) if pa.types.is_float16(kind) else array
        return pc.if_else(pc.is_nan(array), None, array)
    if _is_binary(kind):
        try:
            return array.cast(pa.binary()).cast(pa.string())
        except pa.ArrowInvalid:
            return array
    if pa.types.is_string(kind):
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            return array.cast(pa.binary())
    if pa.types.is_decimal(kind):
        return array.cast(pa.string())
    if pa.types.is_struct(kind):
        children = [_plain(child) for child in array.flatten()]
        fields = [pa.field(kind.field(at).name, child.type) for at, child in enumerate(children)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null()) if children else array
    if pa.types.is_map(kind):
        whole = array.take(pa.array(np.arange(len(array))))  # from_arrays knows no slices
        return pa.MapArray.from_arrays(whole.offsets, _plain(whole.keys), _plain(whole.items), mask=whole.is_null())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        whole = array.take(pa.array(np.arange(len(array))))
        return type(whole).from_arrays(whole.offsets, _plain(whole.values), mask=whole.is_null())
    return array


def _value_bytes(array: pa.Array) -> np.ndarray:
    """About how many bytes of text each row's value becomes."""
    kind = array.type
    if isinstance(kind, pa.ExtensionType):
        return _value_bytes(array.storage)
    if pa.types.is_dictionary(kind):
        return np.append(_value_bytes(array.dictionary), CELL_BYTES)[_filled(array.indices, len(array.dictionary))]
    if pa.types.is_fixed_size_binary(kind):
        return np.full(len(array), kind.byte_width, np.int64)
    if _is_binary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _filled(pc.binary_length(array), CELL_BYTES)
    if pa.types.is_struct(kind):
        children = (_value_bytes(child) for child in array.flatten())
        return sum(children, np.full(len(array), CELL_BYTES, np.int64))
    if pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = [array.keys, array.items] if pa.types.is_map(kind) else [array.values]
        sums = np.concatenate([[0], np.cumsum(sum(_value_bytes(values) for values in inner))])
        offsets = array.offsets.to_numpy(zero_copy_only=False)
        return sums[offsets[1:]] - sums[offsets[:-1]] + CELL_BYTES
    return np.full(len(array), CELL_BYTES, np.int64)


def _filled(array: pa.Array, fill: int) -> np.ndarray:
    return pc.fill_null(array.cast(pa.int64()), fill).to_numpy(zero_copy_only=False)
