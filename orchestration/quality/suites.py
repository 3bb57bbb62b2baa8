"""Profiles that SQL computes and expectations/ judges; an unchanged profile is not judged again."""

import json
import threading
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from expectations.run import FOLDER, SUITES, Outcome, empty_profile, fingerprint, great_expectations, judge
from orchestration.quality.data_docs import site_of, write_site
from orchestration.settings import Settings
from orchestration.storage import write_whole
from orchestration.warehouse import duckdb_config, warehouse
from orchestration.wording import minute

WINDOWED = {"unpriced_models", "price_coverage", "calls_seen_twice"}  # profiles that look at the recent days
LAST_MARTS = {
    "invoices": "invoice_exports",
    "reconciliation": "reconciliation_monthly",
}  # a warehouse of an earlier release lacks it
STATE_KEYS = {"fingerprint", "title", "about", "as_of", "outcome", "failing"}


def profile(settings: Settings, suite: str) -> pd.DataFrame:
    """The small frame that a suite judges: exact Python values (Decimal, date, None), sorted; empty before a load.

    load_profile reads manifests and never opens the warehouse; the others raise WarehouseBusyError while another
    process has it open.
    """
    nothing = empty_profile(suite)
    sql = (FOLDER / "profiles" / f"{suite}.sql").read_text()
    as_of = settings.as_of.astimezone(UTC).replace(tzinfo=None)
    if suite == "load_profile":
        manifests = settings.raw / "_loads"
        if not any(manifests.glob("*.parquet")):
            return nothing
        with duckdb.connect(config=duckdb_config(settings)) as connection:
            return _frame(connection, sql, {"manifests": str(manifests / "*.parquet"), "as_of": as_of})
    if not settings.warehouse.exists():
        return nothing
    with warehouse(settings) as connection:
        built = connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'marts' and table_name = coalesce(?, table_name) limit 1",
            [LAST_MARTS.get(suite)],
        ).fetchone()
        recent = {"as_of": as_of, "window_days": settings.unpriced_window_days} if suite in WINDOWED else {}
        return _frame(connection, sql, recent) if built else nothing


def validate(settings: Settings, suite: str) -> Outcome:
    """The suite's outcome for the current data, and Data Docs that show it.

    While profile, suite, settings and code are the same, the stored outcome is returned and nothing is imported.
    """
    frame, parameters = profile(settings, suite), _parameters(settings)
    judged_from = fingerprint(frame, parameters)
    state, cached = _stored(settings, suite), True
    if state is None or state["fingerprint"] != judged_from:
        cached = False
        judgement = judge(suite, frame, parameters, settings.as_of)
        state = {
            "fingerprint": judged_from,
            "title": judgement.title,
            "about": judgement.about,
            "as_of": f"{minute(settings.as_of.astimezone(UTC))} UTC",
            "outcome": asdict(judgement.outcome),
            "failing": judgement.failing,
        }
        write_whole(_state(settings) / f"{suite}.html", judgement.page)
        write_whole(_state(settings) / f"{suite}.json", json.dumps(state, indent=2))
    build_data_docs(settings)
    tuples = {name: tuple(state["outcome"][name]) for name in ("sentences", "severities", "checks")}
    return Outcome(**state["outcome"] | tuples | {"cached": cached})


def get_ready(settings: Settings) -> None:
    """Import Great Expectations while dbt is at work, where it will be needed: after a load, whose profile is new."""
    state = _stored(settings, "load_profile")
    new = fingerprint(profile(settings, "load_profile"), _parameters(settings))
    if state is None or state["fingerprint"] != new:
        threading.Thread(target=great_expectations, name="import great_expectations").start()


def build_data_docs(settings: Settings) -> tuple[Path, bool]:
    """The front page of the latest results' Data Docs, and whether it was written: only when a result changed."""
    states = {suite: state for suite in SUITES if (state := _stored(settings, suite))}
    pages = {suite: (_state(settings) / f"{suite}.html").read_text() for suite in states}
    site = site_of(settings)
    return site / "index.html", write_site(site, states, pages, {suite: FOLDER / f"{suite}.json" for suite in states})


def _parameters(settings: Settings) -> dict[str, float]:
    """Settings that suites refer to as {"$PARAMETER": name}."""
    return {
        "unpriced_error_share": settings.unpriced_error_share,
        "unpriced_window_days": settings.unpriced_window_days,
        "unpriced_sla_days": settings.unpriced_sla_days,
    }


def _state(settings: Settings) -> Path:
    return settings.state / "expectations"


def _stored(settings: Settings, suite: str) -> dict[str, Any] | None:
    """The last outcome with its fingerprint; None when it is not there or cannot be read: state is safe to delete."""
    try:
        state = json.loads((_state(settings) / f"{suite}.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    is_whole = isinstance(state, dict) and state.keys() >= STATE_KEYS and (_state(settings) / f"{suite}.html").exists()
    return state if is_whole else None


def _frame(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> pd.DataFrame:
    """A query's rows as Python objects: pandas' own types would make money a float and NULL counts NaN."""
    result = connection.execute(sql, parameters)
    columns = [column for column, *_ in result.description]
    return pd.DataFrame(result.fetchall(), columns=columns, dtype=object)
