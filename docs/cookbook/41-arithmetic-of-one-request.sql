-- Why does request req-20261108-00002445 cost what it costs: each token kind, its price, and the product?
with
    attempts as (select * from marts.fct_attempts where request_id = 'req-20261108-00002445'),

    quantities as (
        select attempt_key, regexp_replace(name, '_tokens$', '') as token_kind, used
        from
            (select attempt_key, columns('_tokens$|^web_searches$|^billed_requests$') from attempts)
            unpivot (used for name in (* exclude (attempt_key)))
    ),

    prices as (
        select attempt_key, replace(name, '_price_usd', '') as token_kind, usd_per_unit
        from
            (
                select attempts.attempt_key, columns('_price_usd$')
                from attempts
                join
                    marts.price_book
                    on attempts.price_row_key = price_book.price_row_key
                    and attempts.occurred_at >= coalesce(price_book.valid_from, timestamp '0001-01-01')
                    and attempts.occurred_at < coalesce(price_book.valid_to, timestamp '9999-01-01')
            )
            unpivot include nulls(usd_per_unit for name in (* exclude (attempt_key)))
    ),

    costs as (
        select attempt_key, replace(name, '_cost_usd', '') as token_kind, cost_usd
        from
            (select attempt_key, columns('_cost_usd$') from attempts)
            unpivot include nulls(cost_usd for name in (* exclude (attempt_key)))
    )

select
    attempts.attempt,
    attempts.status,
    token_kind,
    quantities.used,
    prices.usd_per_unit,
    costs.cost_usd,
    attempts.cost_usd as attempt_cost_usd
from quantities
join prices using (attempt_key, token_kind)
join costs using (attempt_key, token_kind)
join attempts using (attempt_key)
where quantities.used > 0
order by attempts.attempt, costs.cost_usd desc
