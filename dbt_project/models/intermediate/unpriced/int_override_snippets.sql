-- What a person pastes into prices/<file>.yml: an alias to the catalogue's
-- name of the same model, or prices to fill in for what the model was used for. Names
-- come from senders: each is written as a JSON text, which YAML reads as it is.
{%- set quoted -%}
    '"'
    || array_to_string(
        list_transform(
            string_split(COLUMN, ''),
            c -> case
                when c in ('"', '\')
                then '\' || c
                when unicode(c) < 32 or unicode(c) between 127 and 159 or unicode(c) in (8232, 8233, 65279, 65534, 65535)
                then printf('\u%04x', unicode(c))
                else c
            end
        ),
        ''
    )
    || '"'
{%- endset %}
with
    used as (
        select
            provider,
            model,
            min(event_date) as first_used_date,
            {% for kind in token_kinds() %}
                coalesce(sum(unpriced_{{ kind.quantity }}), 0)
                > 0 as {{ kind.name }}_is_used {{- "," if not loop.last }}
            {% endfor %}
        from {{ ref("int_model_usage_daily") }}
        where unpriced_attempts > 0
        group by provider, model
    ),

    unknown as (
        select provider, model, max(suggestions) as suggestions
        from {{ ref("stg_price_book") }}
        where resolution = 'unknown'
        group by provider, model
    ),

    explained as (
        select
            used.*,
            case when unknown.model is null then 'missing_unit_price' else 'unknown_model' end as reason,
            {% for position in [1, 2, 3] %}
                unknown.suggestions[{{ position }}] as suggestion_{{ position }},
            {% endfor %}
            -- provider/model (reason), as pricing/suggestions.py writes it; a provider
            -- has no slash, a reason no brackets
            regexp_extract(
                coalesce(unknown.suggestions[1], ''),
                '^([^/]+)/(.*) \(([^()]*)\)$',
                ['provider', 'model', 'reason'],
                's'
            ) as nearest
        from used
        left join unknown using (provider, model)
    )

select
    provider,
    model,
    reason,
    suggestion_1,
    suggestion_2,
    suggestion_3,
    case
        -- what only resembles the name is for people to judge, not to paste
        when starts_with(nearest.reason, 'same model')
        then
            '# Only if it is this model ('
            || nearest.reason
            || '); else write a price.'
            || chr(10)
            || 'aliases:'
            || chr(10)
            || '  - provider: '
            || {{ quoted | replace("COLUMN", "provider") }}
            || chr(10)
            || '    model: '
            || {{ quoted | replace("COLUMN", "model") }}
            || chr(10)
            || '    to_provider: '
            || {{ quoted | replace("COLUMN", "nearest.provider") }}
            || chr(10)
            || '    to_model: '
            || {{ quoted | replace("COLUMN", "nearest.model") }}
        else
            'prices:'
            || chr(10)
            || '  - provider: '
            || {{ quoted | replace("COLUMN", "provider") }}
            || chr(10)
            || '    model: '
            || {{ quoted | replace("COLUMN", "model") }}
            || chr(10)
            || '    from: '
            || first_used_date
            || chr(10)
            || '    per_million_tokens:  # USD; what it was used for: a rate left out is that of input or output'
            || chr(10)
            || '      uncached_input: '
            {%- for kind in token_kinds() if kind.may_fall_back %}
                || case when {{ kind.name }}_is_used then chr(10) || '      {{ kind.name }}: ' else '' end
            {%- endfor %}
            || chr(10)
            || '      text_output: '
            || case
                when web_searches_is_used
                then chr(10) || '    per_thousand:  # USD' || chr(10) || '      web_searches: '
                else ''
            end
    end
    || chr(10)
    || '    source:  # where it is written down'
    || chr(10)
    || '    approved_by:  # who approved it'
    || chr(10)
    || '    recorded_at: '
    || cast({{ as_of() }} as date)
    || chr(10) as override_snippet
from explained
