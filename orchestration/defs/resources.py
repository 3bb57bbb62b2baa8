"""What assets are handed: settings, read anew for every run so that `as_of` is the run's own instant, and dbt."""

import dagster as dg

from orchestration.dbt import DBT, InstalledDbt, dbt_project
from orchestration.settings import from_environment


@dg.definitions
def resources() -> dg.Definitions:
    """Resources by the names that assets ask for."""
    return dg.Definitions(
        resources={
            "settings": dg.ResourceDefinition(lambda _: from_environment()),
            "dbt": InstalledDbt(project_dir=dbt_project(from_environment()), dbt_executable=str(DBT)),
        }
    )
