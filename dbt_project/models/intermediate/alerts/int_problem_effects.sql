{{ kept_by_signal_day() }}
-- depends_on: {{ ref("alert_signal_days") }}
{{ decomposed(ref("int_problem_leaves"), dirty_dates(ref("alert_signal_days"))) }}
