-- The input of `int_billable_usage`: the attempts of a date and those that its
-- retries reach, and which account bills what. Without an account there is nothing to
-- compare.
with
    days as (select * from {{ ref("request_days") }}),

    accounts as (select * from {{ ref("int_vendor_accounts") }}),

    rules as (
        select
            md5(
                string_agg(
                    concat_ws(
                        '|',
                        vendor,
                        account,
                        providers,
                        regions,
                        billing_account_ids,
                        sub_account_ids,
                        vendor_clock,
                        clock_delay_minutes,
                        zone
                    ),
                    ','
                    order by coalesce(vendor, ''), coalesce(account, '')
                )
            ) as rules_fingerprint
        from accounts
    )

select days.event_date, md5(days.input_fingerprint || '|' || rules.rules_fingerprint) as input_fingerprint
from days
inner join rules on rules.rules_fingerprint is not null
