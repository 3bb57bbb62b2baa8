{{ kept_by_date("alert_signal_days") }}
-- What stood out on a day, gathered by what drives it: a driver explains many series, and they are one problem.
{%- set dates = dates_with_signals(dirty_dates()) %}
{%- set day_scope = "event_date, environment, data_mode" %}
with
    drivers as (
        select *
        from {{ ref("int_drivers") }}
        left join {{ ref("int_driver_carriers") }} using ({{ day_scope }}, round)
        where {{ in_dates("event_date", dates) }}
    ),

    belonging as (select * from {{ ref("int_problem_signals") }} where {{ in_dates("event_date", dates) }}),

    unexplained as (select * from belonging where round = 0),

    named as (
        select
            {{ day_scope }},
            round,
            effect,
            endpoint_tag,
            prompt_version,
            tenant_id,
            user_id,
            model,
            actual_usd as driver_current_usd,
            expected_usd as driver_baseline_usd,
            delta_usd as driver_delta_usd,
            score,
            strength,
            {{ spike_type() }} as spike_type,
            new_version,
            leading_tenant_id,
            leading_user_id
        from drivers
        where rank = 1
        union all
        select
            {{ day_scope }},
            0,
            {{ effect_of_series() }},
            {% for dimension in leaf_dimensions() %} {{ member_of_series(dimension.name) }}, {% endfor %}
            observed,
            expected,
            observed - expected,
            0,
            0,
            {{ spike_type_of_series() }},
            null,
            null,
            null
        from unexplained
    ),

    -- the series that shows the problem most clearly speaks for it
    primary_signals as (
        select signals.*
        from belonging as signals
        inner join named using ({{ day_scope }}, round)
        qualify
            row_number() over (
                partition by {{ day_scope }}, round
                order by
                    case when signals.alert_type = named.spike_type then 0 else 1 end,
                    case when signals.scope_dimension = 'endpoint x prompt_version' then 1 else 0 end,
                    {{ distance_from_driver("signals", "named") }},
                    case when signals.observed - signals.expected >= 0.6 * named.driver_delta_usd then 0 else 1 end,
                    case when signals.measure = 'cost' then 0 else 1 end,
                    signals.z desc,
                    signals.scope_dimension,
                    signals.scope_value
            )
            = 1
    ),

    gathered as (
        select
            {{ day_scope }},
            round,
            max_by(z, z / min_z) as z,
            -- after the first problem of a day, another one is less likely than noise that the first one stirred up
            max_by(min_z, z / min_z) * case
                when round <> 1 and bool_or(round = 1) over (partition by {{ day_scope }})
                then {{ second_problem_factor() }}
                else 1
            end as threshold,
            count(*) as series,
            string_agg(
                distinct scope_dimension || ' ' || scope_value, '; ' order by scope_dimension || ' ' || scope_value
            ) as related
        from belonging
        group by {{ day_scope }}, round
    )

select
    named.* exclude (new_version, leading_tenant_id, leading_user_id, user_id, tenant_id, prompt_version),
    -- a spike of one identity or one deploy is named by it, however the segment was found
    case
        when spike_type = 'deploy' then coalesce(named.prompt_version, named.new_version) else named.prompt_version
    end as prompt_version,
    case
        when spike_type = 'abuse'
        then null
        when spike_type = 'concentration'
        then coalesce(named.tenant_id, named.leading_tenant_id)
        else named.tenant_id
    end as tenant_id,
    case
        when spike_type = 'abuse' then coalesce(named.user_id, named.leading_user_id) else named.user_id
    end as user_id,
    primary_signals.alert_type,
    primary_signals.measure,
    case when scope_dimension = 'endpoint x prompt_version' then 'endpoint' else scope_dimension end as scope_dimension,
    case
        when scope_dimension = 'endpoint x prompt_version' then split_part(scope_value, ' | ', 1) else scope_value
    end as scope_value,
    primary_signals.usual_spend_usd,
    primary_signals.observed as observed_usd,
    primary_signals.expected as expected_usd,
    gathered.z,
    gathered.threshold,
    primary_signals.min_usd,
    primary_signals.critical_share_of_spend,
    primary_signals.is_muted,
    primary_signals.first_hour,
    primary_signals.last_hour,
    gathered.series,
    gathered.related
from named
inner join primary_signals using ({{ day_scope }}, round)
inner join gathered using ({{ day_scope }}, round)
where gathered.z >= gathered.threshold
