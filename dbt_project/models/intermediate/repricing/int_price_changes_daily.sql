{{ kept_by_date("int_price_change_days") }}
{%- set of_dirty_dates -%}
    (select * from {{ ref("fct_attempts") }} where {{ in_dates("event_date", dirty_dates()) }})
{%- endset %}
{{ moved_by_price_changes(of_dirty_dates, ref("int_price_changes"), ref("int_price_book_history")) }}
