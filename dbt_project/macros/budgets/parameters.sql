{#- The thresholds of budgets, each with its unit and its reason. Their effect is measured by `make bench-budgets`
    (docs/budgets.md has the figures). -#}
{#- What a row of budgets.csv leaves blank: ratios and shares of its limit, or of the period. A month's fast burn is
    that of burn-rate alerts on error budgets (SRE workbook): six times the even rate for six hours takes a twentieth of
    a month. -#}
{% macro budget_defaults() %}
    {{
        return(
            {
                "warning_ratio": 0.8,
                "min_elapsed_share": 0.15,
                "min_spent_share": 0.05,
                "burn_ratio": 1.1,
                "fast_burn_ratio": 6,
                "lower_ratio": 0.95,
            }
        )
    }}
{% endmacro %}

{#- Windows by period, in quarter-hours: `recent` for the burn rate, `short` confirmed by `long` for a fast burn, and the
    quiet time after which a spend alert is over. A month's are those of the SRE workbook's burn-rate alerts (1 and 6 hours);
    the others keep their share of the period, as far as quarter-hours let them. -#}
{% macro budget_windows() %}
    {{
        return(
            {
                "day": {"recent": 12, "short": 1, "long": 4, "quiet": 8},
                "week": {"recent": 96, "short": 4, "long": 16, "quiet": 48},
                "month": {"recent": 96, "short": 4, "long": 24, "quiet": 96},
                "quarter": {"recent": 288, "short": 12, "long": 72, "quiet": 288},
            }
        )
    }}
{% endmacro %}

{#- One of the windows above, for the period in `column`. -#}
{% macro budget_window(name, column="period") -%}
    case
        {{ column }}
        {%- for period, windows in budget_windows().items() %}
            when '{{ period }}' then {{ windows[name] }}
        {%- endfor %}
    end
{%- endmacro %}

{#- Days of a scope's own past that show what it usually spends: four of each weekday. -#}
{% macro budget_history_days() %} {{ return(28) }} {% endmacro %}

{#- Days of that past that must exist, or the period is projected evenly. -#}
{% macro budget_least_history_days() %} {{ return(14) }} {% endmacro %}

{#- Share of what is usual beyond the regular batches that is spread evenly over all hours, so that few hours are expected
    to be free. -#}
{% macro budget_even_share() %} {{ return(0.1) }} {% endmacro %}

{#- What the pace so far is weighed against: a tenth of a usual period, since a busy morning is weak evidence, and six times
    the dispersion, since a few large calls are weaker still. With a dispersion of d, that is a pace of 1 give or take
    0.4 before the first call. -#}
{% macro budget_pace_prior() %} {{ return({"share": 0.1, "dispersions": 6}) }} {% endmacro %}

{#- How much of its uncertainty a projection must exceed the limit by: so many standard errors, and so many usual lumps of
    spend. Without a past, the scope's hours and weekdays are unknown, so that only half of the rest is relied upon, and the
    lumps are those of the period itself. Chosen on simulated periods: at most 2 % of those that end below 90 % of the limit
    are alerted, for scopes of one call a day and of hundreds. -#}
{% macro budget_doubt() %}
    {{ return({"errors": 0.75, "lumps": 0.75, "new_lumps": 1, "new_share": 0.5}) }}
{% endmacro %}

{#- By how many standard errors a usual period must exceed the limit to be alerted before anything is spent in it. -#}
{% macro budget_usual_doubt() %} {{ return(2) }} {% endmacro %}

{#- Shares of what is usual that the last seven days together, and the last of them, must have spent for that: a service
    that was switched off is not expected to go on. -#}
{% macro budget_steady_shares() %} {{ return({"week": 0.9, "day": 0.5}) }} {% endmacro %}

{#- Share of the limit from which on the projection alone decides. -#}
{% macro budget_near_share() %} {{ return(0.9) }} {% endmacro %}

{#- How much more than usual a fast burn must have spent, in usual lumps, without its largest call. -#}
{% macro budget_burn_lumps() %} {{ return(3) }} {% endmacro %}

{#- Quarter-hours by which a batch may be early or late: an hour, as when the clocks change. -#}
{% macro budget_batch_tolerance() %} {{ return(4) }} {% endmacro %}

{#- Days of the longest period before the current one, whose remainder may be carried over; they are read, so they
    are part of the fingerprint. -#}
{% macro budget_look_back_days() %} {{ return(93) }} {% endmacro %}

{#- Share of a date's spend below which a member is counted with the others: a budget of everything has thousands of users. -#}
{% macro budget_least_member_share() %} {{ return(0.01) }} {% endmacro %}

{#- Members that a budget's status names: what a person reads in a message. -#}
{% macro budget_driver_ranks() %} {{ return(3) }} {% endmacro %}
