{{ kept_by_date("alert_signal_days") }} {{ decomposed(ref("int_problem_cells"), dirty_dates()) }}
