{#- Every threshold and lookback of the alerts that a team does not tune by a rule (alert_rules.csv): its
    value, its unit, and why. They were tuned together on the worlds of tuning seeds (benchmarks/alerts/calendar.py) and measured on unseen
    ones (make bench-alerts, docs/alerts.md); measurements of a single one are given with it. -#}
{% macro alert_parameters() %}
    {{
        return(
            {
                "history_days": {
                    "value": 140,
                    "unit": "days",
                    "why": "a judgement looks back from one step to the next: 28 days of the tails of its kind, 28 of noise, 14 of a series' drift, 14 of the total's, 28 to the same weekdays, and 28 of what was usual then; with less, a day judged alone would differ from a day judged with its past",
                },
                "usual_days": {"value": 28, "unit": "days", "why": "four of every weekday: what is usual"},
                "watched_days": {
                    "value": 42,
                    "unit": "days",
                    "why": "what was not large for six weeks is not looked at; the two weeks before the usual days say whether a series has grown up",
                },
                "level_days": {"value": 14, "unit": "days", "why": "where a series stands lately: two weeks"},
                "recent_level_days": {
                    "value": 5,
                    "unit": "days",
                    "why": "half of a level, for a level that moved since says more; with the day factor, the median error of an endpoint's forecast fell by a fifth",
                },
                "sigmas_per_mad": {
                    "value": 1.4826,
                    "unit": "standard deviations",
                    "why": "of a normal distribution, by its median absolute deviation",
                },
                "smallest_watched_usd": {
                    "value": 0.25,
                    "unit": "USD of a series' largest day in six weeks",
                    "why": "below, a series is not looked at: thousands of tiny series cost nothing",
                },
                "smallest_watched_share": {
                    "value": 0.01,
                    "unit": "share of a usual day's spend",
                    "why": "below, a series is not looked at; half of it is the least excess that is kept for the rules",
                },
                "smallest_z": {
                    "value": 1,
                    "unit": "standard deviations",
                    "why": "below, nothing is kept for the rules, which cannot ask for less",
                },
                "first_pass_z": {
                    "value": 3,
                    "unit": "standard deviations",
                    "why": "from here on a day of the first pass is left out of the past in the second",
                },
                "first_pass_tail": {
                    "value": 0.9,
                    "unit": "quantile",
                    "why": "tails are measured with every day in them, incidents too, so not far out",
                },
                "first_pass_tail_z": {
                    "value": 1.645,
                    "unit": "standard deviations",
                    "why": "the same quantile of an absolute normal value",
                },
                "tail": {
                    "value": 0.995,
                    "unit": "quantile",
                    "why": "what stood out is masked, so tails are measured where alerts are decided",
                },
                "tail_z": {
                    "value": 2.576,
                    "unit": "standard deviations",
                    "why": "the quantile of a normal value with as much on either side",
                },
                "near_nothing_share": {
                    "value": 0.002,
                    "unit": "share of a usual day",
                    "why": "added to what is seen and expected, so that a series of nearly nothing has a logarithm; what a newcomer is expected to cost",
                },
                "most_assumed_calls": {
                    "value": 100,
                    "unit": "calls",
                    "why": "of near_nothing_share in a forecast, and of a newcomer's day: where calls are not known, dollars come in at most so many",
                },
                "fewest_active_days": {
                    "value": 7,
                    "unit": "days of the usual ones",
                    "why": "with calls, and with errors of a forecast, before a series has a forecast of its own",
                },
                "fewest_comparable_days": {
                    "value": 10,
                    "unit": "active or paused days of the usual ones",
                    "why": "before a series says where it stands, and what a day does to all endpoints",
                },
                "fewest_seasonal_days": {
                    "value": 14,
                    "unit": "active or paused days of the usual ones",
                    "why": "before a series is judged by weekdays and not by its usual active day",
                },
                "fewest_days_of_a_young_series": {
                    "value": 3,
                    "unit": "active days",
                    "why": "before a series without weekdays of its own has a usual active day",
                },
                "habit_weeks": {
                    "value": 3,
                    "unit": "silent ones of the last four same weekdays",
                    "why": "closed on Sundays, a batch on Mondays: that day's silence is a habit and not a pause",
                },
                "fewest_endpoints_of_a_day_factor": {
                    "value": 8,
                    "unit": "endpoints",
                    "why": "of fewer, a few that rise are most of them, and what they have in common is not the day's",
                },
                "own_weekdays_gain": {
                    "value": 0.8,
                    "unit": "ratio of mean absolute errors",
                    "why": "a series is forecast by its own weekdays where that misses by a fifth less: the total's are steadier",
                },
                "largest_counted_error": {
                    "value": 1,
                    "unit": "logarithm",
                    "why": "an error counts for no more, so that one day decides no comparison of forecasts",
                },
                "unknown_error": {
                    "value": 0.15,
                    "unit": "logarithm",
                    "why": "how far forecasts are usually off, while fewer than fewest_active_days errors are known",
                },
                "smallest_error": {
                    "value": 0.03,
                    "unit": "logarithm",
                    "why": "no forecast is taken to be better, however calm the past was",
                },
                "young_error": {
                    "value": 0.5,
                    "unit": "logarithm",
                    "why": "how far a day is off the usual active day of a series without weekdays of its own",
                },
                "fewest_requests": {
                    "value": 5,
                    "unit": "requests a day",
                    "why": "of fewer, what a request costs says nothing; so for calls with a cost in the typical cost",
                },
                "fewest_intensity_days": {
                    "value": 7,
                    "unit": "days of the last 14",
                    "why": "before what a request costs is known",
                },
                "unknown_intensity_error": {
                    "value": 0.1,
                    "unit": "logarithm",
                    "why": "how far what a request costs is usually off, while nothing is known of it",
                },
                "smallest_price_error": {
                    "value": 0.01,
                    "unit": "logarithm",
                    "why": "prices hold still, but for hours with prices of their own: what they cost a model varies by no less",
                },
                "fewest_price_days": {
                    "value": 3,
                    "unit": "days of the last 14",
                    "why": "before the price of a token kind is known",
                },
                "smallest_retries": {
                    "value": 1.0,
                    "unit": "calls a day",
                    "why": "beyond one for each request, in their variance: a day without any is not certain to have none",
                },
                "newcomer_days": {
                    "value": 7,
                    "unit": "days",
                    "why": "a model, tenant or user is new in its first week",
                },
                "fewest_total_days": {
                    "value": 14,
                    "unit": "days",
                    "why": "of the environment before anything in it is new: where everything is new, nothing is",
                },
                "burst_z": {
                    "value": 4,
                    "unit": "standard deviations",
                    "why": "of an hour's calls above, and of their success below the usual: of hundreds of hours a week and each endpoint",
                },
                "burst_success_drop": {
                    "value": 0.02,
                    "unit": "share of calls",
                    "why": "success must be down by 2 points: of many calls less would be certain too, and no news",
                },
                "burst_attempts": {
                    "value": 20,
                    "unit": "calls in an hour",
                    "why": "fewer are not a burst, however few were expected",
                },
                "fewest_burst_days": {
                    "value": 14,
                    "unit": "days of the last 28",
                    "why": "before an endpoint has usual hours",
                },
                "fewest_expected_attempts": {
                    "value": 0.5,
                    "unit": "calls in an hour",
                    "why": "an hour without calls before is not certain to have none",
                },
                "hourly_variance": {
                    "value": 0.04,
                    "unit": "squared share of expected calls",
                    "why": "an hour of an endpoint is off by a fifth without cause, beyond the chance of its calls",
                },
                "smallest_failure_share": {
                    "value": 0.0001,
                    "unit": "share of calls",
                    "why": "an endpoint that never failed is not certain never to",
                },
                "share_of_the_whole_bill": {
                    "value": 0.5,
                    "unit": "share of a usual day of all environments",
                    "why": "what matters in a small environment is measured by the whole bill as well",
                },
                "young_share_factor": {
                    "value": 2,
                    "unit": "times min_share_of_spend",
                    "why": "a young series has no weekdays of its own yet",
                },
                "large_member_share": {
                    "value": 0.005,
                    "unit": "share of a usual day's spend",
                    "why": "a tenant or user that spends less today is one of the crowd and no driver",
                },
                "large_member_usd": {
                    "value": 0.1,
                    "unit": "USD a day",
                    "why": "the same where a usual day is small",
                },
                "new_version_days": {
                    "value": 3,
                    "unit": "days before today",
                    "why": "a prompt version first seen in them has a name of its own as a driver; after that its endpoint is named",
                },
                "settled_share": {
                    "value": 0.5,
                    "unit": "share of an endpoint's requests on a day",
                    "why": "a version that had as many for a day without standing out is known, and not what is wrong on a later one: a cache that was lost two days after a harmless deploy was called a deploy",
                },
                "smallest_growth": {
                    "value": 0.3,
                    "unit": "ratio",
                    "why": "all endpoints together shrink by no more: that is nobody's incident",
                },
                "largest_growth": {"value": 3, "unit": "ratio", "why": "the same upwards"},
                "smallest_retry_rate": {
                    "value": 0.05,
                    "unit": "calls of a request after the first",
                    "why": "tries after the first are few, so their number varies little, but not by nothing",
                },
                "dispersion_of_cache": {
                    "value": 0.4,
                    "unit": "dollars that arrive at once, as a share of those of a call",
                    "why": "how much of an input is cached varies less than how large it is: measured, 0.03 at the median endpoint of the benchmark, and 0.4 at the one with the largest calls",
                },
                "smallest_spread": {
                    "value": 0.04,
                    "unit": "share of what is expected",
                    "why": "endpoints are off by no less without any incident",
                },
                "largest_spread": {"value": 0.5, "unit": "share of what is expected", "why": "nor by more"},
                "unknown_spread": {
                    "value": 0.1,
                    "unit": "share of what is expected",
                    "why": "where no endpoint was expected",
                },
                "smallest_part_share": {
                    "value": 0.0005,
                    "unit": "share of the day's spend",
                    "why": "added to what a segment is expected to cost: a segment of nothing proves nothing",
                },
                "smallest_driver_share": {
                    "value": 0.005,
                    "unit": "share of the day's spend",
                    "why": "what moved less drives nothing that a rule would ask about",
                },
                "smallest_share_of_largest": {
                    "value": 0.3,
                    "unit": "share of the largest change of a single dimension",
                    "why": "a driver is one of the large changes of its effect",
                },
                "smallest_net_share_of_models": {
                    "value": 0.3,
                    "unit": "share of a model's gain that its segment gains over all models",
                    "why": "a move between models at equal dollars moves nothing; one between models of an endpoint that cost 1 and 2 gains half",
                },
                "smallest_net_share": {
                    "value": 0.3,
                    "unit": "share of a segment's gain that it costs more in all",
                    "why": "tokens that grew while their price fell moved nothing",
                },
                "score_per_dimension": {
                    "value": 0.9,
                    "unit": "factor",
                    "why": "a shorter description wins where a longer one says little more",
                },
                "smallest_score": {
                    "value": 1,
                    "unit": "log likelihood ratio less the logarithm of rivals",
                    "why": "below, chance among so many segments explains it as well",
                },
                "candidates": {"value": 30, "unit": "segments", "why": "of a day that are held against its signals"},
                "smallest_explained_share": {
                    "value": 0.5,
                    "unit": "share of a signal's excess",
                    "why": "a driver explains at least half of a series that stands out",
                },
                "listed_drivers": {"value": 5, "unit": "segments", "why": "of a round that are kept"},
                "second_problem_factor": {
                    "value": 1.15,
                    "unit": "factor of the least z",
                    "why": "after the first problem of a day, another one is less likely than noise that the first one stirred up",
                },
                "exposure_share": {
                    "value": 0.5,
                    "unit": "share of a driver's delta",
                    "why": "from half of it in calls without a price on, the model is unknown",
                },
                "leading_share": {
                    "value": 0.6,
                    "unit": "share of a driver's delta",
                    "why": "one user, tenant or new version that carries as much names the spike",
                },
                "leading_share_before": {
                    "value": 0.35,
                    "unit": "share of what was expected",
                    "why": "who always was most of it does not lead a rise of it",
                },
                "cache_share": {
                    "value": 0.6,
                    "unit": "share of a driver's token delta",
                    "why": "from there on the cache is the story, and not the size of prompts or answers",
                },
                "primary_share": {
                    "value": 0.6,
                    "unit": "share of the driver's delta",
                    "why": "a series that rose by less does not show the problem, if another does",
                },
                "equivalent_delta": {
                    "value": 0.15,
                    "unit": "share of the driver's delta",
                    "why": "descriptions whose dollars differ by no more are one driver",
                },
                "equivalent_score": {
                    "value": 0.3,
                    "unit": "share of the driver's score",
                    "why": "and whose evidence is not much weaker",
                },
                "drivers_of_a_problem": {"value": 3, "unit": "drivers", "why": "more are not read"},
                "quiet_days": {
                    "value": 3,
                    "unit": "complete days",
                    "why": "without a sign, after which an alert is over: a weekend and a day",
                },
                "level_shift_days": {
                    "value": 7,
                    "unit": "alerted days in a row",
                    "why": "after which the new level is the level: an alert of it ends, and it enters the past that later days are judged by",
                },
                "most_planned_days": {
                    "value": 21,
                    "unit": "days of a plan",
                    "why": "are left out of the past: a week of the usual four is left to compare with, and what is planned for longer is the new level",
                },
                "critical_z": {
                    "value": 5,
                    "unit": "standard deviations",
                    "why": "each of the eight incidents of the demo has more; its alert about nothing has 2.7",
                },
                "critical_min_usd_factor": {
                    "value": 4,
                    "unit": "times min_usd",
                    "why": "of the least that is worth a word nobody is called at night",
                },
                "arrived_share": {
                    "value": 0.9,
                    "unit": "share of an environment's calls of 28 days",
                    "why": "an hour counts when the senders of nine tenths are expected to be there: what a slow sender adds later raises the day, so nothing is alerted too early",
                },
                "open_z_factor": {
                    "value": 1.1,
                    "unit": "times the z from which a series is an alert alone",
                    "why": "of a day that is not over, asked for at every hour; in 6 worlds (21 large incidents, 11 quiet weeks) 1.1 finds .86 of them within six hours at .09 false alarms a week, 1 as many at .26, and 1.25 only .71",
                },
                "smallest_open_z": {
                    "value": 2.5,
                    "unit": "standard deviations",
                    "why": "the same where a whole day needs little",
                },
                "first_judged_hour": {
                    "value": 3,
                    "unit": "hours of a day",
                    "why": "a day of which an hour or two are over says little; in 6 worlds (21 large incidents, 11 quiet weeks) the third hour finds .43 of them within three hours, the sixth .33, at the same false alarms, and the first no more",
                },
                "smallest_hour_share": {
                    "value": 0.02,
                    "unit": "share of a day's cost",
                    "why": "added to shares of a day before they are compared: that a first call comes an hour late is a small error",
                },
                "timing_error_factor": {
                    "value": 1.15,
                    "unit": "factor",
                    "why": "four days of a weekday are nearer to their own median than the next one is: sqrt(4 / 3)",
                },
                "timing_error_of_members": {
                    "value": 0.25,
                    "unit": "logarithm",
                    "why": "tenants, users and models keep hours of their own, which are taken for those of the total",
                },
                "hourly_intensity_error": {
                    "value": 0.05,
                    "unit": "logarithm",
                    "why": "what a request costs in the morning differs from what it costs over a day",
                },
                "smallest_start_ratio": {
                    "value": 1.15,
                    "unit": "ratio to what is usual in an hour",
                    "why": "an hour that is up by less says nothing about when a problem began: min_ratio of the rules for cost",
                },
                "largest_start_ratio": {
                    "value": 2,
                    "unit": "ratio to what is usual in an hour",
                    "why": "an hour at twice the usual is part of it, however far the day rose: of a user with one call a day, the hour of that call has the same bar",
                },
                "focus_members": {
                    "value": 20,
                    "unit": "members",
                    "why": "of each dimension that a focused view lists",
                },
            }
        )
    }}
{% endmacro %}

{#- The value of one of them. -#}
{% macro alert_parameter(name) %}
    {%- set parameters = alert_parameters() -%}
    {%- if name not in parameters -%}
        {{
            exceptions.raise_compiler_error(
                "macros/alerts/parameters.sql has no `"
                ~ name
                ~ "`: use one of its names, or add it with unit and reason."
            )
        }}
    {%- endif -%}
    {{ return(parameters[name].value) }}
{% endmacro %}
