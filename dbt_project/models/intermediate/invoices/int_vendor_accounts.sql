-- Accounts of vendors that landed exports or that the team names, each with its row:
-- its own, or that of the vendor for any account, or that of a vendor nobody described.
with
    rules as (select * from {{ ref("stg_vendor_accounts") }}),

    seen as (
        select distinct vendor, account
        from {{ ref("int_invoice_scopes") }}
        union
        select vendor, account
        from rules
        where account <> '*'
    )

select
    seen.vendor,
    seen.account,
    coalesce(own.account, anyone.account) is not null as is_described,
    {%- for column, default in [
        ("providers", "seen.vendor"),
        ("regions", "'*'"),
        ("billing_account_ids", "'*'"),
        ("sub_account_ids", "'*'"),
        ("vendor_clock", "'start'"),
        ("clock_delay_minutes", "0"),
        ("zone", "'UTC'"),
        ("day_tolerance_share", "0.05"),
        ("day_tolerance_usd", "5"),
        ("month_tolerance_share", "0.01"),
        ("month_tolerance_usd", "25"),
        ("invoice_delay_days", "5"),
        ("export_delay_days", "2"),
    ] %}
        coalesce(own.{{ column }}, anyone.{{ column }}, {{ default }}) as {{ column }},
    {%- endfor %}
    coalesce(own.tolerance_owner, anyone.tolerance_owner) as tolerance_owner,
    coalesce(own.reason, anyone.reason) as reason
from seen
left join rules as own on seen.vendor = own.vendor and seen.account = own.account
left join rules as anyone on seen.vendor = anyone.vendor and anyone.account = '*'
