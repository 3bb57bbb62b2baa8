{{ kept_by_date("alert_signal_days") }} {{ driver_round(3) }}
