"""What a run has read, kept when all of it succeeded, so that the next one can tell whether anything is new."""

import dagster as dg

from orchestration.defs.notify import notifications
from orchestration.defs.publish import published_docs
from orchestration.defs.transform import COVERS, warehouse_models
from orchestration.news import remember
from orchestration.settings import Settings


@dg.asset(
    group_name="publishing",
    kinds={"json"},
    owners=["team:data-platform"],
    deps=[published_docs, notifications],
    op_tags={"dagster/priority": "-2"},  # the last step of a run
)
def run_record(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One record per run over everything, or by the hour, that succeeded: what it read, and when something changes by itself."""
    covers = COVERS.get(context.job_name)
    failures = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    is_kept = False
    if covers and not failures:
        models = {key.to_user_string() for key in warehouse_models.keys}
        is_kept = remember(settings, context.run.run_id, covers, models)
    return dg.MaterializeResult(metadata={"kept": is_kept})
