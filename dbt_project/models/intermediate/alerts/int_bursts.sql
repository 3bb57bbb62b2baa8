{{ kept_by_signal_day() }} {{ judged_bursts(dirty_dates(ref("alert_signal_days"))) }}
