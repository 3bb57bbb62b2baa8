{#- When a sender counts as silent: each value with its unit and its reason. Measured together on 1,008 simulated years of
    senders that never stop (`make bench-silence`): called silent in error 0.05 times a year where calls come one by one, 0.11
    times where they come in batches of three, 0.6 times where they come in sessions of twenty on days that differ by a factor. -#}
{% macro silence_parameters() %}
    {{
        return(
            {
                "usual_weeks": {
                    "value": 4,
                    "unit": "weeks before the last call",
                    "why": "what is usual, as for budgets and alerts: four of each hour of the week",
                },
                "least_calls": {
                    "value": 10,
                    "unit": "calls in those weeks",
                    "why": "a sender with fewer is too rare to be judged",
                },
                "longest_pauses": {
                    "value": 3,
                    "unit": "times the longest pause in those weeks",
                    "why": "nights and weekends are pauses too, so a sender that never calls then has a long one; with 2 there were four times as many false alarms",
                },
                "least_days": {
                    "value": 0.5,
                    "unit": "of the calls of its busiest day",
                    "why": "a weekend with few calls may well have none",
                },
                "busiest_days": {
                    "value": 1.25,
                    "unit": "times the calls of its busiest day",
                    "why": "one day off, such as a holiday, is not a silence, and the morning after it may be slow",
                },
                "least_surprise": {
                    "value": 9.2,
                    "unit": "-ln of the chance that all these hours are empty",
                    "why": "one in ten thousand: calls come in batches, so a few rare ones may be missing for days",
                },
                "ended_days": {
                    "value": 28,
                    "unit": "days of silence",
                    "why": "after as long as the usual weeks a sender counts as ended: a warning that never ends is ignored",
                },
                "arrivals": {
                    "value": 3,
                    "unit": "arrival days",
                    "why": "from so many on, the delay is measured; before, files are taken to cover a day",
                },
            }
        )
    }}
{% endmacro %}

{% macro silence_parameter(name) %} {{ return(silence_parameters()[name].value) }} {% endmacro %}

{#- Hours since a Monday long ago, so that pauses and hours of the week are whole numbers. -#}
{% macro hour_number(column) -%} {{ dbt.datediff("timestamp '2001-01-01'", column, "hour") }} {%- endmacro %}

{#- The sender of a call: what can fall silent. -#}
{% macro sender_columns() %} {{ return("source, environment, data_mode") }} {% endmacro %}

{#- The instant at which an hour with such a number begins. -#}
{% macro hour_at(number) -%}
    {{ dbt.dateadd("hour", "cast(" ~ number ~ " as integer)", "timestamp '2001-01-01'") }}
{%- endmacro %}

{#- A sender in words. -#}
{% macro sender_name() -%}
    source || ' in ' || environment || case when data_mode = 'real' then '' else ' (' || data_mode || ')' end
{%- endmacro %}
