{{ kept_by_date("alert_signal_days") }} {{ judged_bursts(dirty_dates()) }}
