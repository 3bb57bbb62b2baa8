{{ kept_by_date("reconciled_months") }}
-- Days and months of each cell with what explains most of the difference, in words,
-- and what to do next. One sentence for each bucket, so that equal causes read alike.
{%- set leaves = [] %}
{%- for leaf in billed_leaves().values() %} {%- do leaves.append(text(leaf)) %} {%- endfor %}
with
    periods as (select * from {{ ref("int_judged_periods") }}),

    unmapped as (
        select distinct vendor, account, billing_month, model
        from {{ ref("int_invoice_lines") }}
        where is_counted and line_type = 'usage' and leaf is null and not is_mapped
    ),

    named as (
        select
            periods.*,
            unmapped.vendor is not null and periods.leaf is null as is_unmapped,
            {{ usd_text("main_usd") }} as main_text
        from periods
        left join
            unmapped
            on periods.vendor = unmapped.vendor
            and periods.account = unmapped.account
            and periods.billing_month = unmapped.billing_month
            and periods.model is not distinct from unmapped.model
    )

select
    billing_month as event_date,
    *,
    case
        when status = 'not_billed_yet'
        then 'The vendor has not said yet what it bills for this ' || period || '.'
        when status = 'late'
        then 'No export of the vendor reaches this ' || period || ', and one was expected by now.'
        when status = 'no_rate'
        then
            'A line is in '
            || coalesce(currency, 'another currency')
            || ' and has no exchange rate: it is not in these sums.'
        when main_bucket is null
        then
            case
                when difference_usd = 0 and ours_usd = 0 and captured_quantity > 0
                then 'Nothing is billed, and our calls cost nothing or have no price: see unpriced_models.'
                when difference_usd = 0
                then 'Both sides are equal.'
                else 'The difference is of taxes, fees, credits, discounts, corrections and exchange rates only.'
            end
        when main_bucket = 'timing'
        then main_text || ' belongs to the day before or after by the clock of the vendor.'
        when main_bucket = 'billed_twice'
        then main_text || ' stands on the bill more than once: the same line, amount and quantity.'
        when main_bucket = 'unpriced'
        then main_text || ' is billed for calls that have no price in our book.'
        when main_bucket = 'failed'
        then main_text || ' is for calls that failed, by what their other tries or their endpoint ask.'
        when main_bucket = 'estimated'
        then main_text || ' is within what estimated token counts may be wrong by.'
        when main_bucket = 'uncaptured' and leaf not in ({{ leaves | join(", ") }})
        then main_text || ' is billed in a unit that we do not meter: ' || leaf || '.'
        when main_bucket = 'uncaptured' and not is_model_known
        then main_text || ' is billed for a model of which we have no call in the whole month: an unknown source.'
        when main_bucket = 'uncaptured'
        then main_text || ' is billed for tokens that none of our calls has. The source is known: lost events.'
        when main_bucket = 'unbilled'
        then main_text || ' is what our calls cost beyond what the vendor bills.'
        when main_bucket = 'rate'
        then main_text || ' comes of a price that differs from that of our book, at the billed quantity.'
        when main_bucket = 'rounding'
        then main_text || ' comes of rounding.'
        when is_unmapped
        then main_text || ' stands on lines whose label no map knows.'
        else main_text || ' cannot be explained: the vendor says no quantities for it.'
    end as reason,
    case
        when status = 'not_billed_yet'
        then 'Wait.'
        when status = 'late'
        then 'Land the export, or give the account a longer delay in vendor_accounts.csv.'
        when status = 'no_rate'
        then 'Add the rate of the month to fx_rates.csv.'
        when status = 'within'
        then 'Nothing: it is within ' || {{ usd_text("tolerance_usd") }} || '.'
        when main_bucket is null
        then 'Nothing.'
        {%- for bucket, action in {
                "timing": "Check vendor_clock, clock_delay_minutes and zone of the account in vendor_accounts.csv.",
                "billed_twice": "Claim the second line from the vendor: reconciliation_evidence has file and line.",
                "unpriced": "Give the models in unpriced_models a price, then run again.",
                "failed": "Ask the vendor whether it bills calls that fail, and say so in vendor_billing_rules.csv.",
                "estimated": "Have the sender report the usage that the provider returns instead of an estimate.",
                "unbilled": "Check whether the calls belong to this account (vendor_accounts.csv), then wait for the final invoice.",
                "rate": "Compare the price with the contract: add an override in prices/, or claim the difference.",
                "rounding": "Nothing: it is of rounding.",
            }.items() %}
            when main_bucket = '{{ bucket }}' then '{{ action }}'
        {%- endfor %}
        when main_bucket = 'uncaptured' and leaf not in ({{ leaves | join(", ") }})
        then 'Send the unit under `usage` of an event by the name of the catalogue.'
        when main_bucket = 'uncaptured' and not is_model_known
        then 'Find who calls it: another API key, another gateway, a console. Land its events.'
        when main_bucket = 'uncaptured'
        then 'Find the lost events: sources that paused, calls without usage, retries that nobody logs.'
        when is_unmapped
        then 'Paste the row of unmapped_invoice_lines into invoice_label_maps.csv.'
        else 'Land the usage report of the vendor, or an export with quantities and grouped by model.'
    end as next_action
from named
