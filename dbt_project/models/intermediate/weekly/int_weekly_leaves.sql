{{ kept_by_date("usage_weeks") }}
-- The leaves of a week's comparison. The dollars are those that are known: exposure is no spend and stands beside it.
with sides as ({{ usage_beside_last_week(["endpoint_tag", "model"]) }})

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
