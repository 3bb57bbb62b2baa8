"""What landed, what was rejected, and the proof that no line was lost: usage events, and the events of incidents."""

from typing import Any

import dagster as dg

from orchestration.defs.metadata import preview
from orchestration.landing import LoadInProgress, LoadStopped, files_with_missing_rows, load_new_files
from orchestration.news import note
from orchestration.settings import Settings

RAW: dict[str, Any] = {
    "group_name": "landing",
    "kinds": {"parquet"},
    "owners": ["team:data-platform"],
    "retry_policy": dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
}

# `make set-aside` and `make take-back` write it: no run makes it, and models read it.
set_aside_ledger = dg.AssetSpec(
    "set_aside_ledger",
    group_name="landing",
    owners=["team:data-platform"],
    description="One row per decision to set a landed line aside, or to count it again.",
)


def _load(context: dg.AssetExecutionContext, settings: Settings, source: str) -> dg.MaterializeResult:
    try:
        load = load_new_files(settings, source, report=context.log.info)
    except (LoadInProgress, LoadStopped) as trouble:
        raise dg.Failure(str(trouble), allow_retries=True) from None
    for sentence in load.unread:
        context.log.warning(sentence)
    if load.unread:
        note(settings, context.run.run_id, unreadable=["landing"])
    rejects = [{"reason": reason, "rows": rows} for reason, rows in sorted(load.rejects_by_reason.items())]
    return dg.MaterializeResult(metadata=load.summary() | {"rejects_by_reason": preview(rejects)})


def _lines_lost(settings: Settings, source: str) -> dg.AssetCheckResult:
    try:
        short = files_with_missing_rows(settings, source)
    except LoadStopped as trouble:
        raise dg.Failure(str(trouble)) from None
    return dg.AssetCheckResult(
        passed=not short,
        description=f"{len(short)} landing files have lines that were neither loaded nor rejected." if short else None,
        metadata={"files_short": short[:20]},
    )


@dg.asset(**RAW)
def raw_events(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per landed event line, by UTC event date; rejected lines are kept separately, with a reason."""
    return _load(context, settings, "events")


@dg.asset_check(asset=raw_events, blocking=True)
def no_line_is_lost(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Per landing file: rows in = rows loaded + rows rejected."""
    return _lines_lost(settings, "events")


@dg.asset(**RAW)
def raw_incidents(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per landed event of an incident, by UTC date; rejected lines are kept separately, with a reason."""
    return _load(context, settings, "incidents")


@dg.asset_check(asset=raw_incidents, blocking=True)
def no_incident_line_is_lost(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Per landing file of incidents: rows in = rows loaded + rows rejected."""
    return _lines_lost(settings, "incidents")
