"""Files for people without a database: each cost mart of the last days and by month, as Parquet and CSV, with a manifest."""

import hashlib
import json
import os
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.warehouse import write_atomically

DAILY_MARTS = (
    "cost_by_endpoint_daily",
    "cost_by_prompt_version_daily",
    "cost_by_tenant_daily",
    "cost_by_user_daily",
    "cost_by_model_daily",
    "cost_by_feature_daily",
    "data_quality_daily",
)
FORMATS = {"parquet": "format parquet, compression zstd", "csv": "format csv, header true"}


def write_exports(connection: duckdb.DuckDBPyConnection, settings: Settings, built: list[tuple[str, str, str]]) -> int:
    """Write the exports whose rows changed; returns how many files were written.

    `connection` reads the copy that is about to be published; `built` has (model, date, what it was built from and when).
    Each export's manifest entry has its filter, row count, total and price book versions, so that a file in somebody's
    mail can be traced to the marts it came from.
    """
    folder = settings.published / "exports"
    before = _manifest(folder)
    after = {}
    written = 0
    for mart in DAILY_MARTS:
        for name, first, last in _periods(connection, mart, settings.export_days):
            entry = _describe(connection, mart, first, last, built)
            after[f"{mart}/{name}"] = entry
            if before.get(f"{mart}/{name}") != entry or not all(
                (folder / mart / f"{name}.{suffix}").exists() for suffix in FORMATS
            ):
                written += _write(connection, mart, first, last, folder / mart, name)
    for gone in before.keys() - after.keys():
        for suffix in FORMATS:
            (folder / f"{gone}.{suffix}").unlink(missing_ok=True)
    write_atomically(folder / "manifest.json", json.dumps(after, indent=2, sort_keys=True))
    return written


def _manifest(folder: Path) -> dict:
    path = folder / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _periods(connection: duckdb.DuckDBPyConnection, mart: str, days: int) -> list[tuple[str, str, str]]:
    """The last `days` days up to the newest event date, and every month: (file name, first date, last date)."""
    return connection.execute(
        f"""
        with dates as (select distinct event_date from {mart} where event_date is not null)
        select 'last_{days}_days', cast(max(event_date) - {days - 1} as varchar), cast(max(event_date) as varchar)
        from dates having count(*) > 0
        union all
        select distinct 'month=' || strftime(event_date, '%Y-%m'), cast(cast(date_trunc('month', event_date) as date) as varchar),
            cast(last_day(event_date) as varchar)
        from dates
        order by 1
        """  # noqa: S608 - the mart is one of ours, the days an integer
    ).fetchall()


def _describe(
    connection: duckdb.DuckDBPyConnection, mart: str, first: str, last: str, built: list[tuple[str, str, str]]
) -> dict:
    """What the export holds. `content` decides whether the file is written again: the fingerprints that its dates were built
    from, which cost nothing to compare, or a hash of the rows for a small mart that is not built by date.
    """
    stamps = [f"{day} {stamp}" for model, day, stamp in built if model == mart and first <= day <= last]
    rows, cost, content = connection.execute(
        f"""
        select count(*), cast(sum(cost_usd) as varchar),
            {"?" if stamps else "md5(cast(bit_xor(md5_number_lower(cast(mart as varchar))) as varchar)) || ?"}
        from {mart} as mart where event_date between cast(? as date) and cast(? as date)
        """,  # noqa: S608 - the mart is one of ours
        [hashlib.md5("\n".join(stamps).encode(), usedforsecurity=False).hexdigest(), first, last],
    ).fetchone()
    versions = connection.execute("select list(distinct price_book_version order by 1) from price_book").fetchone()[0]
    return {
        "mart": mart,
        "event_date_from": first,
        "event_date_to": last,
        "rows": rows,
        "cost_usd": cost,
        "price_book_versions": versions or [],
        "content": content,
    }


def _write(connection: duckdb.DuckDBPyConnection, mart: str, first: str, last: str, folder: Path, name: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, options in FORMATS.items():
        beside = folder / f".{name}.{suffix}.next"
        target = str(beside).replace("'", "''")
        connection.execute(
            f"""
            copy (
                select * from {mart} where event_date between date '{first}' and date '{last}' order by all
            ) to '{target}' ({options})
            """  # noqa: S608
        )
        os.replace(beside, folder / f"{name}.{suffix}")
    return len(FORMATS)
