"""When things run: the daily job, backfills, and a sensor that runs it as soon as files land.

What starts runs is off until TOKENTRAIL_SCHEDULES is on, or somebody switches it on in the UI: opening the UI starts nothing.
"""

from datetime import date

import dagster as dg

from orchestration.defs.checks import SPECS
from orchestration.defs.coverage import run_if_new
from orchestration.defs.transform import DAILY_SUBJECTS, left_to_the_day, models_of
from orchestration.defs.weekly import weekly_report
from orchestration.news import EVERYTHING, HOURLY, KINDS, news
from orchestration.runs import mark_dead_runs
from orchestration.settings import Settings, from_environment

SETTINGS = from_environment()
HOUR, MINUTE = SETTINGS.daily_at.split(":")
SCHEDULES = dg.DefaultScheduleStatus.RUNNING if SETTINGS.schedules else dg.DefaultScheduleStatus.STOPPED
SENSOR = dg.DefaultSensorStatus.RUNNING if SETTINGS.schedules else dg.DefaultSensorStatus.STOPPED

daily_attribution = dg.define_asset_job(
    "daily_attribution",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Load what landed, price it, rebuild the dates that differ, check, publish. Safe to repeat at any time.",
)


@dg.config_mapping(
    config_schema={
        "from": dg.Field(str, default_value="", description="First event date to rebuild, YYYY-MM-DD."),
        "to": dg.Field(str, default_value="", description="Last event date to rebuild, YYYY-MM-DD."),
        "full_refresh": dg.Field(
            bool, default_value=False, description="Rebuild every date and table from the raw zone."
        ),
    }
)
def _rebuild(config: dict) -> dict:
    for name in ("from", "to"):
        _date_or_nothing(name, config[name])
    if bool(config["from"]) != bool(config["to"]):
        raise ValueError("A backfill has both dates or neither: give FROM and TO, or FULL_REFRESH=true for everything.")
    rebuild = {"rebuild_from": config["from"], "rebuild_to": config["to"], "full_refresh": config["full_refresh"]}
    return {"ops": {"warehouse_models": {"config": rebuild}}}


def _date_or_nothing(name: str, text: str) -> None:
    try:
        date.fromisoformat(text or "2000-01-01")
    except ValueError:
        raise ValueError(f"{name.upper()} is {text!r}: give a date that exists, as YYYY-MM-DD.") from None


backfill = dg.define_asset_job(
    "backfill",
    selection=dg.AssetSelection.all(),
    config=_rebuild,
    executor_def=dg.in_process_executor,
    description="Rebuild a range of event dates, or everything, whatever the fingerprints say.",
)


# Great Expectations takes longer to load than an hour to be judged: it is left to the day, and so is what no hour changes for anybody.
# What is published by the hour without having been tested stays under test until a daily run (publication.py).
hourly_watch = dg.define_asset_job(
    "hourly_watch",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.assets(weekly_report, *models_of(*DAILY_SUBJECTS))
    - dg.AssetSelection.checks(*(spec.key for spec in SPECS), *left_to_the_day()),
    executor_def=dg.in_process_executor,
    description="Load what landed, judge alerts (the open day too), budgets and senders, announce what changed, publish.",
)


@dg.schedule(
    job=hourly_watch,
    cron_schedule="5 * * * *",
    execution_timezone=SETTINGS.time_zone,
    default_status=SCHEDULES,
    description="Every hour at five past: load what landed, judge alerts, budgets and senders, send, publish, if anything is new.",
)
def hourly_watch_schedule(settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Run unless nothing is new."""
    return run_if_new(settings, HOURLY)


@dg.schedule(
    job=daily_attribution,
    cron_schedule=f"{int(MINUTE)} {int(HOUR)} * * *",
    execution_timezone=SETTINGS.time_zone,
    default_status=SCHEDULES,
    description=f"Every day at {SETTINGS.daily_at} ({SETTINGS.time_zone}): load what landed, price it, check, publish, if anything is new.",
)
def daily_attribution_schedule(settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Run unless nothing is new."""
    return run_if_new(settings, EVERYTHING)


@dg.sensor(
    job=daily_attribution,
    minimum_interval_seconds=60,
    default_status=SENSOR,
    description="Every minute: start the daily job when landing is not as the last run found it.",
)
def new_landing_files(settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Run when landing is not as the last run found it: once for one set of files, and again an hour later if that run failed."""
    found = news(settings)
    if not {"landing", "first"}.intersection(found.changed):
        return dg.SkipReason("Every landing file is known.")
    return dg.RunRequest(run_key=f"{settings.as_of:%Y-%m-%dT%H}-{KINDS['landing'](settings)}")


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Every 15 seconds: mark runs whose process is gone as failed, so that the next may begin. Starts nothing.",
)
def dead_runs(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
    """Mark runs whose process is gone, so that the next may begin, and tell on-call."""
    found = mark_dead_runs(settings, context.instance)
    return dg.SkipReason("\n".join(found) or "Every run in progress is alive.")
