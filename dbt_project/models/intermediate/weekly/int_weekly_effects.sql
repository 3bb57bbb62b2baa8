{{ kept_by_date("usage_weeks") }} {{ decomposed(ref("int_weekly_leaves"), dirty_dates()) }}
