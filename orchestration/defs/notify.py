"""What people are told: the outbox goes out at the end of a run, and a failed run speaks up at once."""

import json

import dagster as dg

from orchestration.budget_announcements import announce, why_nothing_is_announced
from orchestration.defs.publish import published_marts
from orchestration.defs.weekly import weekly_report
from orchestration.ledger import LedgerBusyError
from orchestration.notifications import Event, deliver, enqueue, undelivered
from orchestration.plain import for_chat
from orchestration.seeds import SeedError
from orchestration.settings import Settings, from_environment

ERROR_CHARACTERS = 1500  # of an error in a message: chat shows no more, the ledger has it whole


@dg.asset(
    group_name="notify",
    kinds={"json"},
    owners=["team:finance"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    deps=[dg.AssetKey("budget_status"), dg.AssetKey("budget_transitions")],
)
def budget_announcements_ledger(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per change of a budget's state as it became known, and per correction; their messages go into the outbox."""
    counts = announce(settings)
    return dg.MaterializeResult(metadata=dict(counts) | {"said": why_nothing_is_announced(settings) or "What changed."})


@dg.asset(
    group_name="notify",
    kinds={"apprise"},
    owners=["team:data-platform"],
    deps=[published_marts, budget_announcements_ledger, weekly_report],
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
        description="\n".join(lost) or "Every message that was to go out did.",
    )


@dg.run_failure_sensor(monitor_all_code_locations=False, default_status=dg.DefaultSensorStatus.RUNNING)
def record_run_failure(context: dg.RunFailureSensorContext) -> None:
    """Append the failure to ledger/run_failures.jsonl and tell on-call: what failed, in which run, in the words of the error."""
    settings = from_environment()
    failure = describe_failure(context)
    _append(settings, failure)
    context.log.error(f"{failure['job']} failed: {failure['error']}")
    try:
        enqueue(settings, [failure_event(settings, failure)])
        deliver(settings)  # the run's own delivery comes last in a run, so a failed one never reached it
    except (SeedError, LedgerBusyError, OSError) as error:
        context.log.error(f"On-call was not told of it. {error}")


def describe_failure(context: dg.RunFailureSensorContext) -> dict[str, str]:
    """The failure as a plain record."""
    return {
        "run_id": context.dagster_run.run_id,
        "job": context.dagster_run.job_name,
        "error": context.failure_event.message or "",
    }


def failure_event(settings: Settings, failure: dict[str, str]) -> Event:
    """The failure as a message: readers still have the last good tables, so it is a warning."""
    error = "\n".join(for_chat(line, ERROR_CHARACTERS) for line in failure["error"][:ERROR_CHARACTERS].splitlines())
    return Event(
        event_key=f"run/{failure['run_id']}",
        topic=f"run/{failure['job']}",
        kind="run",
        severity="warning",
        title=f"{failure['job']} failed",
        body=f"{error}\n\nRun {failure['run_id']}. "
        "What readers see stays as the last good run left it; docs/operate.md says what to do.",
        drill_url="",
        occurred_at=settings.as_of,
        channels=("oncall",),
    )


def _append(settings: Settings, failure: dict[str, str]) -> None:
    settings.ledger.mkdir(parents=True, exist_ok=True)
    with (settings.ledger / "run_failures.jsonl").open("a") as ledger:
        ledger.write(json.dumps(failure) + "\n")
