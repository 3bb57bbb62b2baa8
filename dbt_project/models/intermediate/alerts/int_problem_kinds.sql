{{ config(materialized="view") }}
-- Both sides of every comparison by token kind.
{{ kinds_of_cells(ref("int_problem_cells"), "event_date, environment, data_mode, round") }}
