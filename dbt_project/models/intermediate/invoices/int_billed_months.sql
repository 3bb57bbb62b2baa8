{{ config(materialized="view") }}
-- What the bill of a month tells apart, and up to which day it reaches.
select
    vendor,
    account,
    billing_month,
    max(model) is not null as has_models,
    max(leaf) is not null as has_leaves,
    max(cell_date) is not null as is_daily,
    case
        when max(cell_date) is null or billing_month < max(billing_month) over (partition by vendor, account)
        then billing_month + interval 1 month - interval 1 day
        else max(cell_date)
    end as covered_through
from {{ ref("int_billed_lines") }}
where bucket in ('usage', 'billed_twice') and not is_by_request
group by vendor, account, billing_month
