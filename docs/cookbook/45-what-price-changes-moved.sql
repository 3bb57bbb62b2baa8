-- Which price changes moved money, of which months, by how much, and who approved them?
select
    version_sequence,
    change_type,
    provider,
    model,
    usage_month,
    attempts,
    cost_before_usd,
    cost_after_usd,
    moved_usd,
    new_source,
    approved_by
from marts.price_book_changes
where attempts > 0 and data_mode = 'real'
order by version_sequence desc, abs(moved_usd) desc, provider, model, usage_month
