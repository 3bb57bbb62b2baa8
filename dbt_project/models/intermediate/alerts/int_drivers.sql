{{ config(materialized="view") }}
-- A day is searched again for what its first driver leaves unexplained: two incidents
-- on a day are two problems.
select *
from {{ ref("int_drivers_round_1") }}
union all
select *
from {{ ref("int_drivers_round_2") }}
union all
select *
from {{ ref("int_drivers_round_3") }}
