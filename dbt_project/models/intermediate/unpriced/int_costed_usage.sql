{{ config(materialized="view") }}
-- What detection watches: the known cost and, separately, the likely cost of unpriced
-- calls, so that an unknown model cannot hide a spike.
{{ costed(ref("int_usage_daily")) }}
