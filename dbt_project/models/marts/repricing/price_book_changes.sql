with
    changes as ({{ price_changes_by_month(ref("int_price_changes"), ref("int_price_changes_daily")) }}),

    versions as (select * from {{ price_book_versions_listed() }})

select
    -- keys
    changes.version_sequence,
    versions.price_book_version,
    versions.version_recorded_at as recorded_at,
    changes.change_type,
    changes.old_price_row_key,
    changes.new_price_row_key,
    -- dimensions
    changes.usage_month,
    changes.environment,
    changes.data_mode,
    changes.provider,
    changes.model,
    changes.processing,
    changes.service_tier,
    changes.region,
    changes.price_context,
    changes.tenant_id,
    -- the change
    changes.valid_from,
    changes.valid_to,
    changes.old_input_price_usd,
    changes.new_input_price_usd,
    changes.old_output_price_usd,
    changes.new_output_price_usd,
    changes.old_source,
    changes.new_source,
    changes.adjustments,
    changes.approved_by,
    -- what it moved
    changes.attempts,
    changes.priced_attempts_before,
    changes.priced_attempts_after,
    changes.cost_before_usd,
    changes.cost_after_usd,
    changes.moved_usd
from changes
inner join versions on changes.version_sequence = versions.version_sequence
