"""What readers see: tokentrail.duckdb, exports, documentation. A broken promise upstream leaves the former publication in place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from orchestration.defs.metadata import preview
from orchestration.defs.transform import COVERS, MARTS, left_to_the_day
from orchestration.news import HOURLY, READ_BY_READERS, note
from orchestration.publishing.changes import Changes, changes, contents
from orchestration.publishing.documentation import publish_dbt_docs
from orchestration.publishing.exports import read_exports
from orchestration.publishing.publication import Publication, publish
from orchestration.publishing.publications import PublicationError
from orchestration.settings import Settings
from orchestration.wording import UNKNOWN, usd

MARTS_SHOWN = 60  # every mart
FILES_SHOWN = 100


@contextmanager
def sentence_for_people() -> Iterator[None]:
    """What kept a publication from being written, without a traceback."""
    try:
        yield
    except PublicationError as error:
        raise dg.Failure(str(error)) from None


@dg.asset(
    group_name="publishing",
    kinds={"duckdb", "csv", "parquet"},
    owners=["team:data-platform"],
    deps=MARTS,
    op_tags={"dagster/priority": "-1"},  # after the expectations and the messages: it has what they found and sent
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
)
def published_marts(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """tokentrail.duckdb (schema `marts`), exports, weekly pages and Data Docs, switched as a whole, unless nothing changed."""
    note(settings, context.run.run_id, READ_BY_READERS)
    former = settings.published.resolve() if settings.published.exists() else None
    with sentence_for_people():
        untested = left_to_the_day() if COVERS.get(context.job_name) == HOURLY else ()
        publication = publish(settings, {key.asset_key.to_user_string() for key in untested})
    return dg.MaterializeResult(metadata=_what_is_published(settings, publication, changes(settings, former)))


def _what_is_published(settings: Settings, publication: Publication, changed: Changes) -> dict[str, Any]:
    """In the order in which people ask: what is new, how much it is, where it is; then the tables, which the UI shows in full."""
    holds = contents(settings)
    real = [row for row in holds.totals if row["data_mode"] == "real"]
    spent = [row["cost_usd"] for row in real if row["cost_usd"] is not None]
    return {
        "changed": changed.sentence(),
        "dates": f"{min(row['since'] for row in real)} to {max(row['until'] for row in real)}" if real else "-",
        "real_cost": usd(sum(spent)) if spent else UNKNOWN,
        "rows": sum(row["rows"] for row in holds.marts),
        "written": publication.written,
        "exports_written": len(publication.exports_written),
        "inbox": dg.MetadataValue.url(f"{settings.base_url.rstrip('/')}/inbox"),
        "health": dg.MetadataValue.url(f"{settings.base_url.rstrip('/')}/health"),
        "database": dg.MetadataValue.path(settings.published_marts),
        "exports": dg.MetadataValue.path(settings.published / "exports"),
        "data_docs": dg.MetadataValue.path(settings.published / "docs" / "data_docs" / "index.html"),
        "signature": publication.signature,
        "totals": preview(holds.totals),
        "changed_days": preview(changed.days),
        "changed_rows": preview(changed.marts, MARTS_SHOWN),
        "export_files": preview(_export_files(settings, publication), FILES_SHOWN),
        "rows_by_mart": preview(holds.marts, MARTS_SHOWN),
    }


def _export_files(settings: Settings, publication: Publication) -> list[dict[str, Any]]:
    """A row per export. Complete months that were not written now are left out: they are next to those that are named."""
    folder = settings.published / "exports"
    return [
        {
            "rows": entry["rows"],
            "until": entry.get("last_event_date"),
            "cost_usd": entry["totals"].get("cost_usd"),
            "csv": str(folder / f"{name}.csv"),
            "parquet": str(folder / f"{name}.parquet"),
        }
        for name, entry in read_exports(folder).items()
        if not entry.get("is_complete") or name in publication.exports_written
    ]


@dg.asset(group_name="publishing", kinds={"html"}, owners=["team:data-platform"], deps=[published_marts])
def published_docs(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """dbt docs as one static page; built again only when the project's code changed."""
    with sentence_for_people():
        page, written = publish_dbt_docs(settings)
    return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(page), "written": written})
