"""From JSON lines to the raw files of incident events, by the rules of incident_events.py."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.landing.convert import Converted, DateRows
from orchestration.landing.database import quoted
from orchestration.landing.incident_events import RAW_COLUMNS, Refused, judged, parsed


def convert(
    database: duckdb.DuckDBPyConnection,
    lines: pa.Table,
    name_part: Callable[[date], Path],
    load_id: str,
    _secret: str,
    _give_up: tuple[int, float] = (0, 1),
) -> Converted:
    """Types, judges and writes a batch with columns content_hash, line_number, line.

    Ids of tenants and users are taken as they are: they come from the marts, where they are hashed if they ever are.
    """
    converted = Converted({}, {}, [])
    by_day: dict[date, list[dict]] = {}
    for found in lines.to_pylist():
        place = {"content_hash": found["content_hash"], "line_number": found["line_number"]}
        try:
            row = judged(parsed(found["line"]))
        except Refused as refused:
            reason = f"{refused.reason_code}\t{refused.detail}"
            converted.rejects.append((*place.values(), 1, reason, found["line"]))
            continue
        day = row["occurred_at"].date()
        by_day.setdefault(day, []).append(row | place | {"load_id": load_id})
        day_rows = converted.dates.setdefault((found["content_hash"], day), DateRows())
        day_rows.include(DateRows(1, row["occurred_at"], row["occurred_at"]))
    for day, rows in sorted(by_day.items()):
        converted.parts[day] = [name_part(day)]
        _write(database, rows, converted.parts[day][0])
    return converted


def _write(database: duckdb.DuckDBPyConnection, rows: list[dict], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f"{column}::{kind} as {column}" for column, kind in RAW_COLUMNS.items())
    database.register("incident_events", pa.Table.from_pylist(rows))
    database.execute(
        f"copy (select {columns} from incident_events) to '{quoted(path)}' (format parquet, compression zstd)"  # noqa: S608
    )
    database.unregister("incident_events")
