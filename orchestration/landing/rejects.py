"""What was refused: each line with its reason, as a sentence that says what, where and what to do."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.files import LandingFile
from orchestration.landing.privacy import kept_line
from orchestration.landing.raw_zone import REJECTS
from orchestration.landing.reasons import ADVICE
from orchestration.storage import sync

FLUSH_BYTES = 8 << 20


def sentence(path: str, line_number: int, reason_code: str, detail: str, item: int = 1) -> str:
    """The message of a reject, for a reason that reasons.py has."""
    where = f"landing/{path} line {line_number}" if line_number else f"landing/{path}"
    where += f" item {item}" if item > 1 else ""
    return f"{where}: rejected, {reason_code}: {detail}. {ADVICE[reason_code]}"


class RejectsFile:
    """Appends rejects to one Parquet file, which comes into being with the first of them."""

    def __init__(self, path: Path, source: str, load_id: str, secret: str):
        self.path, self.secret = path, secret
        self.same = {"source": source, "load_id": load_id}
        self.rows: list[dict] = []
        self.held_bytes = 0
        self.writer: pq.ParquetWriter | None = None

    def add(
        self,
        file: LandingFile,
        content_hash: str | None,
        line_number: int,
        line: str,
        code: str,
        detail: str,
        item: int = 1,
    ) -> None:
        """Keep one refused line, or one item of it (line_number 0: a whole file)."""
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
                "message": sentence(file.path, line_number, code, detail, item),
                "item": item,
            }
        )
        self.held_bytes += len(kept or "") + 500
        if self.held_bytes > FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self.rows:
            if self.writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.writer = pq.ParquetWriter(self.path, REJECTS, compression="zstd")
            self.writer.write_table(pa.Table.from_pylist(self.rows, REJECTS))
        self.rows, self.held_bytes = [], 0

    def close(self) -> None:
        """Complete the file on disk, if there is one."""
        self._flush()
        if self.writer:
            self.writer.close()
            sync(self.path)
