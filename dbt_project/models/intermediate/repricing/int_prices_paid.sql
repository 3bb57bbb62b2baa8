-- Each version's rows by payer: everybody (`payer_id` NULL) and each tenant that has
-- prices of its own in that version or in the one before or after it. While a tenant
-- has none, it pays what everybody does, exactly as `priced` has it.
with
    own as (
        select
            version_sequence,
            {{ price_key_columns() }},
            tenant_id,
            case when count(*) = count(valid_from) then min(valid_from) end as own_from,
            case when count(*) = count(valid_to) then max(valid_to) end as own_to
        from {{ ref("int_price_rows") }}
        where tenant_id is not null
        group by version_sequence, {{ price_key_columns() }}, tenant_id
    ),

    adjacent as (
        select version_sequence + 1 as version_sequence, {{ price_key_columns() }}, tenant_id
        from own
        union
        select version_sequence - 1, {{ price_key_columns() }}, tenant_id
        from own
    ),

    as_everybody as (
        select own.* exclude (own_from, own_to), cast(null as timestamp) as since, own_from as until
        from own
        where own_from is not null
        union all
        select own.* exclude (own_from, own_to), own_to, null
        from own
        where own_to is not null
        union all
        select adjacent.*, null, null
        from adjacent
        left join
            own on {{ same_price_key("adjacent", "own", ["version_sequence"]) }} and adjacent.tenant_id = own.tenant_id
        where own.tenant_id is null
    )

select everything.*, tenant_id as payer_id
from {{ ref("int_price_rows") }} as everything
union all
select
    everybody.* replace (
        case
            when everybody.valid_from > as_everybody.since
            then everybody.valid_from
            else coalesce(as_everybody.since, everybody.valid_from)
        end as valid_from,
        case
            when everybody.valid_to < as_everybody.until
            then everybody.valid_to
            else coalesce(as_everybody.until, everybody.valid_to)
        end as valid_to
    ),
    as_everybody.tenant_id
from {{ ref("int_price_rows") }} as everybody
inner join
    as_everybody
    on {{ same_price_key("everybody", "as_everybody", ["version_sequence"]) }}
    and everybody.tenant_id is null
    and coalesce(everybody.valid_from < as_everybody.until, true)
    and coalesce(as_everybody.since < everybody.valid_to, true)
