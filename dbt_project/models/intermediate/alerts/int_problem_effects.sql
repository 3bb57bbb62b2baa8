{{ kept_by_signal_day() }} {{ decomposed(ref("int_problem_leaves"), dirty_dates(ref("alert_signal_days"))) }}
