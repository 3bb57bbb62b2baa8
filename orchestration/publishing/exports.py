"""Files for people without a database, as Parquet and CSV, with a manifest: each folder holds every row of a mart once.

`months/<mart>/` has the daily marts by month, `rolling/` their last days, `tables/` the marts that are whole in one file.
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from orchestration.publishing.publications import replace_file
from orchestration.settings import Settings

DAILY_MARTS = (
    "cost_daily",
    "cost_by_endpoint_daily",
    "cost_by_prompt_version_daily",
    "cost_by_tenant_daily",
    "cost_by_user_daily",
    "cost_by_model_daily",
    "cost_by_feature_daily",
    "data_quality_daily",
)
DAILY_TOTALS = ("requests", "attempts", "cost_usd", "unpriced_attempts", "no_usage_attempts")
# Whole marts, each with the columns whose sum says something: budgets overlap, so their spend has no total.
TABLES = {
    "alerts": ("total_excess_usd",),
    "allocated_cost_in_cents": ("allocated_usd", "rounded_usd"),
    "budget_status": (),
    "budget_transitions": (),
    "price_book_changes": ("cost_before_usd", "cost_after_usd", "moved_usd"),
    "reconciliation_monthly": ("ours_usd", "billed_usd", "difference_usd"),
    "unpriced_models": ("requests", "exposure_usd"),
    "weekly_drivers": (),
    "weekly_findings": (),
    "weekly_incidents": (),
    "weekly_recurrence": ("cost_impact_usd",),
    "weekly_summary": ("spend_usd", "unpriced_attempts"),
}
FORMATS = ("parquet", "csv")
AT_ONCE = 2  # exports that are written: DuckDB writes a file, and text most of all, on little more than one core
CODE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]  # an upgrade of this file writes every export again

# A spreadsheet takes such a cell of a CSV for a formula and runs it (OWASP, CSV injection; the full-width and mathematical signs are
# read alike by some). An apostrophe is marked too, so that one rule leads back: take one apostrophe off, where there is one.
FORMULA = r"^(\pZ|\pC)*[=+\-@＝＋－＠﹦﹢﹣﹫−]|^[\t\r\n'']"
CSV_MACROS = f"""
    -- most cells begin with a letter or a digit, which is seen sooner
    create temp macro is_plain(sign) as
        sign between 48 and 57 or sign between 65 and 90 or sign between 97 and 122;
    create temp macro no_formula(cell) as
        case when is_plain(ascii(cell)) then cell when regexp_matches(cell, '{FORMULA}') then chr(39) || cell else cell end;
    -- 8.0425e-05 is 0.000080425: the same digits, and every program reads them
    create temp macro digits(number) as replace(split_part(cast(number as varchar), 'e', 1), '.', '');
    create temp macro exponent(number) as try_cast(split_part(cast(number as varchar), 'e', 2) as integer);
    create temp macro in_decimals(number) as case
        when exponent(number) < 0 then regexp_replace(digits(number), '^(-?)', '\\10.' || repeat('0', -1 - exponent(number)))
        when exponent(number) > 0 then digits(number) || repeat('0', 1 + exponent(number) - len(ltrim(digits(number), '-')))
        else cast(number as varchar)
    end;
"""
# Who caused a bill, by month and in whole cents: rounded down, and a cent more to the largest remainders, so that the cents of an
# account's month add up to its bill in cents.
IN_CENTS = """
    create or replace temp view allocated_cost_in_cents as
    with sums as (
        select vendor, account, billing_month, environment, tenant_id, endpoint_tag, prompt_version, method,
            cast(sum(allocated_usd) as decimal(26, 12)) as allocated_usd
        from allocated_cost group by all
    ),
    cut as (select *, cast(floor(allocated_usd * 100) as decimal(20, 0)) as whole_cents from sums),
    placed as (
        select *,
            cast(round(sum(allocated_usd) over of_month * 100) as decimal(20, 0)) - sum(whole_cents) over of_month as cents_left,
            row_number() over (
                partition by vendor, account, billing_month
                order by allocated_usd * 100 - whole_cents desc, allocated_usd desc, environment, tenant_id, endpoint_tag,
                    prompt_version, method
            ) as place
        from cut
        window of_month as (partition by vendor, account, billing_month)
    )
    select * exclude (whole_cents, cents_left, place),
        cast((whole_cents + case when place <= cents_left then 1 else 0 end) * 0.01 as decimal(26, 2)) as rounded_usd
    from placed
"""
BYTE_ORDER_MARK = "\ufeff"  # without it, spreadsheets read UTF-8 as the encoding of their country
CSV_TEXT = (
    "UTF-8 with a byte order mark, commas, points in decimals, no exponents. "
    "A text that a spreadsheet could take for a formula (it begins with = + - @, a tab, a line break, or one of these after blanks) or "
    "that begins with an apostrophe has an apostrophe in front. Parquet has every text as it is."
)

Built = list[tuple[str, str, str]]  # model, date, what the date was built from and when


@dataclass(frozen=True)
class Export:
    """One export: its path below exports/ without ending, its mart, what is summed, and its event dates (none: all rows)."""

    name: str
    mart: str
    totals: tuple[str, ...]
    first: date | None = None
    last: date | None = None

    @property
    def rows(self) -> str:
        """What selects its rows."""
        dates = f" where event_date between date '{self.first}' and date '{self.last}'" if self.first else ""
        return f"from {self.mart}{dates}"


def exports_signature(settings: Settings) -> str:
    """What decides, besides the marts, what the exports hold: the day of the run, and up to which day the data is complete."""
    return f"{settings.export_days} days to {_today(settings)}, complete to {_complete_through(settings)}, code {CODE}"


def write_exports(
    connection: duckdb.DuckDBPyConnection, settings: Settings, folder: Path, built: Built, signature: str
) -> list[str]:
    """Write the exports whose rows changed into a new publication's folder; returns their names.

    `connection` reads the marts that are about to be published (`open_marts`), `signature` names them. Each export's manifest entry has
    its filter, row count, totals and price book versions, so that a file in somebody's mail can be traced to the marts it came from.
    """
    before = read_exports(folder)
    entries, due = {}, list[Export]()
    with _reader(connection) as reader:
        for export in _exports(reader, settings):
            entry = _describe(reader, settings, export, built)
            entries[export.name] = entry
            paths = [folder / f"{export.name}.{suffix}" for suffix in FORMATS]
            is_same = before.get(export.name, {}).get("content") == entry["content"]
            if not is_same or not all(path.exists() for path in paths):
                due.append(export)
    due.sort(key=lambda export: entries[export.name]["rows"], reverse=True)  # or the largest is alone at the end

    def write(export: Export) -> None:
        with _reader(connection) as reader:
            _write(reader, export, folder, entries[export.name]["rows"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(write, due))
    _remove_all_but(folder, {f"{name}.{suffix}" for name in entries for suffix in FORMATS})
    manifest = {
        "marts_signature": signature,
        "as_of": settings.as_of.astimezone(UTC).isoformat(timespec="seconds"),
        "csv": CSV_TEXT,
        "exports": entries,
    }
    replace_file(folder / "manifest.json", json.dumps(manifest, indent=2, sort_keys=True))
    return sorted(export.name for export in due)


@contextmanager
def _reader(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same marts for a thread of its own, with the macros and views of exports."""
    with connection.cursor() as reader:
        reader.execute("set TimeZone = 'UTC'; use published.marts")
        reader.execute(CSV_MACROS)
        reader.execute(IN_CENTS)
        yield reader


def read_exports(folder: Path) -> dict[str, dict[str, Any]]:
    """The manifest's entries by name; none, where there is no manifest, or an earlier release wrote it."""
    path = folder / "manifest.json"
    return json.loads(path.read_text()).get("exports", {}) if path.exists() else {}


def _today(settings: Settings) -> date:
    return settings.as_of.astimezone(UTC).date()


def _complete_through(settings: Settings) -> date:
    """The last day that is complete: it ended TOKENTRAIL_LATENESS_HOURS ago, as in data_quality_daily."""
    return (settings.as_of.astimezone(UTC) - timedelta(hours=settings.lateness_hours)).date() - timedelta(days=1)


def _exports(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[Export]:
    months = [export for mart in DAILY_MARTS for export in _months(connection, mart, settings)]
    # Not up to the newest date in the mart: one clock that is years ahead would empty the file.
    today = _today(settings)
    first = today - timedelta(days=settings.export_days - 1)
    rolling = [Export(f"rolling/{mart}", mart, DAILY_TOTALS, first, today) for mart in DAILY_MARTS]
    tables = [Export(f"tables/{mart}", mart, totals) for mart, totals in TABLES.items()]
    return rolling + tables + months


def _months(connection: duckdb.DuckDBPyConnection, mart: str, settings: Settings) -> list[Export]:
    """Every month with rows. One that is not complete says so in its name, with the last date that it holds."""
    found = []
    for first, newest in connection.execute(
        f"""
        select cast(date_trunc('month', event_date) as date) as month, max(event_date)
        from {mart} where event_date is not null group by month order by month
        """  # noqa: S608 - the mart is one of ours
    ).fetchall():
        last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        is_complete = last <= _complete_through(settings)
        name = f"{first:%Y-%m}" if is_complete else f"{first:%Y-%m}_partial_to_{newest}"
        found.append(Export(f"months/{mart}/{name}", mart, DAILY_TOTALS, first, last))
    return found


def _describe(
    connection: duckdb.DuckDBPyConnection, settings: Settings, export: Export, built: Built
) -> dict[str, Any]:
    """What the export holds. `content` decides whether the file is written again."""
    [(versions,)] = connection.execute("select list(distinct price_book_version order by 1) from price_book").fetchall()
    totals = "".join(f", sum({column})" for column in export.totals)
    [(rows, *sums)] = connection.execute(f"select count(*){totals} {export.rows}").fetchall()
    entry = {
        "mart": export.mart,
        "rows": rows,
        "totals": {
            column: f"{value:f}" if isinstance(value, Decimal) else value
            for column, value in zip(export.totals, sums, strict=True)
        },
        "price_book_versions": versions or [],
        "content": _content(connection, export, built),
    }
    if export.first and export.last:
        held = connection.execute(f"select min(event_date), max(event_date) {export.rows}").fetchone() or (None, None)
        through = min(export.last, _complete_through(settings))
        entry |= {
            "event_date_from": str(export.first),
            "event_date_to": str(export.last),
            "first_event_date": str(held[0]) if held[0] else None,
            "last_event_date": str(held[1]) if held[1] else None,
            "is_complete": through == export.last,
            "complete_through": str(through) if through >= export.first else None,
        }
    return entry


def _content(connection: duckdb.DuckDBPyConnection, export: Export, built: Built) -> str:
    """A hash of the fingerprints that the dates were built from, which costs nothing, or of the rows of a small mart without them."""
    first, last = str(export.first), str(export.last)
    stamps = [f"{day} {stamp}" for model, day, stamp in built if model == export.mart and first <= day <= last]
    if not stamps:
        rows = f"select md5(string_agg(cast(mart as varchar), ',' order by mart)) from (select * {export.rows}) as mart"  # noqa: S608 - ours
        stamps = [str(value) for value in connection.execute(rows).fetchone() or ()]
    return hashlib.md5("\n".join([CODE, *stamps]).encode(), usedforsecurity=False).hexdigest()


def _write(connection: duckdb.DuckDBPyConnection, export: Export, folder: Path, rows: int) -> None:
    """Both files. The rows are sorted, so that the same rows are the same bytes."""
    (folder / export.name).parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"create or replace temp table sorted_rows as select * {export.rows} order by all")
    columns = {name: kind for name, kind, *_ in connection.execute(f"describe {export.mart}").fetchall()}
    cells = {"VARCHAR": "no_formula({0}) as {0}", "DOUBLE": "in_decimals({0}) as {0}"}
    as_text = ", ".join(cells.get(kind, "{0}").format(name) for name, kind in columns.items())
    quoted = ", ".join(name for name, kind in columns.items() if kind == "VARCHAR")  # some part cells at semicolons too
    # DuckDB writes a prefix only together with a suffix, which takes the place of the last line break
    header = BYTE_ORDER_MARK + ",".join(columns) + ("\n" if rows else "")
    _copy(connection, "from sorted_rows", folder / f"{export.name}.parquet", "format parquet, compression zstd")
    _copy(
        connection,
        f"select {as_text} from sorted_rows",  # noqa: S608 - ours
        folder / f"{export.name}.csv",
        f"format csv, header false, prefix '{header}', suffix '\n', force_quote ({quoted})",
    )


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, target: Path, options: str) -> None:
    target.unlink(missing_ok=True)  # never into a file that the former publication has too
    address = str(target).replace("'", "''")
    connection.execute(f"copy ({rows}) to '{address}' ({options})")


def _remove_all_but(folder: Path, named: set[str]) -> None:
    """What the former publication exported and this one does not, in whatever layout."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif str(path.relative_to(folder)) not in named:
            path.unlink()
