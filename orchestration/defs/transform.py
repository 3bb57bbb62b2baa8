"""The dbt project: from raw events and prices to marts. Every dbt test is an asset check; a broken promise stops the publication."""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    dbt_assets,
)
from dagster_dbt.asset_utils import get_asset_check_key_for_test
from dagster_dbt.dbt_manifest import validate_manifest

from orchestration.dbt import build_command, dbt_environment, dbt_project
from orchestration.defs.metadata import preview
from orchestration.failures import why_dbt_stopped, why_the_build_failed
from orchestration.ledger import make_logs
from orchestration.news import EVERYTHING, HOURLY, models_to_build, views_that_stay
from orchestration.quality.promises import promise
from orchestration.quality.suites import get_ready
from orchestration.settings import Settings, from_environment
from orchestration.warehouse import WarehouseBusyError, check_not_busy


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
# one asset makes all tables of the team
TRANSLATOR = Translator(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))
# What a job covers (orchestration/news). Any other run is somebody's own selection of assets, and builds what was selected.
COVERS = {
    "daily_attribution": EVERYTHING,
    "weekly_recurrence": EVERYTHING,
    "backfill": EVERYTHING,
    "hourly_watch": HOURLY,
}
DAILY_SUBJECTS = ("weekly", "invoices")  # a week is over once, and a bill comes once a day at most


@dbt_assets(
    manifest=PROJECT.manifest_path,
    project=PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    name="warehouse_models",
)
def warehouse_models(
    context: dg.AssetExecutionContext,
    config: Rebuild,
    dbt: dg.ResourceParam[DbtCliResource],
    settings: dg.ResourceParam[Settings],
) -> Iterator[Any]:
    """Models that what is new reaches, and their tests, in dependency order; of these, dates whose input fingerprint differs."""
    try:
        check_not_busy(settings)
    except WarehouseBusyError as busy:
        raise dg.Failure(str(busy)) from None
    started_at = datetime.now(UTC).replace(tzinfo=None)
    folder = settings.state / "dbt" / "tables"
    of_this_run = {
        "TOKENTRAIL_REBUILD_FROM": config.rebuild_from,
        "TOKENTRAIL_REBUILD_TO": config.rebuild_to,
        "TOKENTRAIL_TABLES_FOLDER": str(folder),
    }
    make_logs(settings.ledger)
    models = _models_to_build(context, config, settings)
    if COVERS.get(context.job_name) == EVERYTHING:
        get_ready(settings)
    build, results, is_well = None, list[Any](), True
    if models is None or models:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with _environment(dbt_environment(settings) | of_this_run):
            invocation = _dbt_build(context, config, dbt, settings, models)
        build = Build(invocation, settings.state / "dbt" / "build.log")
        results, is_well = build.results()
    outputs = {result.output_name: result for result in results if isinstance(result, dg.Output)}
    metadata = _what_tables_hold(folder, outputs.keys())
    for name in _built_and_marts(context, outputs.keys()) if is_well else outputs:
        context.add_output_metadata(metadata.get(name, {}) | {"built": name in outputs}, output_name=name)
        yield outputs.get(name) or dg.Output(None, output_name=name)
    checks = [result for result in results if not isinstance(result, dg.Output)]
    yield from checks
    if build and not build.ended_well():
        why = why_the_build_failed(settings, started_at) or why_dbt_stopped(settings, build.invocation.get_error())
        raise dg.Failure(f"dbt build failed, so nothing is published. {why}")
    yield from _checks_that_hold(context, checks)


class Build:
    """dbt at work. Its results are whole a while before it ends: it then writes the warehouse out, and Dagster can record them."""

    def __init__(self, invocation: DbtCliInvocation, log: Path) -> None:
        self.invocation, self.log = invocation, log
        self.said = invocation.stream_raw_events()  # prints what it reads
        log.write_text("")

    def results(self) -> tuple[list[Any], bool]:
        """All results as Dagster's events, and whether they are all good."""
        results: list[Any] = []
        with self.log.open("a") as log, redirect_stdout(log):
            for message in self.said:
                results += message.to_default_asset_events(
                    self.invocation.manifest,
                    self.invocation.dagster_dbt_translator,
                    self.invocation.context,
                    self.invocation.target_path,
                    self.invocation.project,
                )
                said = message.raw_event
                if said["info"]["name"] == "EndOfRunSummary" and not said["data"].get("num_errors"):
                    return results, True
        return results, self.ended_well()

    def ended_well(self) -> bool:
        """Whether it succeeded, once it has given the warehouse back."""
        with self.log.open("a") as log, redirect_stdout(log):
            for _ in self.said:
                pass
        return self.invocation.is_successful()


def _models_to_build(context: dg.AssetExecutionContext, config: Rebuild, settings: Settings) -> set[str] | None:
    """Names of the models that the run has to build; None for all that it was asked for."""
    covers = COVERS.get(context.job_name)
    if covers is None or config.full_refresh or config.rebuild_from:
        return None
    selected = {key.to_user_string() for key in context.selected_asset_keys}
    models = models_to_build(settings, context.run.run_id, covers, _manifest(), selected)
    if models is not None:
        context.log.info(f"{len(models)} of {len(selected)} models read something new, themselves or through others.")
    return models


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """What dbt is to read while it starts: `dbt.cli` hands on the environment of this process, which keeps none of it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:  # one by one: other threads read the environment meanwhile
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _dbt_build(
    context: dg.AssetExecutionContext,
    config: Rebuild,
    dbt: DbtCliResource,
    settings: Settings,
    models: Collection[str] | None,
) -> DbtCliInvocation:
    """dbt at work on the models, with the tests that read at least one of them and belong to the run."""
    arguments = [*build_command(settings), *(["--full-refresh"] if config.full_refresh else [])]
    target = settings.state / "dbt"
    if models is None:
        return dbt.cli(arguments, context=context, target_path=target, raise_on_error=False)
    # dagster-dbt adds to a selection, and copies the project where it is long: here it is complete
    stay = views_that_stay(_manifest(), models)
    selection = [*(set(models) - stay or models), *_tests_of(context, models)]
    arguments += ["--indirect-selection", "empty", "--select", " ".join(selection)]
    invocation = dbt.cli(
        arguments,
        manifest=PROJECT.manifest_path,
        dagster_dbt_translator=TRANSLATOR,
        target_path=target,
        raise_on_error=False,
    )
    invocation.context = context
    return invocation


def _tests_of(context: dg.AssetExecutionContext, models: Collection[str]) -> Iterator[str]:
    manifest = _manifest()
    ids = {f"model.{manifest['metadata']['project_name']}.{name}" for name in models}
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] == "test" and ids.intersection(node["depends_on"]["nodes"]):
            check = get_asset_check_key_for_test(manifest, TRANSLATOR, unique_id, PROJECT)
            if check in context.selected_asset_check_keys:
                yield node["name"]


def _built_and_marts(context: dg.AssetExecutionContext, built: Collection[str]) -> Iterator[str]:
    """What was built, and the marts that were not, because nothing that they read is new: all of them are published. In their order."""
    for key in TopologicalSorter(warehouse_models.asset_deps).static_order():
        name = key.to_python_identifier()
        is_mart = key in MARTS and key in context.selected_asset_keys
        if name in built or is_mart:
            yield name


MARTS = [key for key, spec in warehouse_models.specs_by_key.items() if spec.tags.get("layer") == "marts"]


def models_of(*subjects: str) -> list[dg.AssetKey]:
    """The models of subjects."""
    return [key for key, spec in warehouse_models.specs_by_key.items() if spec.group_name in subjects]


def left_to_the_day() -> list[dg.AssetCheckKey]:
    """Tests that the hourly job does not ask: of models that it leaves out, and of single tables that only models read."""
    tests = _manifest()["nodes"].values()
    of_one = {test["name"] for test in tests if test["resource_type"] == "test" and test.get("attached_node")}
    inner, left = warehouse_models.specs_by_key.keys() - MARTS, models_of(*DAILY_SUBJECTS)
    return [
        spec.key
        for spec in warehouse_models.check_specs
        if spec.asset_key in left or (spec.asset_key in inner and spec.name in of_one)
    ]


def _checks_that_hold(context: dg.AssetExecutionContext, asked: Collection[Any]) -> Iterator[dg.AssetCheckResult]:
    """Checks that were not asked because nothing that they read is new: they passed, or the run that built it would have failed."""
    done = {(event.asset_key, event.check_name) for event in asked if isinstance(event, dg.AssetCheckResult)}
    for spec in warehouse_models.check_specs:
        if spec.blocking and spec.key in context.selected_asset_check_keys and (spec.asset_key, spec.name) not in done:
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=True,
                description="Not asked again: nothing that it reads is new since it passed.",
            )


def _manifest() -> Mapping[str, Any]:
    return validate_manifest(PROJECT.manifest_path)


def _what_tables_hold(folder: Path, built: Collection[str]) -> dict[str, dict]:
    """By table: rows and, for tables that are kept by date, the dates that were rebuilt and how far the data reach; for the fact, its
    cost. As dbt saved it when it last ended (macro `save_what_tables_hold`); nothing, where the marts are not built yet.
    """
    if not (folder / "totals.parquet").exists():
        return {}
    with duckdb.connect() as connection:
        tables = connection.read_parquet(str(folder / "tables.parquet")).fetchall()
        totals = connection.read_parquet(str(folder / "totals.parquet")).df()
    metadata: dict[str, dict] = {}
    for name, rows, reach, is_kept_by_date, dates in tables:
        metadata[name] = {ROW_COUNT: rows}
        if is_kept_by_date:
            rebuilt = dates if dates and name in built else []
            metadata[name] |= {"dates_rebuilt": len(rebuilt), "rebuilt": ", ".join(rebuilt[-10:]) or "-"}
            if reach:
                moment = dg.MetadataValue.timestamp(reach.replace(tzinfo=UTC))
                metadata[name] |= {"dagster/last_updated_timestamp": moment}
    metadata["fct_attempts"] |= {
        "totals": preview(totals.astype(object).where(totals.notna(), None).to_dict("records"))
    }
    return metadata


ROW_COUNT = "dagster/row_count"  # under this name Dagster shows it in its catalogue
