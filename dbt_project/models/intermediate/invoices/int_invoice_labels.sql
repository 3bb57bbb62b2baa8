-- What each label of an invoice means: the first row of the label maps that the whole
-- label fits, a vendor's own rows before those for any. What none fits stays unknown.
with
    labels as (select distinct vendor, label from {{ ref("stg_invoice_lines") }} where label is not null),

    maps as (select * from {{ ref("stg_invoice_label_maps") }}),

    fitting as (
        select
            labels.vendor as label_vendor,
            labels.label,
            maps.*,
            row_number() over (
                partition by labels.vendor, labels.label
                order by
                    case when maps.vendor = '*' then 1 else 0 end, maps.priority nulls last, maps.pattern nulls last
            ) as place
        from labels
        inner join
            maps
            on maps.vendor in (labels.vendor, '*')
            and regexp_matches(labels.label, '^(?i:' || maps.pattern || ')$')
    )

select
    label_vendor as vendor,
    label,
    pattern,
    line_type,
    unit_scale,
    our_model
    {%- for column in ["model", "leaf", "processing", "service_tier", "route"] %}
        , nullif(regexp_replace(label, '^(?i:' || pattern || ')$', {{ column }}), '') as {{ column }}
    {%- endfor %}
from fitting
where place = 1
