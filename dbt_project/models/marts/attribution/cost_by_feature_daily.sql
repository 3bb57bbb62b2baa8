{{ kept_by_date("attempt_days") }} {{ daily_cost_by(["feature_tag"]) }}
