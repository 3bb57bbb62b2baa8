{{ kept_by_date("complete_days") }} {{ daily_cost_by(["tenant_id"]) }}
