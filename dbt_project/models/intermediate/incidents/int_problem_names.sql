-- What a problem is about, also in words (retry at cart.assist), and the endpoint of
-- its latest alert.
with
    problems as (
        select
            problem_id,
            any_value(environment) as environment,
            any_value(data_mode) as data_mode,
            any_value(spike_type) as spike_type,
            any_value(anchor_dimension) as driver_dimension,
            any_value(anchor) as driver_value,
            max_by(coalesce(driver_endpoint_tag, main_endpoint_tag), onset_date) as endpoint_tag
        from {{ ref("int_alerts") }}
        group by problem_id
    )

select
    *,
    case
        when spike_type = 'unknown_model' and driver_dimension = 'model'
        then 'unknown model '
        else
            replace(spike_type, '_', ' ') || case
                driver_dimension
                when 'endpoint'
                then ' at '
                when 'user'
                then ' by user '
                when 'tenant'
                then ' by tenant '
                when 'model'
                then ' of model '
                else ' in '
            end
    end
    || driver_value as problem
from problems
