-- What a problem is about, and the endpoint of its latest alert.
select
    problem_id,
    any_value(environment) as environment,
    any_value(data_mode) as data_mode,
    any_value(spike_type) as spike_type,
    any_value(anchor_dimension) as driver_dimension,
    any_value(anchor) as driver_value,
    any_value({{ problem_words("spike_type", "anchor_dimension", "anchor") }}) as problem,
    max_by(coalesce(driver_endpoint_tag, main_endpoint_tag), onset_date) as endpoint_tag
from {{ ref("int_alerts") }}
group by problem_id
