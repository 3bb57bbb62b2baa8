{{ kept_by_date("billable_days") }}
-- Our side of an invoice: what an account of a vendor can bill, by the day of our
-- clock and the day of the vendor's. Every environment and data mode but simulations:
-- a vendor bills tests too. A call belongs to one account, the one that is described
-- most closely.
{%- set dates = dirty_dates() %}
{%- set fields = ["providers", "regions", "billing_account_ids", "sub_account_ids"] %}
{%- set values = ["provider", "region", "billing_account_id", "sub_account_id"] %}
{%- set dimensions = allocation_dimensions() %}
with
    attempts as (
        select *, status = 'error' or pricing_status = 'no_usage' as is_failed
        from {{ ref("fct_attempts") }}
        where {{ in_dates("event_date", dates) }} and data_mode <> 'demo' and not is_future
    ),

    accounts as (select * from {{ ref("int_vendor_accounts") }}),

    payers as (select distinct {{ values | join(", ") }} from attempts),

    claims as (
        select
            {% for value in values %} payers.{{ value }}, {% endfor %}
            accounts.vendor,
            accounts.account,
            accounts.vendor_clock,
            accounts.clock_delay_minutes,
            accounts.zone,
            row_number() over (
                partition by {% for value in values %} payers.{{ value }} {{- ", " if not loop.last }} {% endfor %}
                order by
                    coalesce(payers.billing_account_id = accounts.account, false) desc,
                    {% for field in fields %}
                        case when accounts.{{ field }} = '*' then 0 else 1 end {{- " +" if not loop.last }}
                    {% endfor %} desc,
                    accounts.vendor || ' ' || accounts.account nulls last
            ) as place
        from payers
        inner join
            accounts on true
            {%- for field in fields %}
                and (
                    accounts.{{ field }} = '*'
                    or '|' || accounts.{{ field }} || '|' like '%|' || payers.{{ values[loop.index0] }} || '|%'
                )
            {%- endfor %}
    ),

    owners as (select * from claims where place = 1),

    asked as (select * from {{ ref("int_failed_inputs") }}),

    -- a latency of more than a day is a sender's mistake, and says nothing of a clock
    clocked as (
        select
            attempts.*,
            owners.vendor,
            owners.account,
            owners.zone,
            {{
                dbt.dateadd(
                    "millisecond",
                    "cast(round(case when owners.vendor_clock = 'end' then"
                    ~ " least(coalesce(attempts.latency_ms, 0), 86400000) else 0 end) as integer)",
                    dbt.dateadd("minute", "owners.clock_delay_minutes", "attempts.occurred_at"),
                )
            }} as clocked_at,
            coalesce(asked.failed_input_tokens, 0) as failed_input_tokens
        from attempts
        inner join
            owners
            on {% for value in values -%}
                attempts.{{ value }} is not distinct from owners.{{ value }} {{- " and " if not loop.last }}
            {%- endfor %}
        left join asked on attempts.attempt_key = asked.attempt_key
    )

select
    event_date,
    vendor,
    account,
    cast(case when zone = 'UTC' then clocked_at else {{ local_time("clocked_at", "zone") }} end as date) as charge_date,
    {{ values | join(", ") }},
    model,
    price_model_id,
    {{ tier_of("processing", "service_tier") }} as tier,
    {{ dimensions | join(", ") }},
    price_row_key,
    pricing_status,
    case when is_failed then 'failed' when usage_source = 'estimate' then 'estimated' else 'reported' end as usage_kind,
    count(*) as attempts,
    min(attempt_key) as example_attempt_key,
    min(occurred_at) as first_occurred_at,
    max(occurred_at) as last_occurred_at,
    cast(sum(failed_input_tokens) as bigint) as failed_input_tokens,
    {% for kind in token_kinds() %}
        cast(sum({{ kind.quantity }}) as bigint) as {{ kind.quantity }},
        cast(
            sum(case when pricing_status = 'priced' then {{ kind.name }}_cost_usd end) as decimal(38, 12)
        ) as {{ kind.name }}_cost_usd,
    {% endfor %}
    cast(sum(case when pricing_status = 'priced' then other_cost_usd end) as decimal(38, 12)) as other_cost_usd
from clocked
group by all
