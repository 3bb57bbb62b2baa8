"""What readers see: tokentrail.duckdb, exports, documentation. A broken promise upstream leaves the former publication in place."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from orchestration.defs.transform import warehouse_models
from orchestration.publishing.documentation import publish_dbt_docs
from orchestration.publishing.publication import publish
from orchestration.publishing.publications import PublicationError
from orchestration.settings import Settings

MARTS = [key for key, spec in warehouse_models.specs_by_key.items() if spec.tags.get("layer") == "marts"]


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
    op_tags={"dagster/priority": "-1"},  # after the expectations, whose Data Docs go with the marts
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
)
def published_marts(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """tokentrail.duckdb (schema `marts`), exports and Data Docs, switched as a whole; nothing is written when nothing changed."""
    with sentence_for_people():
        publication = publish(settings)
    return dg.MaterializeResult(
        metadata={
            "database": dg.MetadataValue.path(settings.published_marts),
            "signature": publication.signature,
            "written": publication.written,
            "exports_written": publication.exports_written,
        }
    )


@dg.asset(group_name="publishing", kinds={"html"}, owners=["team:data-platform"], deps=[published_marts])
def published_docs(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """dbt docs as one static page; built again only when the project's code changed."""
    with sentence_for_people():
        page, written = publish_dbt_docs(settings)
    return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(page), "written": written})
