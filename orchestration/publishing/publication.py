"""Publishing: the checked warehouse becomes visible to readers in one step, and only when something changed.

Marts, exports, weekly pages, postmortems and Data Docs are of the same run. What a run announced and sent is in the marts of that
run: those that read it are views on the ledger in the warehouse, and become tables in the file that is published.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.incidents import postmortem
from orchestration.notifications import write_snapshot
from orchestration.publishing.catalog import documentation_hash
from orchestration.publishing.exports import exports_signature, write_exports
from orchestration.publishing.marts_file import write_marts
from orchestration.publishing.publications import new_publication, replace_file
from orchestration.quality.data_docs import copy_site, site_of, what_it_shows
from orchestration.settings import Settings
from orchestration.storage import make_private
from orchestration.warehouse import open_marts, warehouse
from orchestration.weekly import files_to_publish


@dataclass(frozen=True)
class Publication:
    """What a publish did: the signature of the marts that readers see, whether anything had to be written, and which exports."""

    signature: str
    written: bool
    exports_written: list[str]


def publish(settings: Settings, untested: Collection[str] = ()) -> Publication:
    """Make the checked warehouse visible: tokentrail.duckdb, exports with their manifest, weekly pages, postmortems, Data Docs and
    marts.json change together; a file that was deleted is made again. `untested`: models whose tests this run left to another.

    Open readers keep the file they have. Raises PublicationError with a sentence when it cannot be written; readers keep the former.
    """
    make_private(settings)
    write_snapshot(settings)
    signature, built = _mark_verified(settings, untested)
    described: dict[str, Any] = {
        "signature": signature,
        "documentation": documentation_hash(),
        "exports": exports_signature(settings),
        "data_docs": what_it_shows(site_of(settings)),
        "postmortems": postmortem.code_hash(),
    }
    before, weekly = read_marts_json(settings), files_to_publish(settings)
    if described.items() <= before.items() and not weekly and _is_whole(settings, before):
        return Publication(signature, written=False, exports_written=[])
    with new_publication(settings) as folder:
        database = folder / settings.published_marts.name
        for earlier in set(folder.glob("*.duckdb")) - {database}:  # an earlier release gave the file another name
            earlier.unlink()
        if not database.exists() or any(described[key] != before.get(key) for key in ("signature", "documentation")):
            write_marts(settings, database, signature)
        with open_marts(settings, database) as connection:
            exports_written = write_exports(connection, settings, folder / "exports", built, signature)
            _write_postmortems(connection, settings, folder / "postmortems")
        copy_site(site_of(settings), folder / "docs" / "data_docs")
        for name, text in weekly.items():
            replace_file(folder / "weekly" / name, text)
        described["published_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        described["files"] = _files(folder)
        replace_file(folder / "marts.json", json.dumps(described, indent=2))
    return Publication(signature, written=True, exports_written=exports_written)


def _files(folder: Path) -> list[str]:
    """What a publication holds besides its own description."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in files if name != "marts.json"]


def _is_whole(settings: Settings, described: dict) -> bool:
    """Whether readers have every file of the current publication."""
    return "files" in described and all((settings.published / name).exists() for name in described["files"])


def _write_postmortems(connection: duckdb.DuckDBPyConnection, settings: Settings, folder: Path) -> None:
    """The notes of all incidents; those that stay as they were remain links to the former publication's."""
    notes = postmortem.files_to_publish(settings, connection)
    for path in folder.glob("*"):
        if path.name not in notes:  # its incident was withdrawn
            path.unlink()
    for name, text in notes.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            replace_file(path, text)


def _mark_verified(settings: Settings, untested: Collection[str]) -> tuple[str, list[tuple[str, str, str]]]:
    """Remember that the built dates of all but `untested` have passed their tests; return the signature of all that readers can see,
    and what was built.
    """
    with warehouse(settings, read_only=False) as connection:
        tested = {"untested": sorted(untested)}
        connection.execute("begin")
        connection.execute(
            "delete from tokentrail.verified where not list_contains($untested::varchar[], model)", tested
        )
        connection.execute(
            "insert into tokentrail.verified select model, event_date, input_fingerprint, built_at "
            "from tokentrail.built where not list_contains($untested::varchar[], model)",
            tested,
        )
        connection.execute("commit")
        [(signature,)] = connection.execute(SIGNATURE_SQL).fetchall()
        built = connection.execute(BUILT_SQL).fetchall()
        connection.execute("checkpoint")
    return signature, built


BUILT_SQL = """
    select model, cast(event_date as varchar), concat_ws(' ', input_fingerprint, built_at)
    from tokentrail.built order by model, event_date
"""

# Marts that are few rows and no clock: hashed whole.
WHOLE = (
    *("alerts", "alert_plans", "unpriced_models", "budget_transitions", "incidents", "incident_events", "unseen_names"),
    *("invoice_lines", "provider_usage_lines", "invoice_exports", "unmapped_invoice_lines"),
    *("reconciliation_daily", "reconciliation_monthly"),
    *("weekly_summary", "weekly_recurrence", "weekly_incidents", "weekly_drivers", "weekly_findings"),
)

# Small marts are hashed by content; the large ones by what their dates were built from, and when: a backfill that repairs
# rows leaves the fingerprint as it was.
_WHOLE_SQL = ",\n".join(
    f"(select md5(string_agg(cast(mart as varchar), ',' order by mart)) from marts.{name} as mart)"  # noqa: S608 - names above
    for name in WHOLE
)
SIGNATURE_SQL = f"""
    select md5(concat_ws('|',
        (select string_agg(concat_ws(' ', model, event_date, input_fingerprint, built_at), ',' order by model, event_date)
            from tokentrail.built),
        (select md5(string_agg(price_row_key || price_book_version, ',' order by price_row_key)) from marts.price_book),
        (select string_agg(concat_ws(' ', price_book_version, recorded_at), ',' order by version_sequence)
            from marts.price_book_versions),
        (select md5(string_agg(concat_ws(' ', landing_file, line_number, reason_code), ',' order by landing_file, line_number))
            from marts.rejected_events),
        (select md5(string_agg(concat_ws(' ', event_date, source, environment, data_mode, is_complete),
            ',' order by event_date, source, environment, data_mode)) from marts.data_quality_daily),
        (select md5(string_agg(concat_ws(' ', source, environment, data_mode, status, last_event_at),
            ',' order by source, environment, data_mode)) from marts.source_freshness),
        (select md5(string_agg(concat_ws(' ', source, environment, data_mode, silent_since, returned_at, status),
            ',' order by source, environment, data_mode, silent_since)) from marts.source_silences),
        (select md5(string_agg(concat_ws(' ', endpoint_tag, owner, runbook_url, escalation_channel, runbook_reviewed_at,
            is_runbook_stale), ',' order by endpoint_tag)) from marts.dim_endpoints),
        -- time alone moves a projection; that is not worth another file
        (select md5(string_agg(concat_ws(' ', budget_id, period_start, state, spent_usd, limit_usd), ',' order by budget_id, period_start))
            from marts.budget_status),
        {_WHOLE_SQL},
        (select md5(string_agg(announcement_id, ',' order by announcement_id)) from marts.budget_announcements),
        (select md5(string_agg(concat_ws(' ', message_id, status, tries, acknowledged_at), ',' order by message_id))
            from marts.notification_outbox)
    ))
"""  # noqa: S608 - names above


def read_marts_json(settings: Settings) -> dict:
    """The description of the current publication; nothing, when there is none or when it is damaged."""
    try:
        described = json.loads((settings.published / "marts.json").read_text())
    except (OSError, ValueError):
        return {}
    return described if isinstance(described, dict) else {}
