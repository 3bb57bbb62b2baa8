-- What a fingerprint stands for.
select
    fingerprint,
    any_value(environment) as environment,
    any_value(data_mode) as data_mode,
    any_value(spike_type) as spike_type,
    any_value(anchor_dimension) as driver_dimension,
    any_value(anchor) as driver_value,
    any_value({{ problem_words("spike_type", "anchor_dimension", "anchor") }}) as problem
from {{ ref("int_alerts") }}
group by fingerprint
