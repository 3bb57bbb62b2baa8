{{
    config(
        materialized="incremental",
        incremental_strategy="append",
        pre_hook="{{ forget_dirty_dates(ref('int_price_change_days')) }}",
        post_hook="{{ remember_built_dates(ref('int_price_change_days')) }}",
    )
}}
-- depends_on: {{ ref("int_price_change_days") }}
{%- set of_dirty_dates -%}
    (select * from {{ ref("fct_attempts") }} where {{ in_dates("event_date", dirty_dates(ref("int_price_change_days"))) }})
{%- endset %}
{{ moved_by_price_changes(of_dirty_dates, ref("int_price_changes"), ref("int_price_book_history")) }}
