{#- Every combination of up to three dimensions that can be a driver. A version implies its endpoint and a user its
    tenant, so that no two combinations mean the same. -#}
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

{#- The segments of `leaves` whose dollars of an effect are the most surprising of their day. -#}
{% macro driver_candidates(leaves) %}
    {%- set day_scope = "event_date, environment, data_mode" -%}
    {%- set strongest_first -%}
        strength desc, effect, cuboid
        {%- for dimension in leaf_dimensions() -%}, {{ dimension.column }} nulls last {%- endfor -%}
    {%- endset -%}
    {%- set smallest_part -%} {{ alert_parameter("smallest_part_share") }} * spend_usd {%- endset -%}
    with
        segments as (
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
            -- the parts of token only say what kind of growth it is; that of the
            -- cache is sharper than all of them
            where effect not in ('cost', 'input', 'output')
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
        ),

        described as (
            select
                *,
                has_endpoint + has_tenant + has_user + has_model as depth,  -- a version brings its endpoint
                has_endpoint || has_prompt_version || has_tenant || has_user || has_model as cuboid,
                actual_usd - expected_usd as delta_usd
            from segments
        ),

        -- how far endpoints, and tenants, are off without any incident: the median of
        -- the larger ones; tenants come and go more than endpoints do
        spreads as (
            select
                {{ day_scope }},
                effect,
                {% for name, cuboid in [("endpoint", "10000"), ("tenant", "00100")] %}
                    greatest(
                        {{ alert_parameter("smallest_spread") }},
                        least(
                            {{ alert_parameter("largest_spread") }},
                            coalesce(
                                {{ alert_parameter("sigmas_per_mad") }}
                                * median(case when cuboid = '{{ cuboid }}' then abs(actual_usd / expected_usd - 1) end),
                                {{ alert_parameter("unknown_spread") }}
                            )
                        )
                    ) as {{ name }}_spread {{- "," if not loop.last }}
                {% endfor %}
            from described
            where cuboid in ('10000', '00100') and expected_usd > 0
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
                coalesce(
                    case
                        when described.has_tenant + described.has_user > 0
                        then greatest(spreads.endpoint_spread, spreads.tenant_spread)
                        else spreads.endpoint_spread
                    end,
                    {{ alert_parameter("unknown_spread") }}
                ) as spread,
                -- what the segment changed over all its models: a move between models
                -- at equal cost changes nothing
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
                actual_usd * weight * ln(actual_usd / (expected_usd + {{ smallest_part }}))
                - (actual_usd - expected_usd - {{ smallest_part }}) * weight as likelihood
            from weighed
            where
                delta_usd >= {{ alert_parameter("smallest_share_of_largest") }} * largest_delta_usd
                and (
                    effect <> 'price_mix'
                    or has_model = 0
                    or net_delta_usd >= {{ alert_parameter("smallest_net_share_of_models") }} * delta_usd
                )
                and delta_usd >= {{ alert_parameter("smallest_driver_share") }} * spend_usd
                and actual_usd > expected_usd + {{ smallest_part }}
        ),

        scores as (
            select *, (likelihood - ln(elements)) * power({{ alert_parameter("score_per_dimension") }}, depth) as score
            from likely
        ),

        strengths as (
            select *, round(delta_usd * sqrt(greatest(score, 0)), 9) as strength
            from scores
            where score > {{ alert_parameter("smallest_score") }}
        )

    select *, row_number() over (order by {{ day_scope }}, {{ strongest_first }}) as candidate_id
    from strengths
    qualify
        row_number() over (partition by {{ day_scope }} order by {{ strongest_first }})
        <= {{ alert_parameter("candidates") }}
{% endmacro %}

{#- What drives the signals of a day that no earlier round of the search explains, ranked. The leaves of the earlier drivers are taken
    out, and a day on which a round found nothing is not searched again. -#}
{% macro driver_round(round) %}
    {%- set dates = dates_with_signals(dirty_dates()) -%}
    {%- set day_scope = "event_date, environment, data_mode" -%}
    {%- set earlier_rounds = range(1, round) | list -%}
    {%- set explained_share = alert_parameter("smallest_explained_share") -%}
    with
        {% for earlier in earlier_rounds %}
            top_{{ earlier }} as (
                select *
                from {{ ref("int_drivers_round_" ~ earlier) }}
                where rank = 1 and {{ in_dates("event_date", dates) }}
            ),

            explained_{{ earlier }} as (
                select {{ day_scope }}, unnest(explained_signals, recursive := true) from top_{{ earlier }}
            ),
        {% endfor %}

        open as (
            select signals.*
            from {{ ref("int_driver_signals") }} as signals
            {% for earlier in earlier_rounds %}
                inner join top_{{ earlier }} on {{ same_day_scope("top_" ~ earlier, "signals") }}
                left join
                    explained_{{ earlier }}
                    on {{ same_day_scope("explained_" ~ earlier, "signals") }}
                    and explained_{{ earlier }}.signal_id = signals.signal_id
            {% endfor %}
            where
                {{ in_dates("signals.event_date", dates) }}
                {% for earlier in earlier_rounds %} and explained_{{ earlier }}.signal_id is null {% endfor %}
        ),

        leaves as (
            select leaves.*
            from {{ ref("int_driver_leaves") }} as leaves
            inner join
                (select distinct {{ day_scope }} from open) as open_days on {{ same_day_scope("leaves", "open_days") }}
            {% for earlier in earlier_rounds %}
                inner join top_{{ earlier }} on {{ same_day_scope("top_" ~ earlier, "leaves") }}
            {% endfor %}
            where
                {{ in_dates("leaves.event_date", dates) }}
                {% for earlier in earlier_rounds %} and not ({{ in_segment("leaves", "top_" ~ earlier) }}) {% endfor %}
        ),

        candidates as ({{ driver_candidates("leaves") }}),

        shares as (
            select
                candidates.candidate_id,
                open.signal_id,
                any_value(open.observed - open.expected) as excess_usd,
                sum(leaves.actual_usd - open.leaf_scale * leaves.expected_usd) as shared_usd
            from candidates
            inner join leaves on leaves.effect = 'cost' and {{ in_segment("leaves", "candidates") }}
            inner join open on {{ in_series("leaves", "open") }}
            group by candidates.candidate_id, open.signal_id
        ),

        relevant as (
            select distinct shares.candidate_id
            from shares
            inner join candidates on shares.candidate_id = candidates.candidate_id
            where
                shares.shared_usd >= {{ explained_share }} * shares.excess_usd
                and candidates.delta_usd >= {{ explained_share }} * shares.excess_usd
        ),

        -- what the segment costs more in total, over all its models and versions:
        -- tokens that grew while their price fell changed nothing
        nets as (
            select candidates.candidate_id, sum(leaves.actual_usd - leaves.expected_usd) as net_usd
            from candidates
            inner join
                leaves
                on leaves.effect = 'cost'
                and {{ in_segment("leaves", "candidates", ["endpoint", "tenant", "user"]) }}
            where candidates.effect in ('token', 'cache', 'price_mix')
            group by candidates.candidate_id
        ),

        ranked as (
            select
                candidates.*,
                row_number() over (
                    partition by {{ day_scope }} order by candidates.strength desc, candidates.candidate_id
                ) as rank
            from candidates
            inner join relevant on candidates.candidate_id = relevant.candidate_id
            left join nets on candidates.candidate_id = nets.candidate_id
            where coalesce(nets.net_usd >= {{ alert_parameter("smallest_net_share") }} * candidates.delta_usd, true)
        ),

        explained as (
            select
                ranked.candidate_id,
                list(
                    {'signal_id':shares.signal_id, 'shared_usd':shares.shared_usd} order by shares.signal_id
                ) as signals
            from ranked
            inner join shares on ranked.candidate_id = shares.candidate_id
            where ranked.rank = 1 and shares.shared_usd >= {{ explained_share }} * shares.excess_usd
            group by ranked.candidate_id
        )

    select
        ranked.event_date,
        ranked.environment,
        ranked.data_mode,
        {{ round }} as round,
        ranked.rank,
        ranked.effect,
        {% for dimension in leaf_dimensions() %} ranked.{{ dimension.column }}, {% endfor %}
        ranked.actual_usd,
        ranked.expected_usd,
        ranked.delta_usd,
        ranked.score,
        ranked.strength,
        ranked.depth,
        explained.signals as explained_signals
    from ranked
    left join explained on ranked.candidate_id = explained.candidate_id
    where ranked.rank <= {{ alert_parameter("listed_drivers") }}
{% endmacro %}

{#- What is summed over the calls of a leaf when its driver is searched for. -#}
{% macro driver_measures() %}
    {{
        return(
            [
                {"name": "requests", "sum": "requests"},
                {"name": "attempts", "sum": "billed_attempts"},
                {"name": "usd", "sum": "watched_usd"},
                {"name": "usd_squares", "sum": "watched_usd_squares"},
            ]
        )
    }}
{% endmacro %}

{#- What a leaf's dollars are the sum of: token kinds, and unpriced tokens at their likely cost. -#}
{% macro watched_kinds() %}
    {{
        return(
            priced_kinds() + [{"name": "unpriced", "side": "unpriced", "base": "unpriced", "is_cache_read": false}]
        )
    }}
{% endmacro %}

{#- The columns of a sum over kinds: units and dollars of each. -#}
{% macro sums_of_kinds(usage) -%}
    {%- for kind in watched_kinds() %}
        {%- set is_unpriced = kind.name == "unpriced" %}
        cast(
            sum({{ usage }}.{{ "unpriced_tokens" if is_unpriced else kind.name ~ "_units" }}) as double
        ) as {{ kind.name }}_units,
        cast(
            sum({{ usage }}.{{ "exposure_usd" if is_unpriced else kind.name ~ "_usd" }}) as double
        ) as {{ kind.name }}_usd
        {{- "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A sum over the kinds of a side; `{}` in the term is a kind's name. -#}
{% macro value_of_kinds(term, side) -%}
    {%- for kind in watched_kinds() | selectattr("side", "equalto", side) -%}
        {{ term | replace("{}", kind.name) }} {{- " + " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
