"""Raw usage events: what landed, what was rejected, and the proof that no line was lost."""

import dagster as dg
import duckdb

from orchestration.landing import LoadInProgressError, load_new_files
from orchestration.settings import Settings
from orchestration.warehouse import preview


@dg.asset(
    group_name="raw",
    kinds={"parquet"},
    owners=["team:data-platform"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
)
def raw_events(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per landed event line, by UTC event date; rejected lines are kept beside them with a reason."""
    try:
        load = load_new_files(settings, "events", report=context.log.info)
    except LoadInProgressError as busy:
        raise dg.Failure(str(busy), allow_retries=True) from None
    rejects = [{"reason": reason, "rows": rows} for reason, rows in sorted(load.rejects_by_reason.items())]
    return dg.MaterializeResult(metadata=load.summary() | {"rejects_by_reason": preview(rejects)})


@dg.asset_check(asset=raw_events, blocking=True)
def no_line_is_lost(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Per landing file: rows in = rows loaded + rows rejected."""
    manifests = str(settings.raw / "_loads" / "*.parquet")
    with duckdb.connect() as connection:
        short = connection.execute(
            """
            select landing_file, sum(rows_in) as rows_in, sum(rows_loaded) as rows_loaded, sum(rows_rejected) as rows_rejected
            from read_parquet(?, union_by_name = true)
            group by load_id, landing_file
            having sum(rows_in) <> sum(rows_loaded) + sum(rows_rejected)
            """,
            [manifests],
        ).fetchall()
    return dg.AssetCheckResult(
        passed=not short,
        description=f"{len(short)} landing files have lines that were neither loaded nor rejected." if short else None,
        metadata={"files_short": [row[0] for row in short[:20]]},
    )
