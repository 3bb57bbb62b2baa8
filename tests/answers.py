"""What the questions of /work/shared/QUESTIONS.md have for answers, counted from the rows of the fact in pandas.

Each function gives what its file of docs/cookbook/ should, in another way: no SQL, no mart but `fct_attempts` (and, where a question
is about them, prices, owners and arrivals), and figures that are not rounded. The index names a row; it may be in another order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

# The number of each question in the project's list -> the file of the cookbook that answers it.
QUESTIONS = {
    1: "tenants-this-month",
    2: "deploys-before-and-after",
    3: "ten-largest-users",
    4: "requests-above-a-dollar",
    6: "request-cost-percentiles",
    7: "retry-cost-by-endpoint",
    9: "weekday-pattern",
    12: "cost-per-thousand-requests",
    13: "changed-since-last-week",
    14: "tenant-cohorts",
    15: "new-users-by-week",
    16: "model-shares-by-week",
    17: "hours-of-the-day",
    18: "failed-calls",
    21: "another-model",
}
COLUMNS = (
    "source, environment, data_mode, request_id, request_date, event_date, occurred_at, endpoint_tag, prompt_version, feature_tag, "
    "tenant_id, user_id, provider, model, status, error_code, processing, service_tier, is_first_try, is_last_try, pricing_status, "
    "input_tokens, output_tokens, cached_input_tokens, web_searches, price_tier_from_tokens, cost_usd"
)
ANSWERS: dict[str, Callable[["World"], pd.DataFrame]] = {}


@dataclass(frozen=True)
class World:
    """Real production calls, one row each, and the last day of which all are expected."""

    calls: pd.DataFrame
    last_day: date

    def last(self, days: int) -> pd.DataFrame:
        """The calls of the last complete days."""
        return self.calls[self.calls.event_date.between(self.last_day - timedelta(days=days - 1), self.last_day)]

    @property
    def requests(self) -> pd.DataFrame:
        """One row per logical request: dated by its first try, attributed like its last."""
        calls = self.calls
        key = ["source", "request_id", "request_date"]
        tries = calls.groupby(key)
        sums = tries[["cost_usd", "input_tokens", "output_tokens"]].sum(min_count=1)
        sums["attempts"] = tries.size()
        sums["price_tier"] = tries.price_tier_from_tokens.max()
        retries = calls[~calls.is_last_try].groupby(key).cost_usd.sum(min_count=1)
        sums["retry_cost_usd"] = retries.reindex(sums.index).where(sums.attempts > 1, 0.0)
        last = calls[calls.is_last_try].set_index(key)[["endpoint_tag", "tenant_id", "model"]]
        return last.join(sums).reset_index().rename(columns={"request_date": "event_date"})


def answers(name: str) -> Callable:
    """Registers what a question should give."""

    def register(function: Callable[[World], pd.DataFrame]) -> Callable:
        ANSWERS[name] = function
        return function

    return register


def monday(dates: pd.Series) -> pd.Series:
    """The first day of each date's ISO week."""
    return dates.map(lambda day: day - timedelta(days=day.weekday()))


@answers("tenants-this-month")
def tenants_this_month(world: World) -> pd.DataFrame:
    """1. Spend by tenant, this month against the same days of last month."""
    calls, day = world.calls, world.last_day
    before = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
    of_days = calls[calls.event_date.map(lambda each: each.day <= day.day)]
    months = of_days.groupby(["tenant_id", of_days.event_date.map(lambda each: each.replace(day=1))]).cost_usd.sum()
    table = months.unstack()
    table = pd.DataFrame({"this_month_usd": table[day.replace(day=1)], "last_month_usd": table[before]})
    return table.dropna(how="all")


@answers("deploys-before-and-after")
def deploys(world: World) -> pd.DataFrame:
    """2. Cost per successful request by prompt version, the week before and after each deploy."""
    calls = world.calls[
        (world.calls.endpoint_tag != "(unattributed)") & (world.calls.prompt_version != "(unattributed)")
    ]
    calls = calls.assign(succeeded=calls.is_last_try & (calls.status == "success"))
    days = (
        calls.groupby(["endpoint_tag", "prompt_version", "event_date"])[["cost_usd", "succeeded"]].sum().reset_index()
    )
    first = days.groupby(["endpoint_tag", "prompt_version"]).event_date.min().reset_index()
    rows = []
    for endpoint, versions in first.sort_values(["event_date", "prompt_version"]).groupby("endpoint_tag"):
        for (_, old), (_, new) in zip(versions.iloc[:-1].iterrows(), versions.iloc[1:].iterrows(), strict=True):
            row = {"deployed": new.event_date, "endpoint_tag": endpoint}
            row |= {"old_version": old.prompt_version, "new_version": new.prompt_version}
            for side, version, since in (("before", old, -7), ("after", new, 0)):
                start = new.event_date + timedelta(days=since)
                week = days[days.event_date.between(start, start + timedelta(days=6))]
                week = week[(week.endpoint_tag == endpoint) & (week.prompt_version == version.prompt_version)]
                row[f"requests_{side}"] = week.succeeded.sum()
                row[f"usd_{side}"] = week.cost_usd.sum() / week.succeeded.sum()
            rows.append(row)
    return pd.DataFrame(rows).set_index(["deployed", "endpoint_tag", "old_version", "new_version"])


@answers("ten-largest-users")
def ten_largest_users(world: World) -> pd.DataFrame:
    """3. The share of the ten largest users."""
    calls = world.last(28)
    users = calls.groupby(["tenant_id", "user_id"]).cost_usd.sum().reset_index()
    users["share"] = users.cost_usd / calls.cost_usd.sum()
    users = users[users.user_id != "(unattributed)"].sort_values(["cost_usd", "user_id"], ascending=[False, True])[:10]
    return users.assign(share_so_far=users.share.cumsum()).set_index(["tenant_id", "user_id"])


@answers("requests-above-a-dollar")
def requests_above_a_dollar(world: World) -> pd.DataFrame:
    """4. Requests above 1 USD, with what made them so."""
    found = world.requests[world.requests.cost_usd > 1].rename(columns={"price_tier": "priced_for_inputs_from"})
    figures = ["cost_usd", "attempts", "retry_cost_usd", "input_tokens", "output_tokens", "priced_for_inputs_from"]
    return found.set_index(["event_date", "request_id", "endpoint_tag", "tenant_id", "model"])[figures]


@answers("request-cost-percentiles")
def request_cost_percentiles(world: World) -> pd.DataFrame:
    """6. The 95th percentile of a request's cost by endpoint."""
    requests = world.requests
    start = world.last_day - timedelta(days=27)
    costs = requests[requests.event_date.between(start, world.last_day)].groupby("endpoint_tag").cost_usd
    return pd.DataFrame(
        {"priced_requests": costs.count(), "p50_usd": costs.quantile(0.5), "p95_usd": costs.quantile(0.95)}
    )


@answers("retry-cost-by-endpoint")
def retry_cost(world: World) -> pd.DataFrame:
    """7. What retries cost by endpoint, zero where there were none: unknown only where no price of any retry is known."""
    calls = world.last(14)
    retries = calls[~calls.is_last_try].groupby("endpoint_tag")
    table = pd.DataFrame({"requests": calls[calls.is_first_try].groupby("endpoint_tag").size()})
    table["retry_cost_usd"] = retries.cost_usd.sum()
    return table.fillna(0)


@answers("weekday-pattern")
def weekday_pattern(world: World) -> pd.DataFrame:
    """9. The usual weekday pattern by endpoint."""
    calls = world.last(56)
    days = calls.groupby(["endpoint_tag", "event_date"]).cost_usd.sum(min_count=1).reset_index()
    days["weekday"] = days.event_date.map(lambda day: f"{day:%A}".lower())
    return days.groupby(["endpoint_tag", "weekday"]).cost_usd.median().unstack()


@answers("cost-per-thousand-requests")
def cost_per_thousand_requests(world: World) -> pd.DataFrame:
    """12. Cost per thousand requests by week, since the beginning."""
    weeks = world.calls.groupby(monday(world.calls.event_date).rename("week_from"))
    table = pd.DataFrame({"requests": weeks.is_first_try.sum(), "cost_usd": weeks.cost_usd.sum()})
    return table.assign(usd_per_1000_requests=table.cost_usd / table.requests * 1000)


@answers("changed-since-last-week")
def changed_since_last_week(world: World) -> pd.DataFrame:
    """13. What changed since the last complete day, against the same weekday before."""
    sides = {}
    for name, day in (("cost_usd", world.last_day), ("cost_before_usd", world.last_day - timedelta(days=7))):
        calls = world.calls[world.calls.event_date == day]
        sides[name] = calls.groupby(["endpoint_tag", "model"]).cost_usd.sum()
    table = pd.DataFrame(sides).fillna(0)
    return table.assign(change_usd=table.cost_usd - table.cost_before_usd)


@answers("tenant-cohorts")
def tenant_cohorts(world: World) -> pd.DataFrame:
    """14. Cohorts of tenants by first month: spend in each month after."""
    calls = world.calls[world.calls.tenant_id != "(unattributed)"]
    month = pd.PeriodIndex(pd.to_datetime(calls.event_date), freq="M").astype("int64")
    calls = calls.assign(month=month)
    calls["joined"] = calls.groupby("tenant_id").month.transform("min")
    calls["months_later"] = calls.month - calls.joined
    calls["first_month"] = calls.joined.map(lambda number: str(pd.Period(ordinal=number, freq="M")))
    cohorts = calls.groupby(["first_month", "months_later"])
    return pd.DataFrame({"tenants": cohorts.tenant_id.nunique(), "cost_usd": cohorts.cost_usd.sum()})


@answers("new-users-by-week")
def new_users_by_week(world: World) -> pd.DataFrame:
    """15. New users by week and what they cost."""
    calls = world.calls[world.calls.user_id != "(unattributed)"].assign(week=lambda calls: monday(calls.event_date))
    calls["week_from"] = calls.groupby(["tenant_id", "user_id"]).week.transform("min")
    first = calls[calls.week == calls.week_from].groupby("week_from")
    users = calls.drop_duplicates(["tenant_id", "user_id"]).groupby("week_from").size()
    costs = calls.groupby("week_from").cost_usd.sum()
    return pd.DataFrame({"new_users": users, "first_week_usd": first.cost_usd.sum(), "cost_usd": costs})


@answers("model-shares-by-week")
def model_shares_by_week(world: World) -> pd.DataFrame:
    """16. Model shares by week."""
    calls = world.calls.assign(week_from=monday(world.calls.event_date))
    models = calls.groupby(["week_from", "provider", "model"])
    table = pd.DataFrame({"cost_usd": models.cost_usd.sum(min_count=1), "requests": models.is_first_try.sum()})
    weeks = table.groupby("week_from")
    table["share_of_cost"] = table.cost_usd / weeks.cost_usd.transform("sum")
    table["share_of_requests"] = table.requests / weeks.requests.transform("sum")
    return table.drop(columns="requests")


@answers("hours-of-the-day")
def hours_of_the_day(world: World) -> pd.DataFrame:
    """17. Cost by hour of the day in the reader's time zone."""
    calls = world.last(28)
    hours = pd.to_datetime(calls.occurred_at, utc=True).dt.tz_convert("Europe/Berlin").dt.hour.rename("local_hour")
    grouped = calls.groupby(hours)
    return pd.DataFrame(
        {"requests_per_day": grouped.is_first_try.sum() / 28, "usd_per_day": grouped.cost_usd.sum() / 28}
    )


@answers("failed-calls")
def failed_calls(world: World) -> pd.DataFrame:
    """18. What failed calls cost, by error code."""
    failed = world.last(28)
    failed = failed[failed.status == "error"].groupby("error_code")
    return pd.DataFrame({"failed_calls": failed.size(), "cost_usd": failed.cost_usd.sum(min_count=1)})


@answers("another-model")
def another_model(world: World) -> pd.DataFrame:
    """21. What last month would have cost if one model had been another: at gpt-5-mini's list prices, USD per million tokens."""
    calls, last = world.calls, world.last_day.replace(day=1) - timedelta(days=1)
    calls = calls[calls.event_date.between(last.replace(day=1), last)]
    calls = calls[(calls.model == "gpt-5.2") & (calls.pricing_status == "priced")]
    cached = calls.cached_input_tokens.sum()
    usd = (calls.input_tokens.sum() - cached) * 0.25 + cached * 0.025 + calls.output_tokens.sum() * 2
    usd += calls.web_searches.sum() * 10_000  # 10 USD per 1,000
    return pd.DataFrame({"calls": [len(calls)], "cost_usd": calls.cost_usd.sum(), "other_model_usd": usd / 1_000_000})


def world_of(calls: pd.DataFrame, last_day: date) -> World:
    """Real production calls of the fact's rows; dates as dates, so that they compare with those of SQL."""
    for column in ("event_date", "request_date"):
        calls[column] = calls[column].dt.date
    return World(calls[(calls.environment == "prod") & (calls.data_mode == "real")].reset_index(drop=True), last_day)
