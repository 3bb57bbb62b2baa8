"""Files for people without a database: each cost mart of the last days and by month, as Parquet and CSV, with a manifest."""

import hashlib
import json
from datetime import UTC, date, timedelta
from pathlib import Path

import duckdb

from orchestration.publishing.publications import replace_file
from orchestration.settings import Settings

DAILY_MARTS = (
    "cost_by_endpoint_daily",
    "cost_by_prompt_version_daily",
    "cost_by_tenant_daily",
    "cost_by_user_daily",
    "cost_by_model_daily",
    "cost_by_feature_daily",
    "data_quality_daily",
)
FORMATS = ("parquet", "csv")

# A spreadsheet takes such a cell of a CSV for a formula and runs it (OWASP, CSV injection; the full-width and mathematical signs are
# read alike by some). An apostrophe is marked too, so that one rule leads back: take one apostrophe off, where there is one.
FORMULA = r"^(\pZ|\pC)*[=+\-@＝＋－＠﹦﹢﹣﹫−]|^[\t\r\n'']"
NO_FORMULA = f"case when regexp_matches({{0}}, '{FORMULA}') then chr(39) || {{0}} else {{0}} end as {{0}}"
CSV_TEXT = (
    "A text that a spreadsheet could take for a formula (it begins with = + - @, a tab, a line break, or one of these after blanks) or "
    "that begins with an apostrophe has an apostrophe in front. Parquet has every text as it is."
)


def exports_signature(settings: Settings) -> str:
    """What decides, besides the marts, which rows the exports hold: the day of the run moves the rolling ones."""
    return (
        f"{settings.export_days} days up to {_today(settings)}; csv {hashlib.sha256(FORMULA.encode()).hexdigest()[:8]}"
    )


def write_exports(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    folder: Path,
    built: list[tuple[str, str, str]],
    signature: str,
) -> int:
    """Write the exports whose rows changed into a new publication's folder; returns how many files were written.

    `connection` reads the marts that are about to be published, `signature` names them; `built` has (model, date, what it was built
    from and when). Each export's manifest entry has its filter, row count, total and price book versions, so that a file in
    somebody's mail can be traced to the marts it came from.
    """
    before = _manifest(folder)
    after = {}
    written = 0
    for mart in DAILY_MARTS:
        for name, first, last in _periods(connection, mart, settings):
            entry = _describe(connection, mart, first, last, built)
            after[f"{mart}/{name}"] = entry
            if before.get(f"{mart}/{name}") != entry or not all(
                (folder / mart / f"{name}.{suffix}").exists() for suffix in FORMATS
            ):
                written += _write(connection, mart, first, last, folder / mart, name)
    for gone in before.keys() - after.keys():
        for suffix in FORMATS:
            (folder / f"{gone}.{suffix}").unlink(missing_ok=True)
    manifest = {"marts_signature": signature, "exports": after}
    replace_file(folder / "manifest.json", json.dumps(manifest, indent=2, sort_keys=True))
    return written


def _manifest(folder: Path) -> dict:
    """The entries of the former publication; none, when an earlier release wrote them."""
    path = folder / "manifest.json"
    return json.loads(path.read_text()).get("exports", {}) if path.exists() else {}


def _today(settings: Settings) -> date:
    return settings.as_of.astimezone(UTC).date()


def _periods(connection: duckdb.DuckDBPyConnection, mart: str, settings: Settings) -> list[tuple[str, str, str]]:
    """The last days up to the day of the run (UTC), also without rows, and every month with rows: (file name, first date, last date).

    Not up to the newest date in the mart: one clock that is years ahead would empty the file.
    """
    today = _today(settings)
    months = connection.execute(
        f"""
        select distinct 'month=' || strftime(event_date, '%Y-%m'), cast(cast(date_trunc('month', event_date) as date) as varchar),
            cast(last_day(event_date) as varchar)
        from {mart} where event_date is not null
        order by 1
        """  # noqa: S608 - the mart is one of ours
    ).fetchall()
    days = settings.export_days
    return [(f"last_{days}_days", str(today - timedelta(days=days - 1)), str(today)), *months]


def _describe(
    connection: duckdb.DuckDBPyConnection, mart: str, first: str, last: str, built: list[tuple[str, str, str]]
) -> dict:
    """What the export holds. `content` decides whether the file is written again: the fingerprints that its dates were built
    from, which cost nothing to compare, or a hash of the rows for a small mart that is not built by date.
    """
    stamps = [f"{day} {stamp}" for model, day, stamp in built if model == mart and first <= day <= last]
    [(rows, cost, content)] = connection.execute(
        f"""
        select count(*), cast(sum(cost_usd) as varchar),
            {"?" if stamps else "md5(cast(bit_xor(md5_number_lower(cast(mart as varchar))) as varchar)) || ?"}
        from {mart} as mart where event_date between cast(? as date) and cast(? as date)
        """,  # noqa: S608 - the mart is one of ours
        [hashlib.md5("\n".join(stamps).encode(), usedforsecurity=False).hexdigest(), first, last],
    ).fetchall()
    [(versions,)] = connection.execute("select list(distinct price_book_version order by 1) from price_book").fetchall()
    return {
        "mart": mart,
        "event_date_from": first,
        "event_date_to": last,
        "rows": rows,
        "cost_usd": cost,
        "price_book_versions": versions or [],
        "csv_text": CSV_TEXT,
        "content": content,
    }


def _write(connection: duckdb.DuckDBPyConnection, mart: str, first: str, last: str, folder: Path, name: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    rows = f"select * from {mart} where event_date between date '{first}' and date '{last}' order by all"  # noqa: S608 - ours
    columns = [(column, kind == "VARCHAR") for column, kind, *_ in connection.execute(f"describe {mart}").fetchall()]
    as_text = ", ".join(NO_FORMULA.format(column) if is_text else column for column, is_text in columns)
    quoted = ", ".join(
        column for column, is_text in columns if is_text
    )  # some spreadsheets part cells at semicolons too
    _copy(connection, f"from ({rows})", folder / f"{name}.parquet", "format parquet, compression zstd")
    _copy(
        connection,
        f"select {as_text} from ({rows})",  # noqa: S608 - ours
        folder / f"{name}.csv",
        f"format csv, header true, force_quote ({quoted})",
    )
    return len(FORMATS)


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, target: Path, options: str) -> None:
    target.unlink(missing_ok=True)  # never into a file that the former publication has too
    address = str(target).replace("'", "''")
    connection.execute(f"copy ({rows}) to '{address}' ({options})")
