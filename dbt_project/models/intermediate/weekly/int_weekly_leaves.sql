{{ kept_by_date("usage_weeks") }}
-- The leaves of a week's comparison. The dollars are those that are known: exposure is not spend, so it has a column
-- of its own.
with sides as ({{ usage_of_two_weeks(["endpoint_tag", "model"]) }})

select
    event_date,
    environment,
    data_mode,
    0 as round,
    endpoint_tag,
    model,
    {% for side in ["baseline", "current"] %}
        {%- set column = "previous" if side == "baseline" else side %}
        {{ column }}_requests as {{ side }}_requests,
        {{ column }}_attempts as {{ side }}_attempts,
        {{ column }}_tokens as {{ side }}_tokens,
        {{ column }}_cost_usd as {{ side }}_cost_usd,
        cast(0 as decimal(38, 12)) as {{ side }}_exposure_usd,
    {% endfor %}
    current_unvalued_attempts as unvalued_attempts,
    current_exposure_usd as exposure_usd
from sides
