{#- How far identity looks sideways, in days. Three rounds of labels (3w), a bare success that attaches to an evidenced one (w),
    the first date of an attempt (2w) and its group (w), the first date of a request (2w): back; the mirror of the group: ahead.
    A day so far away cannot change a decision, so reading this far gives the rows of a full refresh. -#}
{% macro identity_reach() %}
    {{ return({"back": 10 * identity_window_days(), "ahead": 6 * identity_window_days()}) }}
{% endmacro %}

{#- What makes deliveries, or attempts, comparable at all: a test replay of real ids deletes nothing. -#}
{% macro identity_scope_columns() %} {{ return("identity_scope, environment, data_mode") }} {% endmacro %}

{#- A frame over the same identity in the days around a row. -#}
{% macro around(keys, back, ahead) -%}
    (
        partition by {{ identity_scope_columns() }}, {{ keys }}
        order by
            day_number
            range between {{ back }} preceding and {{ ahead ~ " following" if ahead >= 0 else (-ahead) ~ " preceding" }}
    )
{%- endmacro %}

{#- Whether nothing of the same identity happened in the window before: then a row starts an attempt, or a request. -#}
{% macro starts_identity(keys) -%}
    max(day_number) over {{ around(keys, identity_window_days(), -1) }} is null
{%- endmacro %}

{#- The day that a row's identity started: its own, or a start within the window before. A run of days longer than the window
    starts anew instead of chaining for ever, so the decision stays local. -#}
{% macro identity_day(keys) -%}
    case
        when starts
        then day_number
        else
            coalesce(
                min(case when starts then day_number end) over {{ around(keys, identity_window_days(), -1) }},
                day_number
            )
    end
{%- endmacro %}

{#- What two deliveries of one attempt must agree in, as one hash; when they differ the pair is listed. The instant may differ. -#}
{% macro payload_hash() %}
    md5(
        concat_ws(
            '|',
            {%- for column in [
                "provider",
                "model",
                "status",
                "error_code",
                "http_status",
                "endpoint_tag",
                "prompt_version",
                "feature_tag",
                "tenant_id",
                "user_id",
                "usage_source",
                "processing",
                "service_tier",
                "requested_service_tier",
                "region",
                "price_context",
                "input_tokens",
                "output_tokens",
                "cache_read_tokens",
                "cache_write_tokens",
                "cache_write_1h_tokens",
                "reasoning_tokens",
                "input_audio_tokens",
                "cache_audio_read_tokens",
                "output_audio_tokens",
                "input_image_tokens",
                "cache_image_read_tokens",
                "output_image_tokens",
                "input_video_tokens",
                "output_video_tokens",
                "web_searches",
                "other_usage",
                "latency_ms",
                "reported_cost_usd",
                "metadata",
            ] %}
                coalesce(cast({{ column }} as {{ dbt.type_string() }}), ''){{ "," if not loop.last }}
            {%- endfor %}
        )
    )
{% endmacro %}

{% macro day_to_date(day_number) -%}
    cast({{ dbt.dateadd("day", "cast(" ~ day_number ~ " as integer)", "cast('2000-01-01' as date)") }} as date)
{%- endmacro %}

{#- The name of an attempt, unique within source, environment and data mode: an id used again far away is another attempt. -#}
{% macro attempt_key(label, date) -%} {{ label }} || '@' || {{ date }} {%- endmacro %}

{#- Labels of attempts. A letter says of what a label is made, and what follows the last `#` never holds one: whatever ids senders
    invent, two labels are equal only where both are made of the same ids. In the order of the alphabet the label with more
    evidence comes first: that is how one is chosen among those that deliveries share. -#}
{% macro pair_label() -%}
    case
        when attempt is not null
        then 'a:' || request_id || '#' || attempt
        -- an error without either id is told apart by its instant
        when provider_request_id is null and status = 'error'
        then 'e:' || request_id || '#' || occurred_at
    end
{%- endmacro %}

{% macro provider_label() -%} 'p:' || provider_request_id {%- endmacro %}

{% macro success_label() -%} 's:' || request_id {%- endmacro %}

{#- The label of a delivery that shares its ids with no other. -#}
{% macro own_attempt_label() -%}
    coalesce({{ pair_label() }}, {{ provider_label() }}, {{ success_label() }})
{%- endmacro %}
