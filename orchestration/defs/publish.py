"""What readers see: marts.duckdb, exports, documentation. A broken promise upstream leaves the former publication in place."""

import dagster as dg

from orchestration.defs.transform import warehouse_models
from orchestration.documentation import publish_dbt_docs
from orchestration.publication import publish
from orchestration.settings import Settings

MARTS = [
    key
    for key, spec in warehouse_models.specs_by_key.items()
    if spec.group_name in {"attribution", "operations", "finance"}
]


@dg.asset(
    group_name="published",
    kinds={"duckdb", "csv", "parquet"},
    owners=["team:data-platform"],
    deps=MARTS,
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
)
def published_marts(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """marts.duckdb (schema `marts`) and the exports, replaced atomically; nothing is written when nothing changed."""
    publication = publish(settings)
    return dg.MaterializeResult(
        metadata={
            "database": dg.MetadataValue.path(settings.published / "marts.duckdb"),
            "signature": publication.signature,
            "written": publication.written,
            "exports_written": publication.exports_written,
        }
    )


@dg.asset(group_name="published", kinds={"html"}, owners=["team:data-platform"], deps=[published_marts])
def published_docs(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """dbt docs as one static page; built again only when the project's code changed. Data Docs are built by the checks."""
    page, written = publish_dbt_docs(settings)
    return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(page), "written": written})
