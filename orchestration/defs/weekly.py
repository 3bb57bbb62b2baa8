"""The weekly report: once for every ISO week, again when its figures changed; and the job that makes it on Monday morning."""

import dagster as dg

from orchestration.defs.coverage import run_if_new
from orchestration.defs.transform import MARTS, warehouse_models
from orchestration.news import EVERYTHING
from orchestration.settings import Settings, from_environment
from orchestration.weekly import WeekError, report, spend_that_does_not_tie, week_start

SETTINGS = from_environment()
HOUR, MINUTE = SETTINGS.weekly_at.split(":")


class Week(dg.Config):
    """Which week is reported."""

    week: str = ""  # 2026-W47; empty: the last complete one, and those of the last weeks whose figures changed


@dg.asset(
    group_name="publishing",
    kinds={"html", "markdown"},
    owners=["team:finance"],
    deps=[key for key in MARTS if warehouse_models.specs_by_key[key].group_name == "weekly"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
)
def weekly_report(config: Week, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One edition per ISO week and change of its figures, published as a page: spend, what moved it, what came back, what is missing."""
    try:
        outcome = report(settings, config.week)
    except WeekError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    page = settings.published / "weekly" / f"{outcome.week}.html"
    return dg.MaterializeResult(
        metadata={
            "message": outcome.sentence,
            "week": outcome.week or "-",
            "page": dg.MetadataValue.path(page) if outcome.week else "-",
            "new_editions": outcome.new_editions,
            "messages": dict(outcome.queued),
        }
    )


@dg.asset_check(asset=weekly_report)
def reported_spend_ties_to_the_daily_marts(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """What the reports of the last weeks say was spent is what the daily marts add up to: a warning, for people have read it."""
    problems = spend_that_does_not_tie(settings)
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"problems": problems},
        description="\n".join(problems) or "Every reported spend is the sum of its days.",
    )


@dg.config_mapping(
    config_schema={
        "week": dg.Field(
            str, default_value="", description="An ISO week such as 2026-W47; empty: the last complete one."
        )
    }
)
def _of_week(config: dict) -> dict:
    if config["week"]:
        week_start(config["week"])
    return {"ops": {"weekly_report": {"config": {"week": config["week"]}}}}


weekly_recurrence = dg.define_asset_job(
    "weekly_recurrence",
    selection=dg.AssetSelection.all(),
    config=_of_week,
    executor_def=dg.in_process_executor,
    description="Everything that the daily job does, and the report of a week: the last complete one, or one that is named.",
)


@dg.schedule(
    job=weekly_recurrence,
    cron_schedule=f"{int(MINUTE)} {int(HOUR)} * * 1",
    execution_timezone=SETTINGS.time_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING if SETTINGS.schedules else dg.DefaultScheduleStatus.STOPPED,
    description=f"Every Monday at {SETTINGS.weekly_at} ({SETTINGS.time_zone}): the daily job and last week, if anything is new.",
)
def weekly_recurrence_schedule(settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Run unless nothing is new."""
    return run_if_new(settings, EVERYTHING)
