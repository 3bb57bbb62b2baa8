{{ kept_by_date("attempt_days") }} {{ daily_cost_by(["tenant_id", "user_id"]) }}
