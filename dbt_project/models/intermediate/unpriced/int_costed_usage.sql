{{ config(materialized="view") }}
-- What detection watches: the cost that is known and, as its own visible part, what
-- unpriced calls likely cost, so that an unknown model cannot hide a spike.
{{ costed(ref("int_usage_daily")) }}
