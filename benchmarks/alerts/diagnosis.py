"""What one diagnosis costs: `python -m benchmarks.alerts.diagnosis --leaves 100000`.

A made-up workspace whose every day has so many leaves (endpoint x version x tenant x user x model) spends evenly for 42
days; on the last, one tenant calls one endpoint ten times as much. The detection runs over all of it, then the models from
the search of drivers to the published row are timed by dbt itself, over the one day that they have to explain. Those are
seconds of a clock, and longer while other work runs; the processor's seconds of the whole run, dbt's own among them, are not.
"""

import argparse
import json
import resource
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import yaml

from demo import TEAM as DEMO_TEAM
from orchestration.dbt import run_dbt
from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.team.tables import write_team_tables
from pricing.units import LEAVES

DAYS, LAST = 42, "2026-11-20"
MADE_UP = (
    "+int_usage_daily +int_endpoint_hours +int_exposure +attempt_days +cost_by_model_daily +int_source_silent_days "
    "+int_plans int_open_hours"
)
ALERT_MARTS = ("alerts", "alert_compare", "alert_drivers", "alert_focus")
USAGE = """
    create schema intermediate;
    create schema marts;
    create table marts.fct_attempts ({fact});
    create table intermediate.attempt_days as
        select cast(date '{last}' - cast(day as integer) as date) as event_date, md5(cast(day as varchar)) as input_fingerprint
        from range({days}) as days(day);
    create table intermediate.int_exposure (
        environment varchar, data_mode varchar, provider varchar, model varchar, exposure_usd decimal(38, 12),
        likely_rates_fingerprint varchar, {rates}
    );
    create table intermediate.int_endpoint_hours (
        event_date date, environment varchar, data_mode varchar, endpoint_tag varchar, hour_of_day integer, attempts bigint,
        successes bigint, cost_usd decimal(38, 12)
    );
    create table intermediate.int_source_silent_days (event_date date, environment varchar, data_mode varchar);
    create table intermediate.int_plans (
        plan_id varchar, kind varchar, problem_id varchar, environment varchar, data_mode varchar, endpoint_tag varchar,
        prompt_version varchar, tenant_id varchar, user_id varchar, model varchar, from_date date, until_date date, recorded_at timestamp
    );
    create table intermediate.int_open_hours (
        event_date date, environment varchar, data_mode varchar, delay_hours integer, through_hour integer
    );
    create table intermediate.int_usage_daily as
        select
            event_date, 'prod' as environment, 'real' as data_mode,
            'endpoint-' || leaf % 50 as endpoint_tag, 'v1' as prompt_version,
            'tenant-' || cast(sqrt(leaf // 50 % 40000) as integer) as tenant_id, 'user-' || leaf // 50 as user_id,
            'provider' as provider, 'model-' || leaf % 3 as model, 'standard' as price_variant,
            requests, requests as attempts, requests as billed_attempts, requests as successes, 1000 * requests as tokens,
            cast(requests * 0.01 as decimal(38, 12)) as cost_usd, cast(0 as bigint) as unpriced_attempts,
            cast(0 as bigint) as unpriced_tokens, {kinds}, {unpriced}, cast(requests * 0.0001 as double) as cost_usd_squares,
            cast(0 as double) as unpriced_token_squares, requests as typical_calls, requests * ln(0.01) as cost_usd_logs,
            requests * power(ln(0.01), 2) as cost_usd_log_squares
        from (
            select
                event_date, leaf,
                cast((3 + hash(leaf, event_date) % 3) * case
                    when event_date = date '{last}' and leaf % 50 = 7 and cast(sqrt(leaf // 50 % 40000) as integer) < 9 then 60 else 1
                end as bigint) as requests
            from intermediate.attempt_days, range({leaves}) as leaves(leaf)
        );
"""
# three quarters of the tokens are input, and half of the dollars
SHARES_OF_KINDS = {"uncached_input": (750, 0.005), "text_output": (250, 0.005)}
RATES = ", ".join(f"{leaf.name}_rate_usd decimal(23, 18)" for leaf in LEAVES)
UNPRICED = ", ".join(f"cast(0 as decimal(15, 0)) as unpriced_{leaf.quantity}" for leaf in LEAVES)
CONTRACT = yaml.safe_load(
    (PROJECT / "dbt_project" / "models" / "marts" / "attribution" / "fct_attempts.yml").read_text()
)
# the day has its usage alone; the fact is read for open days, of which there are none
FACT = ", ".join(f"{column['name']} {column['data_type']}" for column in CONTRACT["models"][0]["columns"])
KINDS = ", ".join(
    f"cast({tokens} * requests as decimal(38, 0)) as {name}_units, cast({usd} * requests as decimal(38, 12)) as {name}_usd"
    for name in (*(leaf.name for leaf in LEAVES), "other")
    for tokens, usd in [SHARES_OF_KINDS.get(name, (0, 0))]
)


def main() -> int:
    """Prints the seconds of each model and of the whole diagnosis."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts.diagnosis", description=__doc__)
    parser.add_argument("--leaves", type=int, default=100_000, help="leaves of a day (default: %(default)s)")
    leaves = parser.parse_args().leaves
    with tempfile.TemporaryDirectory() as folder:
        noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
        settings = replace(from_environment(), data=Path(folder), team=DEMO_TEAM, as_of=noon)
        (settings.state / "spill").mkdir(parents=True)
        write_team_tables(settings)
        with duckdb.connect(str(settings.warehouse)) as database:
            database.execute(
                USAGE.format(
                    days=DAYS, last=LAST, leaves=leaves, kinds=KINDS, rates=RATES, unpriced=UNPRICED, fact=FACT
                )
            )
        diagnosis = _from("int_large_members")
        detection = [f"+{mart}" for mart in ALERT_MARTS]
        _dbt(settings, *detection, excluding=f"{MADE_UP} {' '.join(diagnosis)}")
        before = _processor_seconds()
        seconds = _dbt(settings, *diagnosis, excluding=MADE_UP)
        spent = _processor_seconds() - before
        with duckdb.connect(str(settings.warehouse), read_only=True) as database:
            found = database.execute(
                "select spike_type, top_driver_dimension, top_driver_value from marts.alerts"
            ).fetchall()
    for model, taken in seconds.items():
        sys.stdout.write(f"{taken:6.2f} s  {model}\n")
    sys.stdout.write(f"{sum(seconds.values()):6.2f} s  diagnosis of {found} among {leaves:,} leaves\n")
    sys.stdout.write(f"{spent:6.2f} s  of the processor, with dbt's own\n")
    return 0


def _processor_seconds() -> float:
    """Of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _from(model: str) -> list[str]:
    """What lies between a model and the alert marts, as dbt selects it."""
    return [f"{model}+,+{mart}" for mart in ALERT_MARTS]


def _dbt(settings: Settings, *selected: str, excluding: str) -> dict[str, float]:
    """Seconds of each model that a run builds."""
    run_dbt(
        settings,
        "build",
        "--quiet",
        "--exclude-resource-type",
        "test",
        "--exclude-resource-type",
        "unit_test",
        "--select",
        *selected,
        "--exclude",
        *excluding.split(),
    )
    with duckdb.connect(str(settings.warehouse)) as database:
        database.execute("checkpoint")
    results = json.loads((settings.state / "dbt" / "run_results.json").read_text())["results"]
    return {
        row["unique_id"].split(".")[-1]: row["execution_time"]
        for row in results
        if row["unique_id"].startswith("model.")
    }


if __name__ == "__main__":
    sys.exit(main())
