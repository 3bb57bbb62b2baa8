"""What landed, what was rejected, and the proof that no line was lost: usage events, and the events of incidents."""

from typing import Any

import dagster as dg

from orchestration.defs.metadata import preview
from orchestration.landing.expressions import MappingError
from orchestration.landing.load import load_new_files, sum_of
from orchestration.landing.manifests import files_with_missing_rows
from orchestration.landing.raw_zone import LoadInProgress
from orchestration.landing.sources import NOT_USAGE, sources_of
from orchestration.landing.trouble import LoadStopped
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


def _load(context: dg.AssetExecutionContext, settings: Settings, sources: list[str]) -> dg.MaterializeResult:
    try:
        load = sum_of([load_new_files(settings, source, report=context.log.info) for source in sources])
    except (LoadInProgress, LoadStopped) as trouble:
        raise dg.Failure(str(trouble), allow_retries=True) from None
    for sentence in load.unread:
        context.log.warning(sentence)
    if load.unread:
        note(settings, context.run.run_id, unreadable=["landing"])
    rejects = [{"reason": reason, "rows": rows} for reason, rows in sorted(load.rejects_by_reason.items())]
    skips = [{"reason": reason, "rows": rows} for reason, rows in sorted(load.skips_by_reason.items())]
    shown = {"rejects_by_reason": preview(rejects), "skips_by_reason": preview(skips)}
    return dg.MaterializeResult(metadata=load.summary() | shown)


def _usage_sources(settings: Settings) -> list[str]:
    try:
        return [source for source in sources_of(settings) if source not in NOT_USAGE]
    except MappingError as mistakes:
        raise dg.Failure(str(mistakes), allow_retries=False) from None


def _lines_lost(settings: Settings, sources: list[str]) -> dg.AssetCheckResult:
    try:
        short = [file for source in sources for file in files_with_missing_rows(settings, source)]
    except LoadStopped as trouble:
        raise dg.Failure(str(trouble)) from None
    return dg.AssetCheckResult(
        passed=not short,
        description=f"{len(short)} landing files have lines that were neither loaded, rejected nor skipped."
        if short
        else None,
        metadata={"files_short": short[:20]},
    )


@dg.asset(**RAW)
def raw_events(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per landed call of any source, by UTC event date; rejected lines are kept separately, with a reason."""
    return _load(context, settings, _usage_sources(settings))


@dg.asset_check(asset=raw_events, blocking=True)
def no_line_is_lost(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Per landing file: rows in = rows loaded + rows rejected + rows skipped."""
    return _lines_lost(settings, _usage_sources(settings))


@dg.asset(**RAW)
def raw_incidents(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per landed event of an incident, by UTC date; rejected lines are kept separately, with a reason."""
    return _load(context, settings, ["incidents"])


@dg.asset_check(asset=raw_incidents, blocking=True)
def no_incident_line_is_lost(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Per landing file of incidents: rows in = rows loaded + rows rejected."""
    return _lines_lost(settings, ["incidents"])


@dg.asset(**RAW)
def raw_invoices(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per line of a landed invoice, cost export or usage report, by billing month; the rest is counted with its amount."""
    return _load(context, settings, ["invoices"])


@dg.asset_check(asset=raw_invoices, blocking=True)
def no_invoice_line_is_lost(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Per landing file of invoices: items in = lines + items out of scope or skipped + items rejected."""
    return _lines_lost(settings, ["invoices"])
