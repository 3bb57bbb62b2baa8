"""What assets are handed: settings, read anew for every run so that `as_of` is the run's own instant, and dbt."""

import dagster as dg

from orchestration.dbt import DBT, InstalledDbt, dbt_project
from orchestration.runs import live
from orchestration.settings import Settings, from_environment
from orchestration.storage import make_private


def _settings(context: dg.InitResourceContext) -> Settings:
    """The settings of now. A run that asks for them is alive from here to the end of its process."""
    settings = from_environment()
    make_private(settings)
    if context.run_id:
        live(settings, context.run_id, context.instance)
    return settings


@dg.definitions
def resources() -> dg.Definitions:
    """Resources by the names that assets ask for. A step that is started by hand in the UI runs in its run's process, as all do."""
    return dg.Definitions(
        resources={
            "settings": dg.ResourceDefinition(_settings),
            "dbt": InstalledDbt(project_dir=dbt_project(from_environment()), dbt_executable=str(DBT)),
        },
        executor=dg.in_process_executor,
    )
