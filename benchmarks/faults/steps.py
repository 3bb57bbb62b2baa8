"""The steps of a run, each with what it must have done in the end.

A fault strikes in one step; the same step is done once more, without it, and must leave what the undisturbed step leaves.
"""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import duckdb

from benchmarks.faults.inject import armed, limit_file_size
from orchestration.budgets.announcements import announce, read_announcements
from orchestration.dbt import build_command, run_dbt
from orchestration.landing.load import load_new_files
from orchestration.landing.sources import sources_of
from orchestration.notifications import deliver, read_outbox
from orchestration.prices.book import read_price_book, update_price_book
from orchestration.publishing.publication import publish, read_marts_json
from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.team.tables import write_team_tables
from orchestration.warehouse import warehouse
from orchestration.weekly import report
from orchestration.weekly.editions import read_editions

PROVENANCE = {"load_id", "built_at", "recorded_at", "loaded_at", "price_book_version", "raw_file", "rejects_file"}


def load(settings: Settings) -> None:
    """Land to raw."""
    for source in sources_of(settings):
        load_new_files(settings, source)


def build(settings: Settings) -> None:
    """The team's tables, and dbt without its tests: they write nothing."""
    write_team_tables(settings)
    run_dbt(settings, *build_command(settings), "--quiet", "--exclude-resource-type", "test")


def ledger(settings: Settings) -> None:
    """Announcements of budgets, editions and pages of weeks, and their messages."""
    announce(settings)
    report(settings)


STEPS: dict[str, Callable[[Settings], object]] = {
    "load": load,
    "prices": update_price_book,
    "build": build,
    "publish": publish,
    "ledger": ledger,
    "outbox": deliver,
}


def outcome(settings: Settings, step: str) -> object:
    """What a step leaves behind, in a form that two roots can be compared by."""
    if step == "load":
        manifests = str(settings.raw / "_loads" / "*.parquet")
        with duckdb.connect() as connection:
            loads = connection.read_parquet(manifests)
            judged = loads.aggregate(
                "landing_file, event_date, file_status, content_hash, sum(rows_in), sum(rows_loaded), sum(rows_rejected)"
            ).fetchall()
            files = loads.filter("raw_file is not null").project("raw_file").distinct().fetchall()
            raw = connection.read_parquet([str(settings.raw / file) for (file,) in files], union_by_name=True)
            return sorted(map(repr, judged)), _rows(raw)
    if step == "prices":
        book = read_price_book(settings)
        return sorted(
            map(repr, book.drop_columns([name for name in book.column_names if name in PROVENANCE]).to_pylist())
        )
    if step == "build":
        with warehouse(settings) as connection:
            tables = connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts' order by 1"
            ).fetchall()
            return {name: _rows(connection.table(f"marts.{name}")) for (name,) in tables}
    if step == "publish":
        return {name: value for name, value in read_marts_json(settings).items() if name != "published_at"}
    if step == "ledger":
        weekly = settings.published / "weekly"
        return (
            sorted(
                repr({name: value for name, value in line.items() if name not in PROVENANCE})
                for line in read_announcements(settings)
            ),
            {week: [line["figures"] for line in lines] for week, lines in read_editions(settings).items()},
            {path.name: path.read_bytes() for path in weekly.glob("*")},
            sorted((row["event_key"], row["channel"]) for row in read_outbox(settings)),
        )
    return sorted((row["event_key"], row["channel"], row["status"]) for row in read_outbox(settings))


def _rows(relation: duckdb.DuckDBPyRelation) -> list[str]:
    kept = [
        f"round({name}, 9)" if kind == "DOUBLE" else f'"{name}"'
        for name, kind in zip(relation.columns, map(str, relation.types), strict=True)
        if name not in PROVENANCE
    ]
    return sorted(map(repr, relation.project(", ".join(kept)).fetchall()))


def in_process(step: str, at: int, action: str, counted: Path, said: Path) -> None:
    """Do a step, with a fault at one of its calls; dbt's are those of its own process. Leaves their number, or what went wrong."""
    os.setpgrp()  # so that the campaign can end what this process leaves running
    settings = from_environment()
    try:
        if action == "size":
            limit_file_size(at)
            STEPS[step](settings)
        elif step == "build":
            hook = {"TOKENTRAIL_FAULT": f"{settings.data}|{at}|{action}|{counted}"}
            os.environ |= hook | {"PYTHONPATH": f"{Path(__file__).parent / 'hook'}:{PROJECT}"}
            STEPS[step](settings)
        else:
            with armed(settings.data, at, action) as plan:
                STEPS[step](settings)
            counted.write_text(str(plan.seen))
    except Exception:
        said.write_text(traceback.format_exc())
        raise SystemExit(1) from None
