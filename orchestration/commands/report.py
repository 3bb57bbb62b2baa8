"""`make report`: the tables behind the screen of a run, read from what was published."""

from rich.console import Console
from rich.text import Text

from orchestration.notifications.silences import silent_senders
from orchestration.plain import plain_console, visible
from orchestration.settings import Settings, from_environment
from orchestration.tables import print_table
from orchestration.warehouse import open_marts

TOP = 5
LATEST = 8  # alerts
FINDINGS = 10
WHERE_TO_GO = """Where to go next
  {published}/tokentrail.duckdb     every mart, for any SQL tool (schema marts); docs/cookbook.md has questions to start from
  {published}/exports/              the last days and each month, Parquet and CSV
  {published}/weekly/               what each week cost, what came back and what is missing, to read or to print
  {published}/docs/dbt/index.html   every table and column explained
  {published}/docs/data_docs/       what the expectations found
  make ui                           runs, checks and lineage in Dagster"""


def print_report(settings: Settings, console: Console) -> None:
    """Totals, alerts, rejects, cost by endpoint, version, tenant and user, models without a price, reported against ours."""
    database = settings.published_marts
    if not database.exists():
        console.print(Text(f"Nothing is published yet under {visible(settings.published)}: `make run` says why."))
        return
    with open_marts(settings) as marts:
        for silent in silent_senders(marts):
            console.print(Text(visible(silent), style="bold red"))
        for title, sql, parameters in _sections():
            rows = marts.execute(sql, parameters)
            columns = [column[0] for column in rows.description]
            print_table(console, title, columns, rows.fetchall(), numbers=("delta_usd",))
    console.print(Text(WHERE_TO_GO.format(published=visible(settings.published))))


def _sections() -> list[tuple[str, str, list]]:
    return [
        ("What was counted", TOTALS, []),
        (
            f"Alerts, open ones first, the latest {LATEST} (marts.alerts; docs/alerts.md says how to read one)",
            ALERTS,
            [LATEST],
        ),
        (
            "Budgets in their latest period (marts.budget_status; docs/budgets.md explains the states)",
            BUDGETS,
            [],
        ),
        (
            f"The last complete week, the {FINDINGS} most important findings (marts.weekly_findings; docs/incidents.md)",
            WEEK,
            [FINDINGS],
        ),
        ("How the budget with the worst state got there (marts.budget_transitions)", TIMELINE, []),
        ("Rejected lines by reason (marts.rejected_events)", REJECTS, []),
        ("Names in the team's files that no call has (marts.unseen_names)", UNSEEN, []),
        *[
            (f"Cost by {name}, real data, top {TOP}", TOP_COST.format(mart=mart, members=members), [TOP])
            for name, mart, members in (
                ("endpoint", "cost_by_endpoint_daily", "endpoint_tag"),
                ("prompt version", "cost_by_prompt_version_daily", "endpoint_tag || ' ' || prompt_version"),
                ("tenant", "cost_by_tenant_daily", "tenant_id"),
                ("user", "cost_by_user_daily", "user_id || ' (' || tenant_id || ')'"),
            )
        ],
        (
            "Models without a price, most expensive first: no total above has them (marts.unpriced_models has the override to paste)",
            UNPRICED,
            [],
        ),
        ("Our cost against the sender's costUsd, by model, largest difference first", REPORTED, []),
    ]


TOTALS = """
    select data_mode, environment, cast(min(event_date) as varchar) || ' .. ' || cast(max(event_date) as varchar) as dates,
        sum(requests) as requests, sum(attempts) as attempts, sum(duplicate_deliveries) as duplicates,
        sum(cost_usd) as cost_usd, sum(unpriced_attempts) as unpriced, sum(no_usage_attempts) as no_usage
    from data_quality_daily where attempts > 0 group by data_mode, environment order by requests desc
"""
ALERTS = """
    select alert_date as date, severity, status, spike_type,
        case when environment = 'prod' then '' else environment || ': ' end
            || case when scope_dimension = 'total' then 'total' else scope_dimension || ' ' || scope_value end as scope,
        top_driver_dimension || ' ' || top_driver_value as driver, cast(cast(delta_usd as decimal(38, 2)) as varchar) as delta_usd,
        round(z, 1) as z, owner, containment_action
    from alerts where data_mode = 'real'
    order by status not in ('open', 'extended'), alert_date desc, alerts.delta_usd desc, alert_id limit ?
"""
BUDGETS = """
    select budget_id, period || ' from ' || period_start as period, state, spent_usd, limit_usd, utilisation as share,
        case when is_open then projection_usd end as projection_usd, driver_1 as driver, unpriced_attempts as unpriced, owner
    from budget_status
    qualify row_number() over (partition by budget_id order by period_start desc) = 1
    order by state = 'ok', utilisation desc nulls last, budget_id
"""
WEEK = """
    select findings.iso_week as week, findings.environment, findings.severity, findings.sentence
    from weekly_findings as findings inner join weekly_summary as weeks using (week_start, environment, data_mode)
    where data_mode = 'real' and week_start = (select max(week_start) from weekly_summary where is_complete)
    order by weeks.spend_usd desc nulls last, environment, findings.rank limit ?
"""
# The latest period that was exceeded, and its reset.
TIMELINE = """
    with exceeded as (
        select budget_id, max(period_start) as period_start from budget_transitions where to_state = 'exceeded' group by budget_id
        order by max(changed_at) desc, budget_id limit 1
    )
    select budget_id, strftime(changed_at_local, '%a %d %b %H:%M') as at_local, time_zone,
        from_state || ' -> ' || to_state as change, cause, spent_usd, limit_usd, projection_usd
    from budget_transitions inner join exceeded using (budget_id)
    where budget_transitions.period_start = exceeded.period_start and cause <> 'reset'
        or cause = 'reset' and budget_transitions.period_start = (
            select min(later.period_start) from budget_transitions as later
            where later.budget_id = exceeded.budget_id and later.period_start > exceeded.period_start
        )
    order by changed_at, sequence
"""
REJECTS = "select reason_code, count(*) as lines, any_value(message) as for_example from rejected_events group by 1 order by 2 desc, 1"
UNSEEN = "select sentence from unseen_names order by file, line_number, column_name, name"
TOP_COST = """
    with members as (
        select {members} as member, sum(requests) as requests, sum(cost_usd) as cost_usd, sum(unpriced_attempts) as unpriced
        from {mart} where data_mode = 'real' group by 1
    )
    select member, requests, cost_usd, cast(cost_usd as double) / (select cast(sum(cost_usd) as double) from members) as share, unpriced
    from members order by cost_usd desc nulls last, member limit ?
"""
UNPRICED = """
    select provider, model, environment, age_days, case when is_over_sla then 'over ' || sla_days || ' days' end as sla, owner,
        requests, coalesce(input_tokens, 0) + coalesce(output_tokens, 0) as tokens,
        exposure_usd_low as low_usd, exposure_usd as likely_usd, exposure_usd_high as high_usd,
        regexp_extract(suggestion_1, '^(.*) [(]', 1) as nearest_name
    from unpriced_models where data_mode = 'real' and status = 'open'
    order by likely_usd desc nulls last, requests desc, provider, model limit 15
"""
REPORTED = """
    select provider, model, count(*) filter (where pricing_status = 'priced') as priced, sum(cost_usd) as cost_usd,
        count(reported_cost_usd) as reported_by_sender, sum(reported_cost_usd) as reported_usd,
        sum(reported_cost_usd) filter (where cost_usd is not null) - sum(cost_usd) filter (where reported_cost_usd is not null)
            as reported_minus_ours,
        max(reported_cost_usd) as largest_reported
    from fct_attempts where data_mode = 'real' group by provider, model having count(reported_cost_usd) > 0
    order by abs(coalesce(reported_minus_ours, reported_usd)) desc, provider, model limit 15
"""


if __name__ == "__main__":
    print_report(from_environment(), plain_console(150))
