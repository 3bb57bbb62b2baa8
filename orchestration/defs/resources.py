"""What assets are handed: settings, read anew for every run so that `as_of` is the run's own instant, and dbt."""

from importlib.metadata import version

import dagster as dg
from dagster_dbt import DbtCliResource
from packaging.version import Version

from orchestration import dbt
from orchestration.dbt import dbt_project
from orchestration.news import begin
from orchestration.runs import live
from orchestration.settings import Settings, from_environment
from orchestration.storage import make_private
from orchestration.warm_dbt.start import start_ahead


def _settings(context: dg.InitResourceContext) -> Settings:
    """The settings of now. A run that asks for them is alive from here to the end of its process."""
    settings = from_environment()
    make_private(settings)
    if run := context.run:
        if context.instance is None:
            raise RuntimeError(f"Run {run.run_id} has no Dagster instance: start it with dg launch, or in the UI.")
        live(settings, run.run_id, context.instance)
        begin(settings, run.run_id)
    return settings


class InstalledDbt(DbtCliResource):
    """dagster-dbt's resource without its two detours: `dbt --version` asks the network for news, and we need no adapter in here."""

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: object) -> None:
        return None


def _dbt(context: dg.InitResourceContext) -> InstalledDbt:
    """dbt, which gets ready while a run loads what landed."""
    settings = context.resources.settings
    start_ahead(settings)
    return InstalledDbt(
        project_dir=dbt_project(settings),  # type: ignore[arg-type]  # it takes a project, by its own __init__
        dbt_executable=str(dbt.DBT),
    )


@dg.definitions
def resources() -> dg.Definitions:
    """Resources by the names that assets ask for. A step that is started by hand in the UI runs in its run's process, as all do."""
    return dg.Definitions(
        resources={
            "settings": dg.ResourceDefinition(_settings),
            "dbt": dg.ResourceDefinition(_dbt, required_resource_keys={"settings"}),
        },
        executor=dg.in_process_executor,
    )
