"""Where a failed run speaks up: one place, so that messages to people have one place to hang on."""

import json

import dagster as dg

from orchestration.settings import Settings, from_environment


@dg.run_failure_sensor(monitor_all_code_locations=False, default_status=dg.DefaultSensorStatus.RUNNING)
def record_run_failure(context: dg.RunFailureSensorContext) -> None:
    """Append the failure to ledger/run_failures.jsonl: what failed, in which run, in the words of the error."""
    failure = describe_failure(context)
    _append(from_environment(), failure)
    context.log.error(f"{failure['job']} failed: {failure['error']}")


def describe_failure(context: dg.RunFailureSensorContext) -> dict[str, str]:
    """The failure as a plain record."""
    return {
        "run_id": context.dagster_run.run_id,
        "job": context.dagster_run.job_name,
        "error": context.failure_event.message or "",
    }


def _append(settings: Settings, failure: dict[str, str]) -> None:
    settings.ledger.mkdir(parents=True, exist_ok=True)
    with (settings.ledger / "run_failures.jsonl").open("a") as ledger:
        ledger.write(json.dumps(failure) + "\n")
