{#- How often a day is searched again for what its first drivers leave unexplained. -#}
{% macro rounds() %} {{ return(3) }} {% endmacro %}

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
            {{ dimension.column }}, 1 - grouping({{ dimension.column }}) as has_{{ dimension.name }},
        {% endfor %}
        sum(actual_usd) as actual_usd,
        sum(expected_usd) as expected_usd,
        sum(usd_per_unit * greatest(actual_usd, expected_usd))
        / nullif(sum(greatest(actual_usd, expected_usd)), 0) as usd_per_unit
    from {{ leaves }}
    where effect <> 'cost'
    group by
        grouping sets (
            {% for columns in segment_sets() %}
                (event_date, environment, data_mode, effect, {{ columns }}) {{- "," if not loop.last }}
            {% endfor %}
        )
    having
        not (has_prompt_version = 1 and coalesce(prompt_version, '(settled)') = '(settled)')
        and not (has_tenant = 1 and coalesce(tenant_id, '(other)') = '(other)')
        and not (has_user = 1 and coalesce(user_id, '(other)') = '(other)')
        and not (has_model = 1 and model is null)
{% endmacro %}

{% macro scored(segments) %}
    {%- set day_scope = "event_date, environment, data_mode" -%}
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
                {{ day_scope }},
                effect,
                greatest(0.04, least(0.5, 1.4826 * median(abs(actual_usd / expected_usd - 1)))) as spread
            from described
            where cuboid = '10000' and expected_usd > 0
            group by {{ day_scope }}, effect
        ),

        sized as (
            select
                described.*,
                count(*) over (partition by {{ day_scope }}, effect, cuboid) as elements,
                max(case when depth = 1 then delta_usd end) over (
                    partition by {{ day_scope }}, effect
                ) as largest_delta_usd,
                sum(case when cuboid = '10000' then actual_usd end) over (
                    partition by {{ day_scope }}, effect
                ) as spend_usd,
                coalesce(spreads.spread, 0.1) as spread,
                -- what the segment moved over all its models: a move between models at equal dollars moves nothing
                sum(case when has_model = 1 then delta_usd end) over (
                    partition by {{ day_scope }}, effect, cuboid, endpoint_tag, prompt_version, tenant_id, user_id
                ) as net_delta_usd
            from described
            left join spreads using ({{ day_scope }}, effect)
        ),

        weighed as (
            select *, 1 / (usd_per_unit + spread * spread * expected_usd) as weight
            from sized
            where delta_usd > 0 and usd_per_unit > 0
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

        scores as (select *, (likelihood - ln(elements)) * power(0.9, depth) as score from likely),

        strengths as (select *, round(delta_usd * sqrt(greatest(score, 0)), 9) as strength from scores where score > 1)

    select
        *,
        row_number() over (
            order by
                {{ day_scope }},
                strength desc,
                effect,
                cuboid
                {% for dimension in leaf_dimensions() %}, {{ dimension.column }}{% endfor %}
        ) as candidate_id
    from strengths
    qualify
        row_number() over (
            partition by {{ day_scope }}
            order by
                strength desc,
                effect,
                cuboid
                {% for dimension in leaf_dimensions() %}, {{ dimension.column }}{% endfor %}
        )
        <= 30
{% endmacro %}

{#- The spike type of a driver, in the order in which on-call rules things out (docs/alerts.md). -#}
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
            when 'endpoint x model'
            then split_part(scope_value, ' | ', 1)
            when 'endpoint x prompt_version'
            then split_part(scope_value, ' | ', 1)
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
            ,
            case
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
            ,
            {% if dimension.name == "endpoint" -%}
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

{#- How much more a second or third problem of a day must show than the first. -#}
{% macro second_problem_factor() %} {{ return(1.15) }} {% endmacro %}

{#- What is summed over the calls of a leaf when its driver is searched. -#}
{% macro driver_measures() %}
    {{
        return(
            [
                {"name": "requests", "sum": "requests"},
                {"name": "attempts", "sum": "billed_attempts"},
                {"name": "tokens", "sum": "tokens"},
                {"name": "usd", "sum": "watched_usd"},
                {"name": "usd_squares", "sum": "watched_usd_squares"},
            ]
        )
    }}
{% endmacro %}

{#- What a series says by itself, where no driver was found for it. -#}
{% macro effect_of_series() -%}
    case
        when alert_type = 'burst_falling_success' or measure = 'calls per request'
        then 'retry'
        when alert_type = 'cost_per_request_drift'
        then 'token'
        else 'volume'
    end
{%- endmacro %}

{% macro spike_type_of_series() -%}
    case
        when alert_type = 'unknown_model'
        then 'unknown_model'
        when alert_type = 'new_model' or scope_dimension in ('model', 'endpoint x model')
        then 'price_mix'
        when scope_dimension = 'user'
        then 'abuse'
        when scope_dimension = 'tenant'
        then 'concentration'
        else {{ effect_of_series() }}
    end
{%- endmacro %}

{#- A signal that a driver explains, and the dollars of it that it explains. -#}
{% macro explained_signal() -%}
    {
        'alert_type':alert_type,
        'measure':measure,
        'scope_dimension':scope_dimension,
        'scope_value':scope_value,
        'shared_usd':shared_usd
    }
{%- endmacro %}

{#- How near a series is to a driver: its own identity, its own route or endpoint, its endpoint, anything else. What a route that is new
    costs is no measure of what routing changed, so there the endpoint speaks. -#}
{% macro distance_from_driver(series, driver) -%}
    case
        when {{ series }}.scope_dimension = 'user' and {{ series }}.scope_value = {{ driver }}.user_id
        then 0
        when
            {{ series }}.scope_dimension = 'tenant'
            and {{ series }}.scope_value = {{ driver }}.tenant_id
            and {{ driver }}.user_id is null
        then 0
        when
            {{ series }}.scope_dimension = 'endpoint x model'
            and {{ driver }}.effect <> 'price_mix'
            and {{ series }}.scope_value = {{ driver }}.endpoint_tag || ' | ' || {{ driver }}.model
        then 1
        when {{ series }}.scope_dimension = 'endpoint' and {{ series }}.scope_value = {{ driver }}.endpoint_tag
        then 2
        when
            {{ series }}.scope_dimension = 'model'
            and {{ series }}.scope_value = {{ driver }}.model
            and {{ driver }}.endpoint_tag is null
        then 2
        else 3
    end
{%- endmacro %}
