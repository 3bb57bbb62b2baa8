"""The dbt project: from raw events and prices to marts. Every dbt test is an asset check; a broken promise stops the publication."""

import os
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from orchestration.dbt import BUILD, dbt_environment, dbt_project
from orchestration.defs.metadata import preview
from orchestration.failures import why_the_build_failed
from orchestration.quality.promises import promise
from orchestration.settings import Settings, from_environment
from orchestration.warehouse import WarehouseBusyError, check_not_busy, warehouse
from orchestration.wording import innermost


class Rebuild(dg.Config):
    """What a backfill asks for beyond the dates that differ. Dates are inclusive, YYYY-MM-DD."""

    rebuild_from: str = ""
    rebuild_to: str = ""
    full_refresh: bool = False


class Translator(DagsterDbtTranslator):
    """Groups are the subjects of the dbt project, tags name the layer.

    Nothing has a freshness policy, which goes by when a table was made: a run without new data makes old data no fresher. How far
    the data reach is in the metadata of each materialization, and the check `no_sender_is_silent` judges it.
    """

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The model's name: marts are found under the name that analysts query."""
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return dg.AssetKey(dbt_resource_props["name"])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What a row is, without the model's SQL, which dagster-dbt would add: the code is for those who open the code."""
        return dbt_resource_props["description"]

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        """The spec with what the test promises."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=promise(manifest["nodes"][unique_id]))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The subject, which is the folder below the layer."""
        return dbt_resource_props["fqn"][2]

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """The spec with its owner and layer and, for marts, what the expectations found."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        spec = spec.replace_attributes(owners=["team:data-platform"])
        if unique_id not in manifest["nodes"]:
            return spec
        layer = manifest["nodes"][unique_id]["schema"]
        spec = spec.replace_attributes(tags={**spec.tags, "layer": layer})
        if layer != "marts":
            return spec
        return spec.replace_attributes(metadata={**spec.metadata, "data_docs": DATA_DOCS})


SETTINGS = from_environment()
PROJECT = dbt_project(SETTINGS)
DATA_DOCS = dg.MetadataValue.path(SETTINGS.published / "docs" / "data_docs" / "index.html")


@dbt_assets(
    manifest=PROJECT.manifest_path,
    project=PROJECT,
    # one asset makes all tables of the team
    dagster_dbt_translator=Translator(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)),
    name="warehouse_models",
)
def warehouse_models(
    context: dg.AssetExecutionContext, config: Rebuild, dbt: DbtCliResource, settings: dg.ResourceParam[Settings]
) -> Iterator[Any]:
    """Models and tests, in dependency order; only dates whose input fingerprint differs are rebuilt."""
    try:
        check_not_busy(settings)
    except WarehouseBusyError as busy:
        raise dg.Failure(str(busy)) from None
    started_at = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    os.environ.update(dbt_environment(settings))  # dbt.cli hands the environment on to dbt
    os.environ.update(TOKENTRAIL_REBUILD_FROM=config.rebuild_from, TOKENTRAIL_REBUILD_TO=config.rebuild_to)
    arguments = [*BUILD, *(["--full-refresh"] if config.full_refresh else [])]
    with (settings.state / "dbt" / "build.log").open("w") as log, redirect_stdout(log):
        invocation = dbt.cli(arguments, context=context, target_path=settings.state / "dbt", raise_on_error=False)
        # events wait until dbt has given the warehouse back, so that each can carry what its table now holds
        events = list(invocation.stream())
    if not invocation.is_successful():
        yield from events
        why = why_the_build_failed(settings, started_at) or innermost(str(invocation.get_error() or ""))
        raise dg.Failure(f"dbt build failed, so nothing is published. {why}")
    metadata = _what_tables_hold(settings, started_at)
    for event in events:
        if isinstance(event, dg.Output):
            context.add_output_metadata(metadata.get(event.output_name, {}), output_name=event.output_name)
        yield event


def _what_tables_hold(settings: Settings, since: datetime) -> dict[str, dict]:
    """By table: rows and, for tables built by date, the dates that this run rebuilt and how far the data reach; for the fact, its cost."""
    with warehouse(settings) as connection:
        tables = connection.execute(
            "select table_name, estimated_size from duckdb_tables() where schema_name in ('marts', 'intermediate')"
        ).fetchall()
        rebuilt = dict(
            connection.execute(
                "select model, list(cast(event_date as varchar) order by event_date) from tokentrail.built "
                "where built_at >= ? group by model",
                [since],
            ).fetchall()
        )
        dated = {model for (model,) in connection.execute("select distinct model from tokentrail.built").fetchall()}
        totals = connection.execute(TOTALS_SQL).fetchdf()
        [(last_event_at,)] = connection.execute(LAST_EVENT_SQL).fetchall()
    metadata = {name: {ROW_COUNT: rows} for name, rows in tables}
    for name in dated & metadata.keys():
        dates = rebuilt.get(name, [])
        metadata[name] |= {"dates_rebuilt": len(dates), "rebuilt": ", ".join(dates[-10:]) or "-"}
        if last_event_at:
            reach = dg.MetadataValue.timestamp(last_event_at.replace(tzinfo=UTC))
            metadata[name] |= {"dagster/last_updated_timestamp": reach}
    metadata["fct_attempts"] |= {
        "totals": preview(totals.astype(object).where(totals.notna(), None).to_dict("records"))
    }
    return metadata


ROW_COUNT = "dagster/row_count"  # under this name Dagster shows it in its catalogue
LAST_EVENT_SQL = "select max(last_event_at) from marts.source_freshness where data_mode = 'real'"
TOTALS_SQL = """
    select data_mode, environment, sum(attempts) as attempts, cast(sum(cost_usd) as varchar) as cost_usd,
        sum(unpriced_attempts) as unpriced_attempts,
        round(sum(unpriced_attempts) / nullif(sum(priced_attempts + unpriced_attempts), 0), 6) as unpriced_share
    from marts.data_quality_daily
    where attempts > 0
    group by data_mode, environment
    order by data_mode, environment
"""
