{#- What usage is broken down by, in the order in which combinations are named. -#}
{% macro leaf_dimensions() %}
    {{
        return(
            [
                {"name": "endpoint", "column": "endpoint_tag"},
                {"name": "prompt_version", "column": "prompt_version"},
                {"name": "tenant", "column": "tenant_id"},
                {"name": "user", "column": "user_id"},
                {"name": "model", "column": "model"},
            ]
        )
    }}
{% endmacro %}

{#- The series that are watched. Versions belong to their endpoint: v7 of two endpoints are two versions. -#}
{% macro watched_series() %}
    {{
        return(
            [
                {"dimension": "total", "columns": []},
                {"dimension": "endpoint", "columns": ["endpoint_tag"]},
                {"dimension": "endpoint x prompt_version", "columns": ["endpoint_tag", "prompt_version"]},
                {"dimension": "tenant", "columns": ["tenant_id"]},
                {"dimension": "user", "columns": ["user_id"]},
                {"dimension": "model", "columns": ["model"]},
                {"dimension": "endpoint x model", "columns": ["endpoint_tag", "model"]},
            ]
        )
    }}
{% endmacro %}

{#- Days that a judgement looks back: 28 to the same weekdays, 14 of drift and 28 of noise before that, and 28 to know whether a
    series was alive then. -#}
{% macro alert_history_days() %} {{ return(98) }} {% endmacro %}

{#- Rows of the last `days` days of a series, today left out or not: every judgement looks back by date, not by row, so that a
    day's judgement is the same whatever else is judged with it. -#}
{% macro last_days(keys, days, until=1) -%}
    (partition by {{ keys }} order by event_date range between interval {{ days }} days preceding and interval {{ until }} days preceding)
{%- endmacro %}

{#- The cost of every watched series on `dates`, judged against its own past (docs/alerts.md has the method in words). `alerted`
    names the series' days that stood out before and are left out of the past; none in a first pass. -#}
{% macro judged_drift(dates, measure, alerted=none, tail=0.9, normal_quantile=1.645) %}
    {%- set read_dates = with_neighbours(dates, alert_history_days(), 0) -%}
    {%- set series_key = "environment, data_mode, scope_dimension, scope_value" -%}
    with
        calendar as (select event_date from {{ ref("alert_days") }} where {{ in_dates("event_date", read_dates) }}),

        -- a version's cost begins at nothing and ends there with every deploy: versions are judged by what a request costs
        series as (
            select
                {{ series_key }},
                event_date,
                cast(watched_usd as double) as watched_usd,
                {% if measure == "requests" %}
                    cast(requests as double) as observed,
                    cast(requests as double) as observed_squares
                {% else %}
                    cast(watched_usd as double) as observed,
                    watched_usd_squares as observed_squares
                {% endif %}
            from {{ ref("int_watched_series") }}
            where {{ in_dates("event_date", read_dates) }} and scope_dimension <> 'endpoint x prompt_version'
        ),

        scopes as (select distinct environment, data_mode from series),

        spend as (
            select
                scopes.environment,
                scopes.data_mode,
                calendar.event_date,
                median(nullif(total.observed, 0)) over {{ last_days("scopes.environment, scopes.data_mode", 28).replace("event_date", "calendar.event_date") }} as usual_total,
                median(nullif(total.watched_usd, 0)) over {{ last_days("scopes.environment, scopes.data_mode", 28).replace("event_date", "calendar.event_date") }} as usual_spend_usd
            from scopes
            cross join calendar
            left join
                series as total
                on scopes.environment = total.environment
                and scopes.data_mode = total.data_mode
                and calendar.event_date = total.event_date
                and total.scope_dimension = 'total'
        ),

        -- the dollar floor first: thousands of tiny series cost nothing
        least_spend as (
            select environment, data_mode, min(usual_spend_usd) as usual_spend_usd from spend group by environment, data_mode
        ),

        members as (
            select {{ series_key }}
            from series
            inner join least_spend using (environment, data_mode)
            group by {{ series_key }}, least_spend.usual_spend_usd
            having max(watched_usd) >= greatest({{ smallest_watched_share() }} * least_spend.usual_spend_usd, 0.25)
        ),

        grid as (
            select
                {% for column in series_key.split(", ") %} members.{{ column }}, {% endfor %}
                spend.event_date,
                spend.usual_spend_usd,
                spend.usual_total,
                coalesce(series.watched_usd, 0) as watched_usd,
                coalesce(series.observed, 0) as observed,
                coalesce(series.observed_squares, 0) as observed_squares,
                {{ "alerted.event_date is not null" if alerted else "false" }} as is_alerted
            from members
            inner join spend using (environment, data_mode)
            left join series using ({{ series_key }}, event_date)
            {% if alerted %} left join {{ alerted }} as alerted using ({{ series_key }}, event_date) {% endif %}
        ),

        active as (
            select
                *,
                0.002 * usual_total as offset_usd,
                sum(case when not is_alerted then watched_usd end) over {{ last_days(series_key, 28) }}
                / nullif(sum(case when not is_alerted then observed end) over {{ last_days(series_key, 28) }}, 0) as usd_per_observed,
                max(watched_usd) over {{ last_days(series_key, 42, 0) }} as largest_lately,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 27, 0) }} as active_days_with_today,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 28) }} as active_days,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 42, 28) }} > 0 as is_grown,
                sum(case when observed > 0 then 1 else 0 end) over {{ last_days(series_key, 42, 14) }} > 0 as is_half_grown,
                sum(case when not is_alerted then observed end) over {{ last_days(series_key, 28) }} as observed_lately,
                sum(case when not is_alerted then observed_squares end) over {{ last_days(series_key, 28) }} as squares_lately
            from grid
        ),

        logs as (
            select
                *,
                case
                    when not is_alerted and active_days_with_today > 0 then ln(observed + offset_usd)
                end as log_cost
            from active
            where usual_spend_usd > 0
        ),

        -- two forecasts, each from the past alone: `a` goes by the series' own weekday, `b` by the weekday of the whole scope,
        -- which is steadier where the series has no rhythm of its own
        own_bases as (
            select
                *,
                median(log_cost) over {{ last_days(series_key ~ ", extract('dayofweek' from event_date)", 28, 7) }} as own_base,
                median(case when observed > 0 and not is_alerted then observed end) over {{ last_days(series_key, 28) }} as usual_when_active
            from logs
        ),

        totals as (
            select
                environment,
                data_mode,
                event_date,
                own_base + coalesce(
                    median(log_cost - own_base) over {{ last_days("environment, data_mode", 14) }}, 0
                ) as total_base
            from own_bases
            where scope_dimension = 'total'
        ),

        bases as (
            select own_bases.*, totals.total_base from own_bases left join totals using (environment, data_mode, event_date)
        ),

        residuals as (
            select
                *,
                case when is_half_grown and active_days >= 10 then log_cost - own_base end as residual_a,
                case when is_half_grown and active_days >= 10 then log_cost - total_base end as residual_b
            from bases
        ),

        forecasts as (
            select
                *,
                own_base + greatest(-0.5, least(0.5, coalesce(median(residual_a) over {{ last_days(series_key, 14) }}, 0))) as forecast_a,
                total_base + median(residual_b) over {{ last_days(series_key, 14) }} as forecast_b
            from residuals
        ),

        errors as (
            select
                *,
                case when residual_a is not null then log_cost - forecast_a end as error_a,
                case when residual_b is not null then log_cost - forecast_b end as error_b
            from forecasts
        ),

        skills as (
            select
                *,
                median(abs(error_a)) over {{ last_days(series_key, 28) }} * 1.4826 as sigma_a,
                median(abs(error_b)) over {{ last_days(series_key, 28) }} * 1.4826 as sigma_b,
                count(error_a) over {{ last_days(series_key, 28) }} as error_days
            from errors
        ),

        chosen as (
            select
                *,
                exp(case when sigma_b < sigma_a then forecast_b else forecast_a end) as seasonal_forecast,
                case when sigma_b < sigma_a then error_b else error_a end as error,
                case when error_days >= 7 then least(sigma_a, sigma_b) else 0.15 end as own_sigma,
                is_grown and active_days >= 14 and forecast_a is not null as is_seasonal
            from skills
        ),

        expectations as (
            select
                *,
                case
                    when is_seasonal then seasonal_forecast when active_days >= 3 then usual_when_active + offset_usd
                end as expected_with_offset,
                -- dollars come in calls: of two days of equal cost the one with fewer and larger calls proves less
                greatest(
                    coalesce(squares_lately / nullif(observed_lately, 0), 0), coalesce(observed_squares / nullif(observed, 0), 0), offset_usd / 100
                ) as usd_per_call
            from chosen
        ),

        weights as (
            select
                *,
                usd_per_call + expected_with_offset * case
                    when is_seasonal then greatest(own_sigma * own_sigma - usd_per_call / expected_with_offset, 0.03 * 0.03) else 0.5 * 0.5
                end as usd_per_unit
            from expectations
            where expected_with_offset > 0
        ),

        deviances as (
            select
                *,
                (observed + offset_usd) / usd_per_unit * ln((observed + offset_usd) / expected_with_offset)
                - (observed + offset_usd - expected_with_offset) / usd_per_unit as deviance
            from weights
        ),

        surprises as (
            select
                *,
                sign(observed + offset_usd - expected_with_offset) * sqrt(2 * greatest(deviance, 0)) as surprise
            from deviances
        ),

        -- what series of the same kind did in the 28 days before: their tails are heavier than the formula knows
        pools as (
            select
                pooled.environment,
                pooled.data_mode,
                pooled.scope_dimension,
                calendar.event_date,
                greatest(1, quantile_cont(abs(pooled.surprise), {{ tail }}) / {{ normal_quantile }}) as tail_factor
            from surprises as pooled
            inner join
                calendar
                on pooled.event_date between calendar.event_date - 28 and calendar.event_date - 1
                and {{ in_dates("calendar.event_date", dates) }}
            where
                pooled.largest_lately >= {{ smallest_watched_share() }} * pooled.usual_spend_usd
                and pooled.is_seasonal
                and not pooled.is_alerted
            group by all
        )

    select
        {{ series_key }},
        event_date,
        usual_spend_usd,
        {#- a request of today may be cheaper than one of before: the smaller figure claims less -#}
        {%- set dollars = "coalesce(least(usd_per_observed, watched_usd / nullif(observed, 0)), 0)" if measure == "requests" else "1" %}
        observed * {{ dollars }} as observed,
        (expected_with_offset - offset_usd) * {{ dollars }} as expected,
        is_seasonal,
        own_sigma, usd_per_call, usd_per_unit, tail_factor, surprise,
        round(surprise / coalesce(tail_factor, 1), 6) as z
    from surprises
    left join pools using (environment, data_mode, scope_dimension, event_date)
    where {{ in_dates("event_date", dates) }}
{% endmacro %}

{#- Share of a usual day's spend under which a series is not looked at: a third of the smallest excess that is reported. -#}
{% macro smallest_watched_share() %} {{ return(0.01) }} {% endmacro %}

{#- A positive DOUBLE to two significant digits. -#}
{% macro two_digits(value) -%}
    round({{ value }}, cast(1 - floor(log10(nullif({{ value }}, 0))) as integer))
{%- endmacro %}

{#- What a request takes on `dates` at every endpoint, version and route: in dollars, or in calls that are billed. Judged against the 14
    days before: an endpoint and a route against themselves, a version against its endpoint's other versions. -#}
{% macro judged_intensity(dates, measure, alerted=none, tail=0.9, normal_quantile=1.645) %}
    {%- set read_dates = with_neighbours(dates, alert_history_days(), 0) -%}
    {%- set past_key = "environment, data_mode, past_dimension, past_value" -%}
    with
        calendar as (select event_date from {{ ref("alert_days") }} where {{ in_dates("event_date", read_dates) }}),

        alerted as (
            {% if alerted %} select environment, data_mode, scope_dimension as past_dimension, scope_value as past_value, event_date from {{ alerted }}
            {% else %} select '' as environment, '' as data_mode, '' as past_dimension, '' as past_value, date '0001-01-01' as event_date where false
            {% endif %}
        ),

        series as (
            select
                watched.*,
                case when scope_dimension = 'endpoint x model' then scope_dimension else 'endpoint' end as past_dimension,
                case when scope_dimension = 'endpoint x model' then scope_value else split_part(scope_value, ' | ', 1) end as past_value,
                cast(watched_usd as double) as observed_usd,
                {% if measure == "cost" %}
                    cast(watched_usd as double) / requests as intensity,
                    watched_usd_squares / (cast(watched_usd as double) * cast(watched_usd as double)) as sampling_variance
                {% else %}
                    cast(billed_attempts as double) / requests as intensity,
                    greatest(billed_attempts - requests, 1.0) / (cast(billed_attempts as double) * billed_attempts) as sampling_variance
                {% endif %}
            from {{ ref("int_watched_series") }} as watched
            where
                {{ in_dates("event_date", read_dates) }}
                and scope_dimension in ('endpoint', 'endpoint x prompt_version', 'endpoint x model')
                and requests >= 5
                and watched_usd > 0
                and billed_attempts > 0
        ),

        judgeable as (
            select series.*, alerted.event_date is not null as is_alerted
            from series
            left join alerted using ({{ past_key }}, event_date)
        ),

        spend as (
            select
                environment,
                data_mode,
                event_date,
                median(cast(watched_usd as double)) over {{ last_days("environment, data_mode", 28) }} as usual_spend_usd
            from {{ ref("int_watched_series") }}
            where scope_dimension = 'total' and {{ in_dates("event_date", read_dates) }}
        ),

        pasts as (
            select *, case when not is_alerted then ln(intensity) end as log_intensity from judgeable where scope_dimension = past_dimension
        ),

        usual as (
            select
                *,
                median(log_intensity) over {{ last_days(past_key, 14) }} as usual_log_intensity,
                count(log_intensity) over {{ last_days(past_key, 14) }} as usual_days
            from pasts
        ),

        spreads as (
            select
                {{ past_key }},
                event_date,
                usual_log_intensity,
                usual_days,
                median(abs(log_intensity - usual_log_intensity)) over {{ last_days(past_key, 28) }} * 1.4826 as own_sigma,
                median(sampling_variance) over {{ last_days(past_key, 28) }} as usual_sampling_variance,
                median(sampling_variance * requests) over {{ last_days(past_key, 28) }} as variance_of_a_request
            from usual
        ),

        surprises as (
            select
                series.environment,
                series.data_mode,
                series.scope_dimension,
                series.scope_value,
                series.event_date,
                series.is_alerted,
                spend.usual_spend_usd,
                series.observed_usd as observed,
                series.observed_usd * exp(spreads.usual_log_intensity) / series.intensity as expected,
                (ln(series.intensity) - spreads.usual_log_intensity)
                / sqrt(
                    greatest(coalesce(spreads.own_sigma, 0.1) ** 2 - coalesce(spreads.usual_sampling_variance, 0), 0.03 ** 2)
                    + greatest(series.sampling_variance, spreads.variance_of_a_request / series.requests)
                ) as surprise
            from judgeable as series
            inner join spreads using ({{ past_key }}, event_date)
            inner join spend using (environment, data_mode, event_date)
            where spreads.usual_days >= 7 and spend.usual_spend_usd > 0
        ),

        pools as (
            select
                pooled.environment,
                pooled.data_mode,
                pooled.scope_dimension,
                calendar.event_date,
                greatest(1, quantile_cont(abs(pooled.surprise), {{ tail }}) / {{ normal_quantile }}) as tail_factor
            from surprises as pooled
            inner join
                calendar
                on pooled.event_date between calendar.event_date - 28 and calendar.event_date - 1
                and {{ in_dates("calendar.event_date", dates) }}
            where pooled.expected >= {{ smallest_watched_share() }} * pooled.usual_spend_usd and not pooled.is_alerted
            group by all
        )

    select
        surprises.*,
        tail_factor,
        round(surprise / coalesce(tail_factor, 1), 6) as z
    from surprises
    left join pools using (environment, data_mode, scope_dimension, event_date)
    where {{ in_dates("event_date", dates) }}
{% endmacro %}

{#- Of `dates`, those on which something rose and wants a driver. -#}
{% macro dates_with_signals(dates) %}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {%- set rising -%}
        select distinct event_date from {{ ref("int_alert_signals") }} where observed > expected and {{ in_dates("event_date", dates) }} order by 1
    {%- endset -%}
    {{ return(run_query(rising).columns[0].values() | list) }}
{% endmacro %}

{#- How often a day is searched again for what its first drivers leave unexplained. -#}
{% macro rounds() %} {{ return(3) }} {% endmacro %}

{% macro same_scope(left, right) -%}
    {{ left }}.event_date = {{ right }}.event_date and {{ left }}.environment = {{ right }}.environment and {{ left }}.data_mode = {{ right }}.data_mode
{%- endmacro %}

{#- Whether a leaf lies in a segment: NULL is any. A leaf that knows less than the segment says lies outside. -#}
{% macro in_segment(leaf, segment, dimensions=none) -%}
    {{ same_scope(leaf, segment) }}
    {%- for dimension in leaf_dimensions() if not dimensions or dimension.name in dimensions %}
        and coalesce({{ leaf }}.{{ dimension.column }} = {{ segment }}.{{ dimension.column }}, {{ segment }}.{{ dimension.column }} is null)
    {%- endfor %}
{%- endmacro %}

{% macro in_series(leaf, series) -%} {{ same_scope(leaf, series) }} and {{ in_scope(leaf, series) }} {%- endmacro %}

{#- Whether usage belongs to a watched series. -#}
{% macro in_scope(leaf, series) -%}
    case {{ series }}.scope_dimension
        when 'total' then true
        when 'endpoint' then {{ leaf }}.endpoint_tag = {{ series }}.scope_value
        when 'tenant' then {{ leaf }}.tenant_id = {{ series }}.scope_value
        when 'user' then {{ leaf }}.user_id = {{ series }}.scope_value
        when 'model' then {{ leaf }}.model = {{ series }}.scope_value
        when 'endpoint x model' then {{ leaf }}.endpoint_tag || ' | ' || {{ leaf }}.model = {{ series }}.scope_value
        when 'endpoint x prompt_version' then {{ leaf }}.endpoint_tag = split_part({{ series }}.scope_value, ' | ', 1)
    end
{%- endmacro %}

{#- Every combination of up to three dimensions that can be a driver. A version stands for itself and its endpoint, a user for
    itself and its tenant, so that no combination says the same twice. -#}
{% macro segment_sets() %}
    {%- set sets = [] -%}
    {%- for place in ["", "endpoint_tag", "endpoint_tag, prompt_version"] -%}
        {%- for who in ["", "tenant_id", "user_id"] -%}
            {%- for model in ["", "model"] -%}
                {%- set columns = [place, who, model] | select | join(", ") -%}
                {%- if columns -%} {%- do sets.append(columns) -%} {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(sets) }}
{% endmacro %}

{% macro segments(leaves, open) %}
    select
        event_date,
        environment,
        data_mode,
        effect,
        {% for dimension in leaf_dimensions() %}
            {{ dimension.column }},
            1 - grouping({{ dimension.column }}) as has_{{ dimension.name }},
        {% endfor %}
        sum(actual_usd) as actual_usd,
        sum(expected_usd) as expected_usd,
        sum(usd_per_unit * greatest(actual_usd, expected_usd)) / nullif(sum(greatest(actual_usd, expected_usd)), 0) as usd_per_unit
    from {{ leaves }}
    where effect <> 'cost'
    group by grouping sets (
        {% for columns in segment_sets() %} (event_date, environment, data_mode, effect, {{ columns }}) {{- "," if not loop.last }} {% endfor %}
    )
    having
        not (has_prompt_version = 1 and coalesce(prompt_version, '(settled)') = '(settled)')
        and not (has_tenant = 1 and coalesce(tenant_id, '(other)') = '(other)')
        and not (has_user = 1 and coalesce(user_id, '(other)') = '(other)')
        and not (has_model = 1 and model is null)
{% endmacro %}

{% macro scored(segments) %}
    {%- set case_key = "event_date, environment, data_mode" -%}
    with
        described as (
            select
                *,
                has_endpoint + has_tenant + has_user + has_model as depth,  -- a version brings its endpoint
                has_endpoint || has_prompt_version || has_tenant || has_user || has_model as cuboid,
                actual_usd - expected_usd as delta_usd
            from {{ segments }}
        ),

        -- how far endpoints are off without any incident: the middle one of the larger
        spreads as (
            select
                {{ case_key }},
                effect,
                greatest(0.04, least(0.5, 1.4826 * median(abs(actual_usd / expected_usd - 1)))) as spread
            from described
            where cuboid = '10000' and expected_usd > 0
            group by {{ case_key }}, effect
        ),

        sized as (
            select
                described.*,
                count(*) over (partition by {{ case_key }}, effect, cuboid) as elements,
                max(case when depth = 1 then delta_usd end) over (partition by {{ case_key }}, effect) as largest_delta_usd,
                sum(case when cuboid = '10000' then actual_usd end) over (partition by {{ case_key }}, effect) as spend_usd,
                coalesce(spreads.spread, 0.1) as spread,
                -- what the segment moved over all its models: a move between models at equal dollars moves nothing
                sum(case when has_model = 1 then delta_usd end) over (
                    partition by {{ case_key }}, effect, cuboid, endpoint_tag, prompt_version, tenant_id, user_id
                ) as net_delta_usd
            from described
            left join spreads using ({{ case_key }}, effect)
        ),

        weighed as (
            select *, 1 / (usd_per_unit + spread * spread * expected_usd) as weight from sized where delta_usd > 0 and usd_per_unit > 0
        ),

        likely as (
            select
                *,
                actual_usd * weight * ln(actual_usd / (expected_usd + 0.0005 * spend_usd))
                - (actual_usd - expected_usd - 0.0005 * spend_usd) * weight as likelihood
            from weighed
            where
                delta_usd >= 0.3 * largest_delta_usd
                and (effect <> 'price_mix' or has_model = 0 or net_delta_usd >= 0.5 * delta_usd)
                and delta_usd >= 0.005 * spend_usd
                and actual_usd > expected_usd + 0.0005 * spend_usd
        ),

        scores as (
            select *, (likelihood - ln(elements)) * power(0.9, depth) as score from likely
        ),

        strengths as (
            select *, delta_usd * sqrt(greatest(score, 0)) as strength from scores where score > 1
        )

    select
        *,
        row_number() over (
            order by {{ case_key }}, strength desc, effect, cuboid{% for dimension in leaf_dimensions() %}, {{ dimension.column }}{% endfor %}
        ) as candidate_id
    from strengths
    qualify row_number() over (partition by {{ case_key }} order by strength desc, effect, cuboid{% for dimension in leaf_dimensions() %}, {{ dimension.column }}{% endfor %}) <= 30
{% endmacro %}

{% macro smallest_z() %} {{ return(1) }} {% endmacro %}

{#- Models, tenants and users that were not there before `dates`, and what they cost in their first week. A model without a price costs
    what its calls likely cost. -#}
{% macro judged_newcomers(dates) %}
    {%- set series_key = "environment, data_mode, scope_dimension, scope_value" -%}
    with
        series as (
            select
                *,
                median(case when scope_dimension = 'total' then cast(watched_usd as double) end) over {{
                    last_days("environment, data_mode", 28)
                }} as usual_spend_usd,
                count(case when scope_dimension = 'total' then 1 end) over {{ last_days("environment, data_mode", 28) }} as scope_days,
                min(event_date) over {{ last_days(series_key, 28, 0) }} as first_seen_date,
                min(case when unpriced_attempts > 0 then event_date end) over {{ last_days(series_key, 28, 0) }} as first_unpriced_date,
                watched_usd_squares / nullif(cast(watched_usd as double), 0) as usd_per_call
            from {{ ref("int_watched_series") }}
            where
                {{ in_dates("event_date", with_neighbours(dates, 28, 0)) }}
                and scope_dimension in ('total', 'tenant', 'user', 'model')
        ),

        newcomers as (
            select
                *,
                case
                    when scope_dimension = 'model' and unpriced_attempts > 0 then 'unknown_model'
                    when scope_dimension = 'model' then 'new_model'
                    else 'new_identity'
                end as alert_type,
                case
                    when scope_dimension = 'model' and unpriced_attempts > 0 then cast(exposure_usd as double) else cast(watched_usd as double)
                end as observed
            from series
            where
                {{ in_dates("event_date", dates) }}
                and scope_dimension <> 'total'
                and scope_value <> '(unattributed)'
                -- where everything is new, nothing is
                and scope_days >= 14
                and event_date - case when unpriced_attempts > 0 then first_unpriced_date else first_seen_date end < 7
        )

    select
        environment,
        data_mode,
        scope_dimension,
        scope_value,
        event_date,
        usual_spend_usd,
        observed,
        cast(0 as double) as expected,
        -- against an expectation of nearly nothing
        round(
            sqrt(
                2 * greatest(
                    (observed * ln(greatest(observed / (0.002 * usual_spend_usd), 1)) - observed) / greatest(usd_per_call, observed / 100),
                    0
                )
            ),
            6
        ) as z,
        alert_type
    from newcomers
    where observed > 0 and usual_spend_usd > 0
{% endmacro %}

{#- Hours of an endpoint on `dates` with many more calls than usual of which many more fail. -#}
{% macro judged_bursts(dates) %}
    {%- set endpoint_key = "environment, data_mode, endpoint_tag" -%}
    with
        hours as (
            select * from {{ ref("int_endpoint_hours") }} where {{ in_dates("event_date", with_neighbours(dates, 28, 0)) }}
        ),

        days as (
            select {{ endpoint_key }}, event_date, sum(attempts) as attempts, sum(successes) as successes, sum(cost_usd) as cost_usd
            from hours
            group by {{ endpoint_key }}, event_date
        ),

        usual_days as (
            select
                *,
                sum(attempts) over {{ last_days(endpoint_key, 28) }} as past_attempts,
                sum(successes) over {{ last_days(endpoint_key, 28) }} as past_successes,
                sum(cost_usd) over {{ last_days(endpoint_key, 28) }} as past_cost_usd,
                count(*) over {{ last_days(endpoint_key, 28) }} as past_days,
                avg(attempts) over {{ last_days(endpoint_key ~ ", extract('dayofweek' from event_date)", 28, 7) }} as weekday_attempts
            from days
        ),

        usual_hours as (
            select *, sum(attempts) over {{ last_days(endpoint_key ~ ", hour_of_day", 28) }} as past_hour_attempts from hours
        ),

        expected as (
            select
                usual_hours.*,
                usual_days.past_attempts,
                usual_days.past_successes,
                cast(usual_days.past_cost_usd as double) / usual_days.past_attempts as usd_per_attempt,
                greatest(
                    coalesce(usual_hours.past_hour_attempts, 0)
                    / usual_days.past_days
                    * coalesce(usual_days.weekday_attempts * usual_days.past_days / usual_days.past_attempts, 1),
                    0.5
                ) as expected_attempts
            from usual_hours
            inner join usual_days using ({{ endpoint_key }}, event_date)
            where usual_days.past_days >= 14 and {{ in_dates("usual_hours.event_date", dates) }}
        ),

        judged as (
            select
                *,
                (attempts - expected_attempts) / sqrt(expected_attempts + 0.04 * expected_attempts * expected_attempts) as attempts_z,
                (cast(successes as double) / attempts - cast(past_successes as double) / past_attempts)
                / sqrt(
                    (cast(successes + past_successes as double) / (attempts + past_attempts))
                    * greatest(1 - cast(successes + past_successes as double) / (attempts + past_attempts), 0.0001)
                    * (1.0 / attempts + 1.0 / past_attempts)
                ) as success_z,
                cast(past_successes as double) / past_attempts - cast(successes as double) / attempts as success_drop
            from expected
        )

    select
        environment,
        data_mode,
        'endpoint' as scope_dimension,
        endpoint_tag as scope_value,
        event_date,
        sum(attempts * usd_per_attempt) as observed,
        sum(expected_attempts * usd_per_attempt) as expected,
        round(max(least(attempts_z, -success_z)), 6) as z,
        min(hour_of_day) as first_hour,
        max(hour_of_day) as last_hour
    from judged
    where attempts_z >= 4 and success_z <= -4 and success_drop >= 0.02 and attempts >= 20
    group by {{ endpoint_key }}, event_date
{% endmacro %}

{% macro kept_by_signal_day() %}
    {{
        config(
            materialized="incremental",
            incremental_strategy="append",
            pre_hook="{{ forget_dirty_dates(ref('alert_signal_days')) }}",
            post_hook="{{ remember_built_dates(ref('alert_signal_days')) }}",
        )
    }}
{% endmacro %}

{#- The class of a driver, in the order in which on-call rules things out (docs/alerts.md). -#}
{% macro spike_type() -%}
    case
        when exposure_usd >= 0.5 * delta_usd
        then 'unknown_model'
        when effect = 'retry'
        then 'retry'
        when effect = 'volume' and user_id is not null
        then 'abuse'
        when
            effect = 'volume'
            and leading_user_id not in ('(other)', '(unattributed)')
            and leading_user_id_share >= 0.6
            and leading_user_id_share_before <= 0.35
        then 'abuse'
        when effect = 'volume' and tenant_id is not null
        then 'concentration'
        when
            effect = 'volume'
            and leading_tenant_id not in ('(other)', '(unattributed)')
            and leading_tenant_id_share >= 0.6
            and leading_tenant_id_share_before <= 0.35
        then 'concentration'
        when effect in ('token', 'price_mix') and (prompt_version is not null or new_version_share >= 0.6)
        then 'deploy'
        else effect
    end
{%- endmacro %}

{#- The member of a dimension that a series is about, or NULL. -#}
{% macro member_of_series(dimension) -%}
    case
        scope_dimension
        when '{{ dimension }}'
        then scope_value
        {% if dimension == "endpoint" %}
            when 'endpoint x model' then split_part(scope_value, ' | ', 1)
            when 'endpoint x prompt_version' then split_part(scope_value, ' | ', 1)
        {% elif dimension == "model" %} when 'endpoint x model' then split_part(scope_value, ' | ', 2)
        {% elif dimension == "prompt_version" %} when 'endpoint x prompt_version' then split_part(scope_value, ' | ', 2)
        {% endif %}
    end
{%- endmacro %}

{#- A segment in words: dimensions joined by ` x `, values by ` | `. A version names its endpoint by itself. -#}
{% macro driver_dimension(segment) -%}
    concat_ws(
        ' x '
        {%- for dimension in leaf_dimensions() -%}
            , case
                when
                    {{ segment }}.{{ dimension.column }} is not null
                    {% if dimension.name == "endpoint" %} and {{ segment }}.prompt_version is null {% endif %}
                then '{{ dimension.name }}'
            end
        {%- endfor %}
    )
{%- endmacro %}

{% macro driver_value(segment) -%}
    concat_ws(
        ' | '
        {%- for dimension in leaf_dimensions() -%}
            , {% if dimension.name == "endpoint" -%}
                case when {{ segment }}.prompt_version is null then {{ segment }}.endpoint_tag end
            {%- else -%} {{ segment }}.{{ dimension.column }}
            {%- endif %}
        {%- endfor %}
    )
{%- endmacro %}

{% macro depth(segment) -%}
    {%- for dimension in leaf_dimensions() -%}
        cast({{ segment }}.{{ dimension.column }} is not null as integer) {{ "+" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Quiet complete days after which an alert is over: a weekend and a day. -#}
{% macro quiet_days() %} {{ return(3) }} {% endmacro %}

{#- Alerted days in a row after which the new level is the level. -#}
{% macro level_shift_days() %} {{ return(7) }} {% endmacro %}

{#- The same in every run: what is watched, what rose, and on which day it began. -#}
{% macro alert_id(episode, problem) -%}
    left(
        md5(
            concat_ws(
                '|',
                {{ episode }}.environment,
                {{ episode }}.data_mode,
                {{ episode }}.spike_type,
                {{ episode }}.anchor,
                {{ episode }}.onset_date
            )
        ),
        16
    )
{%- endmacro %}

{#- What makes two alerts the same problem: it stays the same when it comes back. -#}
{% macro problem_fingerprint(alert) -%}
    left(
        md5(
            concat_ws(
                '|',
                {{ alert }}.environment,
                {{ alert }}.data_mode,
                {{ alert }}.spike_type,
                {{ alert }}.top_driver_dimension,
                {{ alert }}.top_driver_value
            )
        ),
        16
    )
{%- endmacro %}

{#- A drift that one identity carries is its concentration. -#}
{% macro alert_type(problem) -%}
    case
        when {{ problem }}.alert_type = 'cost_drift' and {{ problem }}.spike_type = 'abuse'
        then 'user_concentration'
        when {{ problem }}.alert_type = 'cost_drift' and {{ problem }}.spike_type = 'concentration'
        then 'tenant_concentration'
        else {{ problem }}.alert_type
    end
{%- endmacro %}

{#- By dollars and certainty; what is new but moved nothing is for information. -#}
{% macro severity(alert) -%}
    case
        when {{ alert }}.delta_usd <= 0 or ({{ alert }}.alert_type = 'new_model' and {{ alert }}.round = 0)
        then 'info'
        when
            {{ alert }}.z >= 5
            and cast({{ alert }}.delta_usd as double) >= {{ alert }}.critical_share_of_spend * {{ alert }}.usual_spend_usd
        then 'critical'
        else 'warning'
    end
{%- endmacro %}

{#- Up to two other classes that the evidence leaves open, likeliest first. -#}
{% macro alternate_types(alert) -%}
    nullif(
        concat_ws(
            ', ',
            case when {{ alert }}.spike_type = 'deploy' then 'token' when {{ alert }}.spike_type in ('abuse', 'concentration') then 'volume' end,
            case
                when {{ alert }}.spike_type = 'price_mix' and {{ alert }}.related like '%new_model%' then 'new_model'
                when {{ alert }}.spike_type = 'unknown_model' then 'price_mix'
                when {{ alert }}.spike_type = 'retry' then 'volume'
                when {{ alert }}.spike_type = 'token' then 'retry'
            end
        ),
        ''
    )
{%- endmacro %}

{#- The focused view of an alert, every filter kept: the grammar of addresses in docs/alerts.md. -#}
{% macro drill_url(alert) -%}
    {{ text(setting("TOKENTRAIL_BASE_URL", "http://localhost:8080") | trim("/") ~ "/alert?from=") }}
    || {{ alert }}.onset_date
    || '&to='
    || ({{ alert }}.onset_date + 1)
    || '&baseline_from='
    || {{ alert }}.baseline_from
    || '&baseline_to='
    || {{ alert }}.baseline_to
    || '&environment='
    || {{ url_text(alert ~ ".environment") }}
    || '&data_mode='
    || {{ url_text(alert ~ ".data_mode") }}
    {%- for dimension in leaf_dimensions() %}
        || coalesce('&{{ dimension.name }}=' || {{ url_text(alert ~ "." ~ dimension.column) }}, '')
    {%- endfor %}
    || '&alert='
    || {{ alert }}.alert_id
{%- endmacro %}

{#- A query to paste: the dearest calls behind the alert. -#}
{% macro drill_query(alert) -%}
    'select occurred_at, endpoint_tag, prompt_version, tenant_id, user_id, model, status, input_tokens, output_tokens, cost_usd, pricing_status '
    || 'from fct_attempts where event_date = date '''
    || {{ alert }}.onset_date
    || ''' and environment = '
    || {{ sql_text(alert ~ ".environment") }}
    || ' and data_mode = '
    || {{ sql_text(alert ~ ".data_mode") }}
    {%- for dimension in leaf_dimensions() %}
        || coalesce(
            ' and coalesce({{ dimension.column }}, ''(unattributed)'') = ' || {{ sql_text(alert ~ "." ~ dimension.column) }}, ''
        )
    {%- endfor %}
    || ' order by cost_usd desc nulls first limit 50'
{%- endmacro %}

{#- A value of a column as an SQL literal inside a query that a reader will run. -#}
{% macro sql_text(column) -%} '''' || replace({{ column }}, '''', '''''') || '''' {%- endmacro %}

{#- Members of each dimension that a focused view lists. -#}
{% macro focus_members() %} {{ return(20) }} {% endmacro %}
