"""What was refused: each line with its reason, as a sentence that says what, where and what to do."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.files import EXTENSIONS, LandingFile
from orchestration.landing.manifests import REJECTS
from orchestration.landing.privacy import kept_line
from orchestration.storage import sync

FLUSH_BYTES = 8 << 20
AGAIN = "Correct it and land it again in a new file; the line is kept in rejected_events."
ADVICE = {
    "invalid_json": f"Write one JSON object per line. {AGAIN}",
    "not_an_object": f"Write one JSON object per line. {AGAIN}",
    "invalid_utf8": f"Write the file as UTF-8. {AGAIN}",
    "line_too_long": "Leave prompts and completions out, or raise TOKENTRAIL_MAX_LINE_BYTES, and land it again.",
    "wrong_column_count": f"Quote fields that hold commas, quotes or line breaks. {AGAIN}",
    "missing_field": f"Send it with every event. {AGAIN}",
    "id_too_long": f"Send at most 256 characters. {AGAIN}",
    "bad_timestamp": f"Send RFC 3339, such as 2026-11-22T09:30:00Z. {AGAIN}",
    "date_out_of_range": f"Dates from 2015 to 2100 are taken; look for milliseconds read as seconds. {AGAIN}",
    "bad_status": f"Send success or error. {AGAIN}",
    "bad_value": f"Send a value that docs/sources.md allows. {AGAIN}",
    "bad_event_type": f"Write one of the types of incident events, such as opened or closed. {AGAIN}",
    "negative_tokens": f"Send counts of 0 or more. {AGAIN}",
    "not_an_integer": f"Send whole numbers. {AGAIN}",
    "parts_exceed_total": f"Totals include their parts: send tokenConvention exclusive if yours do not. {AGAIN}",
    "unreadable_file": "Write it again from its source under a new name; the rows before the break are loaded.",
    "file_given_up": "Look at what writes it. If it is right all the same, raise TOKENTRAIL_MAX_EXPANSION, or "
    "TOKENTRAIL_GIVE_UP_REJECTS, and judge it again: make reload FILE=<it>.",
    "truncated_gzip": "Land the whole file again under a new name; the lines before the break are loaded.",
    "empty_file": "Look at the sender: an upload may have been cut off. Nothing else is needed.",
    "bad_file_name": f"Land it as <source>/dt=YYYY-MM-DD/<name> ending in {', '.join(EXTENSIONS)}.",
    "outside_landing": "Copy the file itself into the landing folder; links are not followed.",
}
# Reason code of a file that is refused unread -> what is the matter with it.
FILE_PROBLEMS = {
    "outside_landing": "it is a symbolic link",
    "bad_file_name": "its folder or its ending is none that is read",
    "empty_file": "it has no bytes",
    "unreadable_file": "it is no regular file",
}


def sentence(path: str, line_number: int, reason_code: str, detail: str) -> str:
    """The message of a reject."""
    where = f"landing/{path} line {line_number}" if line_number else f"landing/{path}"
    return f"{where}: rejected, {reason_code}: {detail}. {ADVICE.get(reason_code, AGAIN)}"


class RejectsFile:
    """Appends rejects to one Parquet file, which comes into being with the first of them."""

    def __init__(self, path: Path, source: str, load_id: str, secret: str):
        self.path, self.secret = path, secret
        self.same = {"source": source, "load_id": load_id}
        self.rows: list[dict] = []
        self.held_bytes, self.writer = 0, None

    def add(
        self, file: LandingFile, content_hash: str | None, line_number: int, line: str, code: str, detail: str
    ) -> None:
        """Keep one refused line (line_number 0: a whole file)."""
        kept = kept_line(line, self.secret) if line else None
        self.rows.append(
            {
                **self.same,
                "landing_file": file.path,
                "arrival_date": file.arrival_date,
                "content_hash": content_hash,
                "line_number": line_number,
                "line": kept,
                "reason_code": code,
                "message": sentence(file.path, line_number, code, detail),
            }
        )
        self.held_bytes += len(kept or "") + 500
        if self.held_bytes > FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self.rows and self.writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = pq.ParquetWriter(self.path, REJECTS, compression="zstd")
        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, REJECTS))
        self.rows, self.held_bytes = [], 0

    def close(self) -> None:
        """Complete the file on disk, if there is one."""
        self._flush()
        if self.writer:
            self.writer.close()
            sync(self.path)
