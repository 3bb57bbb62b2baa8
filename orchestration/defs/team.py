"""What a team edits, checked and made into the tables that every subject may read."""

import dagster as dg

from orchestration.defs.metadata import preview
from orchestration.landing.expressions import MappingError
from orchestration.landing.mapping import read_mappings
from orchestration.settings import Settings
from orchestration.team.rows import TeamFileError
from orchestration.team.tables import write_team_tables
from orchestration.warehouse import warehouse


@dg.asset(group_name="team", kinds={"python", "parquet"}, owners=["team:data-platform"])
def team_files(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One table per file of the team's folder: its rows, and the shipped defaults that none of them replaces."""
    try:
        tables = write_team_tables(settings)
        read_mappings(settings.team)
    except (TeamFileError, MappingError) as mistakes:
        raise dg.Failure(str(mistakes), allow_retries=False) from None
    rows = [
        {"file": table.name, "rows": table.rows, "defaults": table.shipped_rows, "changed": table.is_changed}
        for table in tables
    ]
    changed = ", ".join(table.name for table in tables if table.is_changed) or "-"
    return dg.MaterializeResult(metadata={"folder": str(settings.team), "changed": changed, "files": preview(rows)})


@dg.asset_check(asset=dg.AssetKey("unseen_names"))
def names_in_team_files_occur(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Every environment, endpoint, tenant, user, provider and model that the team's files name is one that calls have."""
    with warehouse(settings) as connection:
        found = connection.execute("from marts.unseen_names order by file, line_number, column_name, name")
        rows = found.to_arrow_table().to_pylist()
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description="\n".join(row["sentence"] for row in rows) or None,
        metadata={"names": preview(rows)},
    )
