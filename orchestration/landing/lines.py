"""Any landing file as one JSON object per row, in blocks of bounded size; what is no line is set aside with a reason.

JSONL passes through untouched: a block of bytes becomes an Arrow string column without a copy, so every later rule
is one SQL statement over (line_number, line), whatever the format, and one broken line costs one line.
"""

import csv
import io
import json
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.fields import native_names
from orchestration.landing.files import READ_BYTES
from orchestration.landing.privacy import KEPT_BYTES, WITHHELD_BODY, is_body

PARQUET_ROWS = 16_384
RECORD_BYTES = 1 << 20  # a CSV record over several lines that is longer is a quote that was never closed
NEWLINE, BLANK_BYTES = 10, 64
# Deeper JSON than Python itself reads is refused: json functions of DuckDB 1.5 recurse and crash the process on it.
DEEP_BRACKETS = 2_000
NO_EXTENSIONS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


@dataclass(frozen=True)
class Broken:
    """A line (or with line_number 0 a file) that cannot become an event; `line` may be cut, never more than 64 KiB."""

    line_number: int
    line: str
    reason_code: str
    detail: str


@dataclass(frozen=True)
class Block:
    """Rows of one file: their numbers (1-based, blank lines counted) and JSON texts, and what broke among them."""

    numbers: np.ndarray
    lines: pa.StringArray
    broken: list[Broken] = field(default_factory=list)


class BrokenFile(Exception):  # noqa: N818
    """The file ends or breaks here; the rows before it are good."""

    def __init__(self, reason_code: str, detail: str):
        super().__init__(detail)
        self.reason_code, self.detail = reason_code, detail


def read_blocks(path: Path, extension: str, max_line_bytes: int) -> Iterator[Block]:
    """The blocks of a landing file, in order. A file that breaks off ends with a Broken of line_number 0."""
    rows = 0
    reader = {".jsonl": _json_blocks, ".csv": _csv_blocks, ".parquet": _parquet_blocks}[extension.removesuffix(".gz")]
    source = path if extension == ".parquet" else _chunks(path, gzipped=extension.endswith(".gz"))
    try:
        for block in reader(source, max_line_bytes):
            rows += len(block.numbers) + len(block.broken)
            yield block
    except BrokenFile as end:
        after = f" after {rows} rows, which are judged on their own" if rows else ""
        yield _only_broken(Broken(0, "", end.reason_code, end.detail + after))


def _chunks(path: Path, gzipped: bool) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from _unzipped(stream) if gzipped else iter(lambda: stream.read(READ_BYTES), b"")


def _unzipped(stream) -> Iterator[bytes]:
    """Decompressed chunks. Unlike the gzip module this hands out every byte before a break."""
    member, packed, inside = zlib.decompressobj(wbits=31), b"", False
    while (packed := packed or stream.read(READ_BYTES // 8)) or inside:
        try:
            data = member.decompress(packed, READ_BYTES)
        except zlib.error as error:
            raise BrokenFile("unreadable_file", f"the gzip data cannot be read ({error})") from None
        if data:
            yield data
        if not packed and not data and not member.eof:
            raise BrokenFile("truncated_gzip", "the gzip data breaks off")
        packed, inside = member.unconsumed_tail, True
        if member.eof:  # several members may follow each other; zeros are padding
            packed = member.unused_data.lstrip(b"\0")
            member, inside = zlib.decompressobj(wbits=31), False


def _whole_lines(chunks: Iterator[bytes], max_line_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """(bytes that end with a line, False), or (the head of one overlong line, True): memory stays bounded."""
    rest, skipping = b"", False
    for piece in chunks:
        chunk = piece
        if skipping:
            end = chunk.find(b"\n") + 1
            if not end:
                continue
            chunk, skipping = chunk[end:], False
        data = rest + chunk if rest else chunk
        end = data.rfind(b"\n") + 1
        if end:
            yield data[:end], False
        rest = data[end:]
        if len(rest) > max_line_bytes:
            yield rest[:KEPT_BYTES], True
            rest, skipping = b"", True
    if rest:
        yield rest, False


def _json_blocks(chunks: Iterator[bytes], max_line_bytes: int) -> Iterator[Block]:
    first, seen = 1, False
    for data, too_long in _whole_lines(chunks, max_line_bytes):
        if too_long:
            block, count = _only_broken(_too_long(first, data, max_line_bytes)), 1
        else:
            text = data.removeprefix(b"\xef\xbb\xbf") if first == 1 else data
            ends = np.flatnonzero(np.frombuffer(text, np.uint8) == NEWLINE) + 1
            offsets = np.concatenate([[0], ends, [len(text)] if not ends.size or ends[-1] != len(text) else []])
            lines = pa.StringArray.from_buffers(
                len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(text)
            )
            count = len(lines)
            block = _sound(np.arange(first, first + count), lines, np.diff(offsets), max_line_bytes)
        first, seen = first + count, seen or bool(len(block.numbers) or block.broken)
        yield block
    if not seen:
        raise BrokenFile("empty_file", "there is no line in it")


def _sound(numbers: np.ndarray, lines: pa.StringArray, lengths: np.ndarray, max_line_bytes: int) -> Block:
    """The lines SQL can be given; blank ones are no rows, overlong, undecodable and bottomless ones are broken."""
    broken, drop = [], []
    for at in np.flatnonzero((lengths <= BLANK_BYTES) | (lengths > min(2 * DEEP_BRACKETS, max_line_bytes))):
        line = _bytes(lines, at)
        if not line.strip():
            drop.append(at)
        elif len(line.rstrip(b"\r\n")) > max_line_bytes:
            broken.append(_too_long(int(numbers[at]), line, max_line_bytes))
            drop.append(at)
        elif line.count(b"[") + line.count(b"{") > DEEP_BRACKETS and _is_bottomless(line):
            broken.append(Broken(int(numbers[at]), _head(line), "invalid_json", "it is nested too deeply to be read"))
            drop.append(at)
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        for at in sorted(set(range(len(lines))) - set(drop)):
            if (problem := _utf8_problem(line := _bytes(lines, at))) is not None:
                broken.append(Broken(int(numbers[at]), _head(line), "invalid_utf8", problem))
                drop.append(at)
    if drop:
        keep = np.ones(len(lines), bool)
        keep[drop] = False
        numbers, lines = numbers[keep], lines.filter(pa.array(keep))
    return Block(numbers, lines, broken)


def _bytes(lines: pa.StringArray, at: int) -> bytes:
    return lines[int(at)].as_buffer().to_pybytes()


def _is_bottomless(line: bytes) -> bool:
    try:
        json.loads(line)
    except RecursionError:
        return True
    except ValueError:
        pass
    return False


def _utf8_problem(line: bytes) -> str | None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is 0x{line[error.start]:02x}, which is no UTF-8"
    return None


def _too_long(number: int, line: bytes, max_line_bytes: int) -> Broken:
    return Broken(number, _head(line), "line_too_long", f"it is longer than {max_line_bytes} bytes")


def _head(line: bytes) -> str:
    return line[:KEPT_BYTES].decode(errors="replace").rstrip("\r\n")


def _only_broken(broken: Broken) -> Block:
    return Block(np.zeros(0, np.int64), pa.array([], pa.string()), [broken])


def _csv_blocks(chunks: Iterator[bytes], max_line_bytes: int) -> Iterator[Block]:
    """CSV records as JSON objects of strings; an empty field is an absent one. A record has its first line's number."""
    records = _csv_records(chunks, max_line_bytes)
    header = next(records, None)
    if header is None:
        raise BrokenFile("empty_file", "there is no line in it")
    if isinstance(header, Broken):
        raise BrokenFile("unreadable_file", f"its header cannot be read: {header.detail}")
    names = native_names([name.strip() or f"column_{at}" for at, name in enumerate(header[1], start=1)])
    has_bodies = any(is_body(name) for name in names)
    numbers, texts, broken, size = [], [], [], 0
    for record in records:
        if isinstance(record, Broken):
            broken.append(replace(record, line=WITHHELD_BODY) if has_bodies else record)
            continue
        number, fields = record
        values = {name: value for name, value in zip(names, fields, strict=True) if value}
        numbers.append(number)
        texts.append(json.dumps(values, ensure_ascii=False))
        size += len(texts[-1])
        if size > READ_BYTES:
            yield _made_block(numbers, pa.array(texts, pa.string()), broken, max_line_bytes)
            numbers, texts, broken, size = [], [], [], 0
    yield _made_block(numbers, pa.array(texts, pa.string()), broken, max_line_bytes)


def _csv_records(chunks: Iterator[bytes], max_line_bytes: int) -> Iterator[tuple[int, list[str]] | Broken]:
    """(line number, fields) of the header and of each record as wide as it; what is not is one Broken line.

    A record goes on over following lines while a quote is open. If that leads nowhere, only its first line is
    broken and the next line begins a record again: one stray quote does not swallow the file.
    """
    lines, again, width = _numbered(chunks, max_line_bytes), deque(), None
    while (line := again.popleft() if again else next(lines, None)) is not None:
        if isinstance(line, Broken):
            yield line
            continue
        number, text = line
        if not text.strip():
            continue
        taken, pieces, size, is_open = [], [text], len(text), text.count('"') % 2
        while is_open and size <= RECORD_BYTES:
            more = again.popleft() if again else next(lines, None)
            if more is not None:
                taken.append(more)
            if not isinstance(more, tuple):
                break
            pieces.append(more[1])
            size, is_open = size + len(more[1]), (is_open + more[1].count('"')) % 2
        try:
            fields = next(csv.reader(["".join(pieces)]), [])
        except csv.Error as error:
            fields, problem = None, f"it is no CSV ({error})"
        else:
            problem = f"it has {len(fields)} fields where the header has {width}"
        if is_open:
            problem = "it opens a quote that is not closed"
        if is_open or fields is None or width not in (None, len(fields)):
            yield Broken(number, line[1][:KEPT_BYTES].rstrip("\r\n"), "wrong_column_count", problem)
            again.extendleft(reversed(taken))
        else:
            width = len(fields)
            yield number, fields


def _numbered(chunks: Iterator[bytes], max_line_bytes: int) -> Iterator[tuple[int, str] | Broken]:
    number = 0
    for data, too_long in _whole_lines(chunks, max_line_bytes):
        for line in [data] if too_long else io.BytesIO(data):
            number += 1
            if too_long or len(line) > max_line_bytes:
                yield _too_long(number, line, max_line_bytes)
            elif (problem := _utf8_problem(line)) is not None:
                yield Broken(number, _head(line), "invalid_utf8", problem)
            else:
                yield number, line.decode().removeprefix("\ufeff")


def _parquet_blocks(path: Path, max_line_bytes: int) -> Iterator[Block]:
    """Parquet rows as JSON objects; structs, lists and maps become JSON. The line number is the row number."""
    first = 1
    try:
        with pq.ParquetFile(path) as file, duckdb.connect(config={"threads": 1, **NO_EXTENSIONS}) as database:
            names = native_names(file.schema_arrow.names)
            pairs = ", ".join(f"'{name.replace(chr(39), chr(39) * 2)}', column_{at}" for at, name in enumerate(names))
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                table = pa.Table.from_batches([batch]).rename_columns([f"column_{at}" for at in range(len(names))])
                database.register("batch", table)
                made = database.execute(f"select json_object({pairs})::varchar as line from batch").to_arrow_table()  # noqa: S608
                lines = pa.concat_arrays(made["line"].cast(pa.string()).chunks)
                yield _made_block(range(first, first + len(lines)), lines, [], max_line_bytes)
                first += len(lines)
    except (pa.ArrowException, duckdb.Error, OSError) as error:
        raise BrokenFile("unreadable_file", f"it is no readable Parquet ({str(error).splitlines()[0][:200]})") from None


def _made_block(numbers, lines: pa.StringArray, broken: list[Broken], max_line_bytes: int) -> Block:
    lengths = np.diff(np.frombuffer(lines.buffers()[1], np.int32, len(lines) + 1, 4 * lines.offset)) if lines else []
    block = _sound(np.array(numbers, np.int64), lines, np.asarray(lengths, np.int64), max_line_bytes)
    return Block(block.numbers, block.lines, broken + block.broken)
