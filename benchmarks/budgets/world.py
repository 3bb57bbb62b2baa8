"""A warehouse that holds what the budget models read, and nothing else: spend by instant, budgets, adjustments. Real dbt and DuckDB.

The tests and the benchmark build theirs here.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.dbt import run_dbt
from orchestration.settings import Settings, from_environment
from orchestration.team.budgets import BUDGET_ADJUSTMENTS, BUDGETS, Budget
from orchestration.team.rows import TeamFile
from orchestration.team.tables import write_team_tables
from pricing.units import LEAVES

MODELS = (
    "stg_budgets",
    "stg_budget_adjustments",
    "int_budgets+",
    "int_budget_usage+",
    "int_budget_members+",
    "int_budget_spending+",
)
# what calls without a price likely cost: USD of a token of the question and of one of the answer; no other kind is used
LIKELY_USD = {"uncached_input": Decimal("0.001"), "text_output": Decimal("0.01")}
USED = {"uncached_input": "tokens", "text_output": "answer_tokens"}
RATES = ", ".join(f"{LIKELY_USD.get(leaf.name, 0)}::decimal(23, 18) as {leaf.name}_rate_usd" for leaf in LEAVES)
QUANTITIES = ", ".join(f"{USED.get(leaf.name, 0)}::bigint as {leaf.quantity}" for leaf in LEAVES)
TABLES = """
    create schema if not exists marts;
    create schema if not exists intermediate;
    create or replace table intermediate.int_exposure as
        select 'prod' as environment, 'real' as data_mode, 'lab' as provider, 'unknown' as model, 1 as exposure_usd, {rates};
    create or replace table marts.fct_attempts as
        select coalesce(first_date, occurred_at::date) as event_date, occurred_at, source, environment, data_mode,
            '(unattributed)' as endpoint_tag, '(unattributed)' as feature_tag, tenant as tenant_id, '(unattributed)' as user_id,
            'lab' as provider,
            model, usd as cost_usd, 'provider' as usage_source,
            case when usd is null then 'unpriced' else 'priced' end as pricing_status, tokens as input_tokens,
            answer_tokens as output_tokens, {quantities}, file as landing_content_hash, price as price_row_key,
            occurred_at > $as_of as is_future
        from spend;
    create or replace table intermediate.int_arrivals as
        select distinct source, file as content_hash, file as landing_file,
            split_part(split_part(file, 'dt=', 2), '/', 1)::date as arrival_date
        from spend;
    create or replace table intermediate.int_price_book as
        select distinct price as price_row_key, price as source, 'cfo' as approved_by, timestamp '2026-01-01' as recorded_at from spend;
    create or replace table intermediate.costed_usage_days as
        select event_date, md5(string_agg(concat_ws(' ', occurred_at, tenant_id, cost_usd, input_tokens, output_tokens, is_future), ','
            order by occurred_at, tenant_id, cost_usd, input_tokens, output_tokens)) as input_fingerprint
        from marts.fct_attempts group by event_date;
    create or replace table intermediate.int_source_freshness as
        select source, 'prod' as environment, 'real' as data_mode, true as is_silent, last_event_at::timestamp as last_event_at
        from silences;
"""
# What the state machine reads, and all that is made from it
JUDGED = (
    *("stg_budgets", "stg_budget_adjustments", "int_budgets", "int_budget_spending", "int_budget_periods"),
    *("budget_period_days", "int_budget_silences", "int_budget_regular", "int_budget_usual", "int_budget_unevenness"),
    *("int_budget_quarters", "int_budget_burn", "int_budget_signals", "int_budget_states"),
)
USAGE = """
    create schema if not exists marts;
    create schema if not exists intermediate;
    create or replace table intermediate.int_budget_usage as
        select quarter_at::date as event_date, budget_id, quarter_at, attempts, usd::decimal(38, 12) as cost_usd,
            0::decimal(38, 12) as estimated_cost_usd, 0::bigint as unpriced_attempts, 0::bigint as unvalued_attempts,
            0::decimal(38, 0) as usage_checksum, 0::decimal(38, 12) as exposure_usd
        from usage;
    create or replace table intermediate.costed_usage_days as
        select event_date, md5(sum(hash(int_budget_usage))::varchar) as input_fingerprint
        from intermediate.int_budget_usage group by event_date;
    create or replace table intermediate.int_source_freshness as
        select '' as source, '' as environment, '' as data_mode, false as is_silent, null::timestamp as last_event_at;
    create or replace table intermediate.int_budget_members as
        select '' as budget_id, '' as dimension, '' as member, null::date as local_date where false;
"""
SPEND = """
    create or replace table spend as
    select occurred_at::timestamp as occurred_at, source, tenant, environment, data_mode, usd::decimal(38, 12) as usd,
        tokens::bigint as tokens, answer_tokens::bigint as answer_tokens, file, price, model, first_date::date as first_date
    from landed
"""


@dataclass
class Spend:
    """USD at a UTC instant; `usd` None is a call without a price, of the likely cost in LIKELY_USD if anything is known of it."""

    at: str
    usd: Decimal | str | float | None
    tokens: int = 0
    data_mode: str = "real"
    environment: str = "prod"
    is_valued: bool = True
    first_date: str | None = None  # of its first delivery, where that is before the date of the instant
    source: str = "events"
    answer_tokens: int = 0
    file: str = "events/dt=2026-01-01/first.jsonl"
    price: str = "genai-prices"


@dataclass
class World:
    """Spend by tenant, budgets by id; a budget's id is its tenant unless its row says otherwise. Sources that are silent, since when."""

    settings: Settings
    spend: dict[str, list[Spend]] = field(default_factory=dict)
    budgets: list[dict] = field(default_factory=list)
    adjustments: list[dict] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)

    def build(self, as_of: str, *arguments: str) -> "World":
        """Build the budget lineage at an instant."""
        settings = replace(self.settings, as_of=datetime.fromisoformat(as_of + "+00:00"))
        (settings.state / "spill").mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(settings.warehouse)) as warehouse:
            warehouse.register("landed", self._landed())
            warehouse.register("silences", _table(("source", "last_event_at"), list(self.silent.items())))
            warehouse.execute(SPEND)
            for statement in filter(str.strip, TABLES.format(rates=RATES, quantities=QUANTITIES).split(";")):
                warehouse.execute(statement, {"as_of": as_of} if "$as_of" in statement else None)
        _write_rows(settings.team, BUDGETS, self.budgets)
        _write_rows(settings.team, BUDGET_ADJUSTMENTS, self.adjustments)
        write_team_tables(settings)
        run_dbt(
            settings,
            *("build", "--quiet", "--exclude-resource-type", "unit_test", *arguments),
            *("--select", *MODELS, "--exclude", "int_weekly_events+", "int_weekly_budgets+"),
        )
        return self

    def judge(self, as_of: str, usage: pa.Table) -> None:
        """Runs the state machine alone over usage by budget and quarter-hour: of thousands of budgets, each its own scope."""
        settings = replace(self.settings, as_of=datetime.fromisoformat(as_of + "+00:00"))
        (settings.state / "spill").mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(settings.warehouse)) as warehouse:
            warehouse.register("usage", usage)
            for statement in filter(str.strip, USAGE.split(";")):
                warehouse.execute(statement)
        _write_rows(settings.team, BUDGETS, self.budgets)
        _write_rows(settings.team, BUDGET_ADJUSTMENTS, self.adjustments)
        write_team_tables(settings)
        run_dbt(settings, "run", "--quiet", "--select", *JUDGED)

    def first(self, state: str) -> dict[str, float]:
        """By budget: when it first reached the state, as a share of the period."""
        rows = self.ask(
            """
            select budget_id, min((epoch(quarter_at) - epoch(starts_at)) / (epoch(ends_at) - epoch(starts_at)))
            from intermediate.int_budget_states inner join intermediate.int_budget_periods using (budget_id)
            where state = ? and event_date = period_start group by budget_id
            """,
            state,
        )
        return dict(rows)

    def _landed(self) -> pa.Table:
        rows = [
            (
                each.at,
                tenant,
                each.environment,
                each.data_mode,
                None if each.usd is None else str(each.usd),
                str(each.tokens),
                "known" if each.usd is not None else "unknown" if each.is_valued else "unheard-of",
                each.first_date,
                each.source,
                str(each.answer_tokens),
                each.file,
                each.price,
            )
            for tenant, spend in self.spend.items()
            for each in spend
        ]
        names = ("occurred_at", "tenant", "environment", "data_mode", "usd", "tokens", "model", "first_date", "source")
        names += ("answer_tokens", "file", "price")
        return _table(names, rows)

    def ask(self, sql: str, *parameters: object) -> list[tuple]:
        """Rows of the warehouse, schema marts first."""
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as warehouse:
            warehouse.execute("use marts")
            return warehouse.execute(sql, list(parameters)).fetchall()


def _table(names: tuple[str, ...], rows: list[tuple]) -> pa.Table:
    return pa.table({name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(names)})


def world_at(root: Path) -> World:
    """An empty world over a data root, with a team folder next to it."""
    team = root.parent / f"{root.name}-team"
    team.mkdir(parents=True, exist_ok=True)
    return World(
        from_environment(
            {
                "TOKENTRAIL_DATA": str(root),
                "TOKENTRAIL_TEAM": str(team),
                "TOKENTRAIL_AS_OF": "2026-11-23T12:00:00",
            }
        )
    )


def budget(name: str, period: str, limit: object, **fields: object) -> dict:
    """A row of budgets.csv, checked as the product checks it, about the tenant of its name; without spend alerts unless asked for."""
    row = dict.fromkeys(Budget.model_fields, "") | {
        "budget_id": name, "environments": "prod", "tenant_id": name, "period": period, "time_zone": "UTC",
        "limit_usd": str(limit), "valid_from": "2026-01-01", "is_spend_alert_on": "false", "owner": "finance", "reason": "test",
    }  # fmt: skip
    row |= {key: str(value) for key, value in fields.items()}
    Budget.model_validate(row)
    return row


def _write_rows(team: Path, file: TeamFile, rows: Iterable[dict]) -> None:
    with (team / file.file).open("w", newline="") as written:
        writer = csv.DictWriter(written, file.columns)
        writer.writeheader()
        writer.writerows(rows)
