-- What would last month have cost if gpt-5-mini had done the work of gpt-5.2: the same tokens at its prices of today?
with
    last_month as (
        select date_trunc('month', max(event_date) + 1) - interval 1 day as last_day
        from marts.cost_by_endpoint_daily
        where is_complete
    ),

    calls as (
        select *
        from marts.fct_attempts, last_month
        where
            event_date between date_trunc('month', last_day) and last_day
            and environment = 'prod'
            and data_mode = 'real'
            and model = 'gpt-5.2'
            and pricing_status = 'priced'
    ),

    prices as (
        select *
        from marts.price_book
        where
            model = 'gpt-5-mini'
            and coalesce(processing, service_tier, region, price_context, tenant_id) is null
            and input_tokens_from = 0
            and valid_to is null
    ),

    used as (
        select *
        from
            (
                select
                    sum(columns('^(.+)_tokens$')) as "\1",
                    sum(web_searches) as web_searches,
                    sum(billed_requests) as billed_requests
                from calls
            )
            unpivot (units for token_kind in (*))
    ),

    rates as (
        select *
        from (select columns('^(.+)_price_usd$') as "\1" from prices) unpivot (usd_per_unit for token_kind in (*))
    )

select
    (select count(*) from calls) as calls,
    (select round(sum(cost_usd), 2) from calls) as cost_usd,
    round(sum(cast(units as double) * cast(usd_per_unit as double)), 2) as other_model_usd
from used
inner join rates using (token_kind)
