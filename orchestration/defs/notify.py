"""Notifications: the outbox goes out before the marts are published, which list it; a failed run is reported at once."""

import dagster as dg

from orchestration.alerts import announcements as alerts
from orchestration.budgets.announcements import announce, what_was_announced, why_nothing_is_announced
from orchestration.defs.weekly import weekly_report
from orchestration.invoices.announcements import announce_findings, what_was_found
from orchestration.notifications import deliver, undelivered
from orchestration.notifications.failed_runs import record, tell_on_call
from orchestration.notifications.silences import announce_silences, what_became_of_senders
from orchestration.run_failures import why_it_failed
from orchestration.settings import Settings, from_environment


def _page(settings: Settings, name: str) -> dict[str, dg.MetadataValue]:
    """Where to look at it: a page of the inbox."""
    return {"page": dg.MetadataValue.url(f"{settings.base_url.rstrip('/')}/{name}")}


@dg.asset(
    group_name="alerts",
    kinds={"json"},
    owners=["team:data-platform"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    deps=[dg.AssetKey(mart) for mart in ("alerts", "alert_compare", "alert_drivers", "fct_attempts")],
)
def alert_announcements_ledger(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per alert that began, got worse, was confirmed, changed or ended, as it became known; their messages go into the outbox."""
    counts = alerts.announce(settings)
    message = alerts.why_nothing_is_announced(settings) or alerts.what_was_announced(counts)
    return dg.MaterializeResult(metadata=dict(counts) | {"message": message} | _page(settings, "inbox"))


@dg.asset(
    group_name="budgets",
    kinds={"json"},
    owners=["team:finance"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    deps=[dg.AssetKey("budget_status"), dg.AssetKey("budget_transitions")],
)
def budget_announcements_ledger(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per change of a budget's state as it became known, and per correction; their messages go into the outbox."""
    counts = announce(settings)
    message = why_nothing_is_announced(settings) or what_was_announced(counts)
    return dg.MaterializeResult(metadata=dict(counts) | {"message": message} | _page(settings, "budgets"))


@dg.asset(
    group_name="notifications",
    kinds={"json"},
    owners=["team:data-platform"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    deps=[dg.AssetKey("source_freshness"), dg.AssetKey("source_silences"), dg.AssetKey("budget_status")],
)
def source_silences_ledger(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per sender that fell silent, came back or counts as ended, as it became known; their messages go into the outbox."""
    counts = announce_silences(settings)
    return dg.MaterializeResult(metadata=dict(counts) | {"message": what_became_of_senders(counts)})


@dg.asset(
    group_name="invoices",
    kinds={"json"},
    owners=["team:finance"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    deps=[dg.AssetKey(mart) for mart in ("invoice_exports", "unmapped_invoice_lines", "reconciliation_monthly")],
)
def invoice_findings_ledger(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per finding about a bill, and one when it is settled; their messages go into the outbox, to who owns the tolerance."""
    counts = announce_findings(settings)
    return dg.MaterializeResult(
        metadata=dict(counts) | {"message": what_was_found(counts)} | _page(settings, "finance")
    )


@dg.asset(
    group_name="publishing",
    kinds={"apprise"},
    owners=["team:data-platform"],
    deps=[
        alert_announcements_ledger,
        budget_announcements_ledger,
        source_silences_ledger,
        invoice_findings_ledger,
        weekly_report,
    ],
)
def notifications(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per event and channel (ledger/outbox): what is due is sent. A dead channel costs a deadline and fails nothing."""
    delivery = deliver(settings)
    return dg.MaterializeResult(
        metadata={
            "sent": delivery.sent,
            "failed": delivery.failed,
            "escalated": delivery.escalated,
            "given_up": len(delivery.given_up),
            "outbox": delivery.by_status,
            "problems": delivery.problems,
            "messages_given_up": delivery.given_up,
            "seconds": delivery.seconds,
        }
    )


@dg.asset_check(asset=notifications)
def every_message_is_delivered(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """No message of the last two weeks was given up, and no channel with an address refuses: a warning, since the marts are right."""
    lost = undelivered(settings)
    return dg.AssetCheckResult(
        passed=not lost,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"messages": lost},
        description="\n".join(lost) or "Every message that was due was sent.",
    )


@dg.run_failure_sensor(
    monitor_all_code_locations=False,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After a failed run: write it down and tell on-call what failed, in the words of the error. Starts nothing.",
)
def record_run_failure(context: dg.RunFailureSensorContext) -> None:
    """Append the failure to ledger/run_failures.jsonl and tell on-call: which step failed and why, and where the run can be looked at."""
    settings = from_environment()
    run = context.dagster_run
    failed = why_it_failed(settings, context.instance, run.run_id, run.job_name)
    record(settings, failed)
    context.log.error(f"{failed.title}: {failed.error}")
    if not_notified := tell_on_call(settings, [failed]):
        context.log.error(not_notified)
