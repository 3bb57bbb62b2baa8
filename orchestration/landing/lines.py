"""Any landing file as one JSON object per row, in blocks of bounded size; what is not a line is rejected with a reason.

JSONL passes through untouched: a block of bytes becomes an Arrow string column without a copy, so every later rule
is one SQL statement over (line_number, line), whatever the format, and one broken line costs one line.
"""

import csv
import io
import json
import re
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.landing.fields import native_names
from orchestration.landing.files import READ_BYTES
from orchestration.landing.privacy import KEPT_BYTES, WITHHELD_BODY, is_body
from orchestration.settings import Settings

RECORD_BYTES = 1 << 20  # a CSV record over several lines that is longer is a quote that was never closed
HEADER_BYTES = 64 << 10
PACKED_BYTES = 64 << 10  # read from gzip at once: what follows a member is copied, and members may be tiny
ALWAYS_BYTES = 64 << 20  # what any file may expand to, however small it is
BATCH_LINES = 16  # times the longest line: a document, or a line of an exporter that batches its records
ZSTD = b"\x28\xb5\x2f\xfd"
BLOCK_LINES = 65_536  # a block has no more: lines of a byte or two would need fifty times their size
PIECE_BYTES = 64 << 10
CACHED_BYTES = 512 << 10  # what is made of so many bytes stays in the processor's cache
PAGE_STARTS = 500  # characters within which the array of a page begins
MOST_DEEP = 100  # JSON functions of DuckDB 1.5 recurse and crash the process on deep JSON; an event is 3 levels deep
# What Python reads as a number. Longer ones would abort the conversion of all the lines around them.
MOST_DIGITS = 4_300
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
# Escapes of surrogates: a pair, also in JSON inside of a text, where a backslash is written as two or more, or a half.
SURROGATES = re.compile(rb"\\u[dD](?:[89abAB][\da-fA-F]{2}(\\+u[dD][c-fC-F][\da-fA-F]{2})?|[c-fC-F][\da-fA-F]{2})")
BETWEEN_OBJECTS = re.compile(rb"\}\s*\{")  # of one document never, but in its texts
MOST_TITLES = 30  # lines above the header of an export
DELIMITERS = ",;\t|"
NEWLINE, QUOTE, BACKSLASH = b'\n"\\'
OPENING, CLOSING, CASE = 0x5B, 0x5D, 0x20  # `[` and `{` differ in one bit, which is cleared before they are compared
BLANK = np.isin(np.arange(256), np.frombuffer(b" \t\r\n\v\f", np.uint8))
DIGIT = np.isin(np.arange(256), np.frombuffer(b"0123456789", np.uint8))


@dataclass(frozen=True)
class Broken:
    """A line (or with line_number 0 a file) that cannot become an event; `line` may be cut, never more than 64 KiB."""

    line_number: int
    line: str
    reason_code: str
    detail: str


@dataclass(frozen=True)
class Block:
    """Rows of one file: their numbers (1-based, blank lines counted) and JSON texts, and what broke among them.

    In place of the texts there may be typed `fields`, a column each under the names of the event. Several of one array have the
    same number, and their place in it (1-based) in `items`.
    """

    numbers: np.ndarray
    lines: pa.StringArray
    broken: list[Broken] = field(default_factory=list)
    fields: pa.Table | None = None
    items: np.ndarray | None = None


class BrokenFile(Exception):  # noqa: N818
    """The file ends or breaks here; the rows before it are good."""

    def __init__(self, reason_code: str, detail: str):
        super().__init__(detail)
        self.reason_code, self.detail = reason_code, detail


class Expansion:
    """How far a file has expanded while it was read, against what it may."""

    def __init__(self, landed_bytes: int, most: int):
        self.landed_bytes, self.most, self.read_bytes = landed_bytes, most, 0

    def add(self, read_bytes: int) -> None:
        """Count what was decompressed or decoded. Raises BrokenFile when the file holds out of proportion to its size."""
        self.foresee(read_bytes)
        self.read_bytes += read_bytes

    def foresee(self, more_bytes: int) -> None:
        """Raises BrokenFile when so many bytes more would be too many."""
        if self.read_bytes + more_bytes > max(ALWAYS_BYTES, self.most * self.landed_bytes):
            raise BrokenFile(
                "file_given_up",
                f"it expands to more than {self.most} times its {self.landed_bytes:,} bytes, and what follows is unread",
            )


def read_blocks(
    path: Path,
    extension: str,
    settings: Settings,
    database=None,
    takes_fields: bool = False,
    has_batches: bool = False,
    as_texts: bool = False,
    pages: tuple[str, ...] = (),
) -> Iterator[Block]:
    """The blocks of a landing file, in order. A file that breaks off ends with a Broken of line_number 0.

    `database` is the DuckDB connection that reads Parquet (default: one of its own under the memory limit), and
    `takes_fields` leaves rows of Parquet as typed columns where the texts in them need no second look. A line that
    `has_batches` may hold many records, bodies included: it may be longer, and an array is its items, also one under a name
    of `pages`. With `as_texts`,
    values stay as they are written, whoever reads them: an array is one line, a CSV may have another delimiter and its blank
    fields are there. Raises OSError when the file cannot be read, and MemoryError or duckdb.Error when this machine is in trouble.
    """
    rows, expansion = 0, Expansion(path.stat().st_size, settings.max_expansion)
    has_texts_to_mend = has_batches and not as_texts
    longest = settings.max_line_bytes * (BATCH_LINES if has_batches else 1)
    if extension == ".parquet":
        from orchestration.landing.parquet import parquet_blocks

        settings = replace(settings, max_line_bytes=longest)
        blocks = parquet_blocks(path, expansion, settings, database, takes_fields, not has_batches, as_texts)
    else:
        chunks = _chunks(path, extension.rpartition(".")[2], expansion)
        if extension.startswith(".json.") or extension == ".json":
            chunks, longest = (
                _documents(chunks, settings.max_line_bytes * BATCH_LINES),
                settings.max_line_bytes * BATCH_LINES,
            )
            has_batches = True
        if extension.startswith(".csv"):
            blocks = _csv_blocks(chunks, expansion, longest, is_native=not has_batches, as_texts=as_texts)
        else:
            blocks = _json_blocks(chunks, expansion, longest)
    if has_texts_to_mend:
        blocks = map(_mended, blocks)
    if has_batches and not as_texts:
        blocks = _with_items(blocks, database, pages)
    try:
        for block in blocks:
            rows += len(block.numbers) + len(block.broken)
            yield block
    except BrokenFile as end:
        after = f" after {rows} rows, which are judged on their own" if rows else ""
        yield only_broken(Broken(0, "", end.reason_code, end.detail + after))


def count_lines(path: Path, extension: str, settings: Settings) -> int | None:
    """How many lines (rows of a table) a file has, blank ones included; None when it cannot be counted within bounds."""
    if extension == ".parquet":
        from orchestration.landing.parquet import count_rows

        return count_rows(path)
    expansion = Expansion(path.stat().st_size, settings.max_expansion)
    try:
        return sum(chunk.count(b"\n") for chunk in _chunks(path, extension.rpartition(".")[2], expansion))
    except BrokenFile:
        return None


def _chunks(path: Path, packing: str, expansion: Expansion) -> Iterator[bytes]:
    with path.open("rb") as stream:
        unpack = {"gz": _unzipped, "zst": _unpacked_zstd}.get(packing)
        if unpack is None:
            yield from iter(lambda: stream.read(READ_BYTES), b"")
            return
        gathered, size = [], 0
        try:
            for data in unpack(stream):
                expansion.add(len(data))
                gathered.append(data)
                size += len(data)
                if size >= READ_BYTES:
                    yield b"".join(gathered)
                    gathered, size = [], 0
        except BrokenFile:
            yield b"".join(gathered)  # every byte before the break
            raise
        yield b"".join(gathered)


def _unzipped(stream) -> Iterator[bytes]:
    """Decompressed chunks. Unlike the gzip module this hands out every byte before a break."""
    member, packed, inside = zlib.decompressobj(wbits=31), b"", False
    while (packed := packed or stream.read(PACKED_BYTES)) or inside:
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


def _unpacked_zstd(stream) -> Iterator[bytes]:
    """Decompressed chunks of zstd, also as the Collector's file exporter writes it: a length of 4 bytes before each batch."""
    head = stream.read(8)
    if head[4:] == ZSTD and head[:4] != ZSTD:
        stream.seek(0)
        while length := stream.read(4):
            packed = stream.read(int.from_bytes(length, "big"))
            yield from _zstd_frames(io.BytesIO(packed))
            yield b"\n"
        return
    stream.seek(0)
    yield from _zstd_frames(stream)


def _zstd_frames(stream) -> Iterator[bytes]:
    try:
        with pa.CompressedInputStream(stream, "zstd") as unpacked:
            while data := unpacked.read(PACKED_BYTES * 16):
                yield data
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise BrokenFile(
            "unreadable_file", f"the zstd data cannot be read ({str(error).splitlines()[0][:100]})"
        ) from None


def _documents(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    """The chunks of a file of JSON lines as they are; of documents over several lines, or without a line break, each as a line."""
    head, size = [], 0
    for chunk in chunks:
        head.append(chunk)
        size += len(chunk)
        if b"\n" in chunk.rstrip() or size > most:
            break
    whole = b"".join(head)
    start = whole.removeprefix(b"\xef\xbb\xbf").lstrip()
    first, _, rest = start.partition(b"\n")
    values = [*_values(start)] if size <= most and not rest.strip() else []
    if len(values) > 1:
        yield b"\n".join(values)
        return
    if not rest.strip() or _is_json(first) or (first[:1] == b"{" and first.rstrip()[-1:] == b"}"):
        yield whole
        yield from chunks
        return
    pieces, size = [start], len(start)
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise BrokenFile("line_too_long", f"it is one document of more than {most:,} bytes")
        pieces.append(chunk)
    # a line break inside of a text is written \\n, so those that are left stand between the values
    yield b"\n".join(_values(b"".join(pieces).replace(b"\r", b" ").replace(b"\n", b" ")))


def _values(text: bytes) -> Iterator[bytes]:
    """JSON objects that are written one after the other, as deliveries that are put into one file are; else the text as it is."""
    if not BETWEEN_OBJECTS.search(text):
        yield text
        return
    read, whole, start = json.JSONDecoder().raw_decode, text.decode(errors="surrogateescape").strip(), 0
    while start < len(whole):
        try:
            _, end = read(whole, start)
        except (ValueError, RecursionError):
            end = len(whole)
        yield whole[start:end].encode(errors="surrogateescape")
        while whole[end : end + 1].isspace():
            end += 1
        start = end


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _mended(block: Block) -> Block:
    """A block with U+FFFD for each half of a surrogate pair, where a prompt was cut: DuckDB reads no line that has one.

    Its escape has the same length, so that lines stay where they are.
    """
    text = block.lines.buffers()[2] if block.fields is None and len(block.lines) else None
    if text is None or not _has_backslash(np.frombuffer(text, np.uint8)) or not SURROGATES.search(text):
        return block
    whole = SURROGATES.sub(lambda found: found[0] if found[1] else b"\\ufffd", text)
    buffers = [*block.lines.buffers()[:2], pa.py_buffer(whole)]
    return replace(
        block, lines=pa.Array.from_buffers(pa.string(), len(block.lines), buffers, offset=block.lines.offset)
    )


def _with_items(blocks: Iterator[Block], database, pages: tuple[str, ...] = ()) -> Iterator[Block]:
    """Lines that are arrays as their items, each with its place; so is a page of an API, with its array under a name.

    A page has few other names, so that its array is near its beginning.
    """
    of_pages = "".join(
        f"""when json_type(line, '$.{name}') = 'ARRAY' then from_json(json_extract(line, '$.{name}'), '["JSON"]')::varchar[] """
        for name in pages
    )
    for block in blocks:
        if block.fields is not None or not _may_have_items(block.lines, pages):
            yield block
            continue
        database.register("arrays", pa.table({"number": block.numbers, "line": block.lines}))
        found = database.execute(
            f"""
            select number, coalesce(unnest(records), 'null') as line, generate_subscripts(records, 1) as item
            from (
                select number, case when not json_valid(line) then [line]
                    when starts_with(ltrim(line), '[') then from_json(line, '["JSON"]')::varchar[]
                    {of_pages} else [line] end as records
                from arrays
            )
            """  # noqa: S608
        ).to_arrow_table()
        database.unregister("arrays")
        lines = pa.concat_arrays(found["line"].cast(pa.string()).chunks or [pa.array([], pa.string())])
        yield replace(
            block, numbers=found["number"].to_numpy(), lines=lines, items=found["item"].to_numpy().astype(np.int64)
        )


def _may_have_items(lines: pa.StringArray, pages: tuple[str, ...]) -> bool:
    """Whether a line is an array, or begins as a page does."""
    if pc.any(pc.match_substring_regex(lines, r"^\s*\[")).as_py():
        return True
    if not pages:
        return False
    starts = pc.utf8_slice_codeunits(lines, 0, PAGE_STARTS)
    return bool(pc.any(pc.match_substring_regex(starts, rf'"({"|".join(pages)})"\s*:\s*\[')).as_py())


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


def _json_blocks(chunks: Iterator[bytes], _: Expansion, max_line_bytes: int) -> Iterator[Block]:
    first, seen = 1, False
    for data, too_long in _whole_lines(chunks, max_line_bytes):
        if too_long:
            seen, first = True, first + 1
            yield only_broken(_too_long(first - 1, data, max_line_bytes))
            continue
        text = data.removeprefix(b"\xef\xbb\xbf") if first == 1 else data
        for piece in _pieces(text):
            ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == NEWLINE) + 1
            offsets = np.concatenate([[0], ends, [len(piece)] if not ends.size or ends[-1] != len(piece) else []])
            lines = pa.StringArray.from_buffers(
                len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(piece)
            )
            block = sound_block(np.arange(first, first + len(lines)), lines, max_line_bytes)
            first, seen = first + len(lines), seen or bool(len(block.numbers) or block.broken)
            yield block
    if not seen:
        raise BrokenFile("empty_file", "there is no line in it")


def _pieces(text: bytes) -> Iterator[bytes]:
    """Whole lines in pieces of at most BLOCK_LINES lines (more only where a stretch of 64 KiB has more)."""
    if text.count(b"\n") <= BLOCK_LINES:
        yield text
        return
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + PIECE_BYTES) + 1 or len(text)
        yield text[start:end]
        start = end


def sound_block(numbers: np.ndarray, lines: pa.StringArray, max_line_bytes: int) -> Block:
    """The lines SQL can be given; blank ones are not rows, overlong, undecodable and bottomless ones are broken."""
    if not lines.nbytes or not len(lines):
        return Block(numbers, lines)
    offsets = np.frombuffer(lines.buffers()[1], np.int32, len(lines) + 1, 4 * lines.offset)
    text = np.frombuffer(lines.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    starts, lengths = offsets[:-1], np.diff(offsets)
    drop = np.zeros(len(lines), bool)
    if (BLANK[text[np.minimum(starts, len(text) - 1)]] | (lengths == 0)).any():
        drop = _per_line(~BLANK[text], offsets) == 0
    broken = []

    def refuse(at: int, reason_code: str, detail: str, ending: str = "") -> None:
        broken.append(Broken(int(numbers[at]), _head(_bytes(lines, at)).rstrip(ending or "\n"), reason_code, detail))
        drop[at] = True

    for at in np.flatnonzero((lengths > max_line_bytes) & ~drop).tolist():
        if len(_bytes(lines, at).rstrip(b"\r\n")) > max_line_bytes:
            refuse(at, *_length_problem(max_line_bytes))
    for at in np.flatnonzero(is_suspicious(text, offsets, lengths) & ~drop).tolist():
        if problem := _shape_problem(_bytes(lines, at)):
            refuse(at, "invalid_json", problem, "]} ")  # without its end nobody will try to walk through it again
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        for at in np.flatnonzero((_per_line(text >= 0x80, offsets) > 0) & ~drop).tolist():
            if problem := _utf8_problem(_bytes(lines, at)):
                refuse(at, "invalid_utf8", problem)
    if drop.any():
        numbers, lines = numbers[~drop], lines.filter(pa.array(~drop))
    return Block(numbers, lines, broken)


def _per_line(marks: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """How many bytes of each line are marked."""
    return np.diff(np.searchsorted(np.flatnonzero(marks), offsets))


def is_suspicious(text: np.ndarray, offsets: np.ndarray, lengths: np.ndarray, most_deep: int = MOST_DEEP) -> np.ndarray:
    """Lines that may be nested too deeply or hold an endless number: enough brackets, or two digits as far apart.

    The first of `offsets` is 0.
    """
    suspicious = np.zeros(len(lengths), bool)
    if lengths.max() > 2 * most_deep:
        opening = _bits(text, OPENING, CASE)
        suspicious = _most_in_line(opening, offsets) > most_deep
        if suspicious.any():
            suspicious &= _may_be_deep(text, offsets, opening, most_deep)
    if lengths.max() > MOST_DIGITS:
        at = np.arange(0, len(text), MOST_DIGITS // 9)  # a longer run of digits has eight of these side by side
        digits = DIGIT[text[at]]
        starts = max(len(at) - 7, 0)
        is_run = np.logical_and.reduce([digits[place : place + starts] for place in range(8)])
        of_line = np.searchsorted(offsets, at[:starts][is_run], side="right") - 1
        suspicious[of_line[of_line < len(lengths)]] = True
        suspicious &= lengths > 2 * most_deep
    return suspicious


def _may_be_deep(text: np.ndarray, offsets: np.ndarray, opening: np.ndarray, most_deep: int) -> np.ndarray:
    """Lines that may be nested more deeply, or have so many brackets in their texts that one of these may be.

    A batch of spans has many brackets next to each other, and reading each such line would cost more than loading it. Whole
    words of 64 bytes are judged, so that a line may be suspected for brackets of the words that it begins and ends in.
    """
    if _has_backslash(text):
        text = np.frombuffer(text.tobytes().replace(b"\\\\", b"  ").replace(b'\\"', b"  "), np.uint8)
    quotes = _bits(text, QUOTE)
    in_text = _between(quotes)
    is_open = np.diff(in_text[offsets >> 6] >> (offsets & 63).astype(np.uint64) & np.uint64(1)) != 0
    if is_open.any():  # a line ends in a text, which does not go on in the next one
        ends = offsets[1:][is_open] - 1
        np.bitwise_xor.at(quotes, ends >> 6, np.uint64(1) << (ends & 63).astype(np.uint64))
        in_text = _between(quotes)
    opened = np.bitwise_count(opening & ~in_text).astype(np.int32)
    closed = np.bitwise_count(_bits(text, CLOSING, CASE) & ~in_text)
    depth = np.cumsum(opened - closed)
    deepest = depth + closed  # at most, in each word
    first, last = offsets[:-1] >> 6, offsets[1:] >> 6
    deepest_in_line = np.maximum(np.maximum.reduceat(deepest, first), deepest[last])
    is_deep = deepest_in_line - (depth - opened)[first] > most_deep
    return is_deep | (_most_in_line(opening & in_text, offsets) > most_deep)


def _bits(text: np.ndarray, mark: int, cleared: int = 0) -> np.ndarray:
    """A bit for each byte that is `mark` without its `cleared` bits, in words of 64; the last word has one that is of no byte."""
    words, kept = np.zeros(len(text) // 64 + 1, np.uint64), np.uint8(0xFF ^ cleared)
    packed = words.view(np.uint8)
    for at in range(0, len(text), CACHED_BYTES):
        bits = np.packbits((text[at : at + CACHED_BYTES] & kept) == mark, bitorder="little")
        packed[at // 8 : at // 8 + len(bits)] = bits
    return words


def _has_backslash(text: np.ndarray) -> bool:
    return any((text[at : at + CACHED_BYTES] == BACKSLASH).any() for at in range(0, len(text), CACHED_BYTES))


def _between(quotes: np.ndarray) -> np.ndarray:
    """The bits from after each opening quote to the one that closes it."""
    inside = quotes.copy()
    for distance in (1, 2, 4, 8, 16, 32):  # each bit becomes the parity of those up to it in its word
        inside ^= inside << np.uint64(distance)
    inside[1:] ^= -np.bitwise_xor.accumulate(inside >> np.uint64(63))[:-1]
    return inside ^ quotes


def _most_in_line(bits: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """How many bytes of each line are marked, at most: those of whole words."""
    so_far = np.concatenate([[0], np.cumsum(np.bitwise_count(bits), dtype=np.int64)])
    return so_far[(offsets[1:] + 63) >> 6] - so_far[offsets[:-1] >> 6]


def _shape_problem(line: bytes) -> str | None:
    """What keeps DuckDB or Python from reading a suspicious line."""
    too_deep = f"it is nested too deeply to be read, in more than {MOST_DEEP} levels"
    if _depth(line) > MOST_DEEP:
        return too_deep
    try:
        value = json.loads(line)
    except ValueError as error:
        return f"it has a number of more than {MOST_DIGITS} digits" if "digits" in str(error) else None
    return too_deep if _has_deep_text(value) else None


def _has_deep_text(value) -> bool:
    """Whether a text inside is JSON that is too deep: bodies are looked for there too."""
    for text in _texts(value):
        if text.startswith(("{", "[")):
            try:
                inside = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if _depth(text.encode(errors="replace")) > MOST_DEEP or _has_deep_text(inside):
                return True
    return False


def _depth(line: bytes) -> int:
    """How deep brackets are nested outside of strings."""
    brackets = np.frombuffer(STRING.sub(b"", line), np.uint8)
    opening, closing = (brackets & 0xDF) == OPENING, (brackets & 0xDF) == CLOSING
    return int(np.cumsum(opening.astype(np.int64) - closing).max(initial=0))


def _texts(value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _bytes(lines: pa.StringArray, at: int) -> bytes:
    return lines[int(at)].as_buffer().to_pybytes()


def _utf8_problem(line: bytes) -> str | None:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16: save it as UTF-8"
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is 0x{line[error.start]:02x}, which is no UTF-8"
    return None


def _length_problem(max_line_bytes: int) -> tuple[str, str]:
    return "line_too_long", f"it is longer than {max_line_bytes} bytes"


def _too_long(number: int, line: bytes, max_line_bytes: int) -> Broken:
    return Broken(number, _head(line), *_length_problem(max_line_bytes))


def _head(line: bytes) -> str:
    return line[:KEPT_BYTES].decode(errors="replace").rstrip("\r\n")


def only_broken(broken: Broken) -> Block:
    """A block without a sound line."""
    return Block(np.zeros(0, np.int64), pa.array([], pa.string()), [broken])


def _csv_blocks(
    chunks: Iterator[bytes], expansion: Expansion, max_line_bytes: int, is_native: bool = True, as_texts: bool = False
) -> Iterator[Block]:
    """CSV records as JSON objects of strings; an empty field is an absent one. A record has its first line's number."""
    records = _csv_records(chunks, max_line_bytes, DELIMITERS if as_texts else DELIMITERS[0])
    header = next(records, None)
    if header is None:
        raise BrokenFile("empty_file", "there is no line in it")
    if isinstance(header, Broken):
        raise BrokenFile("unreadable_file", f"its header cannot be read: {header.detail}")
    names = [name.strip() or f"column_{at}" for at, name in enumerate(header[1], start=1)]
    names = native_names(names) if is_native else names
    check_names(names)
    has_bodies = any(is_body(name) for name in names)
    numbers, texts, broken, size = [], [], [], 0
    for record in records:
        if isinstance(record, Broken):
            broken.append(replace(record, line=WITHHELD_BODY) if has_bodies else record)
        else:
            number, fields = record
            values = {name: value for name, value in zip(names, fields, strict=True) if value or as_texts}
            numbers.append(number)
            texts.append(json.dumps(values, ensure_ascii=False))
            size += len(texts[-1])
        if size > READ_BYTES or len(numbers) + len(broken) > BLOCK_LINES:
            yield _made_block(numbers, texts, broken, max_line_bytes)
            expansion.add(size)  # every record repeats the names of the header
            numbers, texts, broken, size = [], [], [], 0
    yield _made_block(numbers, texts, broken, max_line_bytes)


def _below_titles(lines: Iterator[tuple[int, str] | Broken]) -> Iterator[tuple[int, str] | Broken]:
    """The lines from the header on: titles above it have fewer than three fields. Where no line has more, all of them."""
    above: list[tuple[int, str] | Broken] = []
    for line in lines:
        is_wide = isinstance(line, tuple) and max(_filled(line[1], delimiter) for delimiter in DELIMITERS) > 2
        if is_wide or isinstance(line, Broken) or len(above) == MOST_TITLES:
            yield from [] if is_wide else above
            yield line
            yield from lines
            return
        above.append(line)
    yield from above


def _filled(text: str, delimiter: str) -> int:
    """About how many of its fields say something."""
    return sum(1 for cell in text.split(delimiter) if cell.strip(' "\ufeff\t\r\n'))


def check_names(names: list[str]) -> None:
    """Raises BrokenFile for a header that no table of events has: every line of JSON would repeat it."""
    if (size := sum(len(name.encode(errors="replace")) for name in names)) > HEADER_BYTES:
        raise BrokenFile("unreadable_file", f"the names of its {len(names):,} columns are {size:,} bytes long")


def _csv_records(
    chunks: Iterator[bytes], max_line_bytes: int, delimiters: str = ","
) -> Iterator[tuple[int, list[str]] | Broken]:
    """(line number, fields) of the header and of each record as wide as it; what is not is one Broken line.

    A record goes on over following lines while a quote is open. If that leads nowhere, only its first line is
    broken and the next line begins a record again: one stray quote does not swallow the file.
    """
    lines, width, delimiter = _numbered(chunks, max_line_bytes), None, delimiters[0]
    if len(delimiters) > 1:
        lines = _below_titles(lines)
    again: deque[tuple[int, str] | Broken] = deque()
    while (line := again.popleft() if again else next(lines, None)) is not None:
        if isinstance(line, Broken):
            yield line
            continue
        number, text = line
        if not text.strip():
            continue
        if width is None:  # of several, the one that the header has most of
            delimiter = max(delimiters, key=text.count)
        taken, pieces, size, is_open = [], [text], len(text), text.count('"') % 2
        while is_open and size <= RECORD_BYTES:
            more = again.popleft() if again else next(lines, None)
            if more is not None:
                taken.append(more)
            if not isinstance(more, tuple):
                break
            pieces.append(more[1])
            size, is_open = size + len(more[1]), (is_open + more[1].count('"')) % 2
        fields: list[str] | None = None
        try:
            fields = next(csv.reader(["".join(pieces)], delimiter=delimiter), [])
            problem = f"it has {len(fields)} fields where the header has {width}"
        except csv.Error as error:
            problem = f"it is no CSV ({error})"
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
        for line in [data] if too_long else _not_blank(data):
            if isinstance(line, int):
                number += line
                continue
            number += 1
            if too_long or len(line) > max_line_bytes:
                yield _too_long(number, line, max_line_bytes)
            elif (problem := _utf8_problem(line)) is not None:
                yield Broken(number, _head(line), "invalid_utf8", problem)
            else:
                yield number, line.decode().removeprefix("\ufeff")


def _not_blank(data: bytes) -> Iterator[bytes | int]:
    """Lines, and in their place the number of those that stretch over whole pieces and are all blank."""
    for piece in _pieces(data):
        if piece.strip():
            yield from io.BytesIO(piece)
        else:
            yield piece.count(b"\n")


def _made_block(numbers: list[int], texts: list[str], broken: list[Broken], max_line_bytes: int) -> Block:
    block = sound_block(np.array(numbers, np.int64), pa.array(texts, pa.string()), max_line_bytes)
    return Block(block.numbers, block.lines, broken + block.broken)
