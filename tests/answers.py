"""What the questions of /work/shared/QUESTIONS.md have for answers, counted from the rows of the fact in pandas.

Each function gives what its file of docs/cookbook/ should, in another way: no SQL, no mart but `fct_attempts` (and, where a question
is about them, prices, owners and arrivals), and figures that are not rounded. The index names a row; it may be in another order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from demo.world import MODELS
from orchestration.settings import PROJECT

TEAM = PROJECT / "demo" / "team"

# The number of each question in the project's list -> the file of the cookbook that answers it.
QUESTIONS = {
    1: "tenants-this-month",
    2: "deploys-before-and-after",
    3: "ten-largest-users",
    4: "requests-above-a-dollar",
    5: "cache-savings",
    6: "request-cost-percentiles",
    7: "retry-cost-by-endpoint",
    8: "feature-of-a-tenant-in-staging",
    9: "weekday-pattern",
    10: "budgets-now",
    11: "provider-region-account",
    12: "cost-per-thousand-requests",
    13: "changed-since-last-week",
    14: "tenant-cohorts",
    15: "new-users-by-week",
    16: "model-shares-by-week",
    17: "hours-of-the-day",
    18: "failed-calls",
    19: "long-context",
    20: "spend-by-team",
    21: "another-model",
    22: "freshness",
    23: "unpriced-share",
    24: "batch-against-real-time",
    25: "chargeback",
}
COLUMNS = (
    "source, environment, data_mode, request_id, request_date, event_date, occurred_at, endpoint_tag, prompt_version, feature_tag, "
    "tenant_id, user_id, provider, model, status, error_code, processing, service_tier, is_first_try, is_last_try, pricing_status, "
    "input_tokens, output_tokens, cache_read_tokens, cached_input_tokens, web_searches, price_tier_from_tokens, region, "
    "billing_account_id, cost_usd, cached_input_cost_usd, cache_write_5m_cost_usd, cache_write_1h_cost_usd, "
    "text_output_cost_usd, reasoning_cost_usd, price_variant"
)
UNKNOWN = -1.0  # the cost of calls of which none has a price, until it becomes NULL
ANSWERS: dict[str, Callable[["World"], pd.DataFrame]] = {}


@dataclass(frozen=True)
class World:
    """The fact's rows, those of real production, the instant of the run, and the last day that was complete then."""

    every: pd.DataFrame
    calls: pd.DataFrame
    as_of: datetime
    last_day: date

    def last(self, days: int) -> pd.DataFrame:
        """The calls of the last complete days."""
        return self.calls[self.calls.event_date.between(self.last_day - timedelta(days=days - 1), self.last_day)]

    def are_over(self, mondays: pd.Index) -> list[bool]:
        """Whether the weeks that begin then have ended."""
        return [monday + timedelta(days=6) <= self.last_day for monday in mondays]

    def last_month(self) -> pd.DataFrame:
        """The calls of the month before the one of the last complete day, or of that one where the day is its last."""
        end = (self.last_day + timedelta(days=1)).replace(day=1) - timedelta(days=1)
        return self.calls[self.calls.event_date.between(end.replace(day=1), end)]

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


def unpriced(calls: pd.DataFrame) -> pd.Series:
    """1 for each call without a price: of a sum that leaves it out, this is counted next to it."""
    return (calls.pricing_status == "unpriced").astype(int)


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
        sides[name] = calls.groupby(["endpoint_tag", "model"]).cost_usd.sum(min_count=1).fillna(UNKNOWN)
    table = pd.DataFrame(sides).fillna(0).replace(UNKNOWN, float("nan"))  # 0 where there were no calls
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
    table = pd.DataFrame({"new_users": users, "first_week_usd": first.cost_usd.sum(), "cost_usd": costs})
    return table.assign(is_over=world.are_over(table.index))


@answers("model-shares-by-week")
def model_shares_by_week(world: World) -> pd.DataFrame:
    """16. Model shares by week."""
    calls = world.calls.assign(week_from=monday(world.calls.event_date))
    models = calls.groupby(["week_from", "provider", "model"])
    table = pd.DataFrame({"cost_usd": models.cost_usd.sum(min_count=1), "requests": models.is_first_try.sum()})
    weeks = table.groupby("week_from")
    table["share_of_cost"] = table.cost_usd / weeks.cost_usd.transform("sum")
    table["share_of_requests"] = table.requests / weeks.requests.transform("sum")
    table["is_over"] = world.are_over(table.index.get_level_values("week_from"))
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
    calls = world.last_month()
    calls = calls[(calls.model == "gpt-5.2") & (calls.pricing_status == "priced")]
    cached = calls.cached_input_tokens.sum()
    usd = (calls.input_tokens.sum() - cached) * 0.25 + cached * 0.025 + calls.output_tokens.sum() * 2
    usd += calls.web_searches.sum() * 10_000  # 10 USD per 1,000
    return pd.DataFrame({"calls": [len(calls)], "cost_usd": calls.cost_usd.sum(), "other_model_usd": usd / 1_000_000})


@answers("budgets-now")
def budgets_now(world: World) -> pd.DataFrame:
    """10. Where the month will end, by budget: the formula of docs/budgets.md."""
    rows = []
    for budget in pd.read_csv(TEAM / "budgets.csv").to_dict("records"):
        calls = world.every[
            world.every.environment.isin(budget["environments"].split()) & (world.every.data_mode == "real")
        ]
        for column in ("endpoint_tag", "feature_tag", "tenant_id", "user_id", "provider", "model"):
            if isinstance(budget[column], str):
                calls = calls[calls[column] == budget[column]]
        calls = calls.assign(at=calls.occurred_at.dt.tz_localize("UTC").dt.tz_convert(budget["time_zone"]))
        now = pd.Timestamp(world.as_of).tz_convert(budget["time_zone"])
        day = now.normalize()
        first = day.replace(day=1) if budget["period"] == "month" else day - pd.Timedelta(days=day.weekday())
        end = first + (pd.offsets.MonthBegin() if budget["period"] == "month" else pd.DateOffset(days=7))
        spent = calls[(calls["at"] >= first) & (calls["at"] < now)].cost_usd.sum()
        quarters = pd.date_range(first, end, freq="15min", inclusive="left")
        past = calls[(calls["at"] >= first - pd.DateOffset(days=28)) & (calls["at"] < first)]
        usual = _usual_by_quarter(past, first, quarters)
        so_far, whole = usual[quarters < now].sum(), usual.sum()
        here = calls[(calls["at"] >= first) & (calls["at"] < now)]
        weight = 0.1 * whole + 6 * max(_dispersion(past, first), _call_lump(here))
        projection = spent + (whole - so_far) * (spent + weight) / (so_far + weight)
        rows.append({"budget_id": budget["budget_id"], "spent_usd": spent, "projection_usd": projection})
    return pd.DataFrame(rows).set_index("budget_id")


def _days(past: pd.DataFrame, first: pd.Timestamp) -> pd.Series:
    """Cost of each of the 28 days before a period."""
    days = pd.Series(0.0, pd.date_range(first - pd.DateOffset(days=28), first, inclusive="left"))
    return days.add(past.groupby(past["at"].dt.normalize()).cost_usd.sum(), fill_value=0)


def _dispersion(past: pd.DataFrame, first: pd.Timestamp) -> float:
    """How far days are from the median of their weekday: squares by medians."""
    days = _days(past, first)
    medians = days.groupby(days.index.day_of_week).transform("median")
    return ((days - medians) ** 2).sum() / medians.sum()


def _call_lump(calls: pd.DataFrame) -> float:
    """The cost of a call in the quarter-hour of a typical dollar."""
    quarters = calls.groupby(calls["at"].dt.floor("15min")).cost_usd.agg(["sum", "size"])
    return (quarters["sum"] ** 2 / quarters["size"]).sum() / calls.cost_usd.sum() if len(calls) else 0.0


def _usual_by_quarter(past: pd.DataFrame, first: pd.Timestamp, quarters: pd.DatetimeIndex) -> pd.Series:
    """What is usual in each quarter-hour: the batches of most of the same weekdays; of the rest of the weekday's median day nine
    tenths by hour, and a tenth of the mean rest evenly."""
    days = _days(past, first)
    weekdays = days.groupby(days.index.day_of_week).median()
    past = past.assign(
        weekday=past["at"].dt.day_of_week,
        quarter=past["at"].dt.hour * 4 + past["at"].dt.minute // 15,
        day=past["at"].dt.date,
    )
    spent = past.groupby(["weekday", "quarter", "day"]).cost_usd.sum()
    third = spent.groupby(level=["weekday", "quarter"]).agg(
        lambda usd: usd.nlargest(3).iloc[2] if len(usd) > 2 else 0.0
    )
    most = third.groupby(level="weekday").transform("sum")
    regular = third * (third.index.get_level_values("weekday").map(weekdays) / most).fillna(0).clip(upper=1)
    rest = (weekdays - regular.groupby(level="weekday").sum()).clip(lower=0)
    over = (spent - regular.reindex(spent.index.droplevel("day")).to_numpy()).clip(lower=0)
    hours = over.groupby(spent.index.get_level_values("quarter") // 4).sum()
    at = pd.MultiIndex.from_arrays([quarters.day_of_week, quarters.hour * 4 + quarters.minute // 15])
    by_hour = pd.Series(quarters.hour).map(hours / hours.sum()).fillna(0).to_numpy() / 4
    spread = 0.9 * pd.Series(quarters.day_of_week).map(rest).to_numpy() * by_hour + 0.1 * rest.mean() / 96
    return pd.Series(regular.reindex(at).fillna(0).to_numpy() + spread)


@answers("long-context")
def long_context(world: World) -> pd.DataFrame:
    """19. What long-context prices cost beyond the standard rate: twice the input, half as much again for the output."""
    calls = world.calls[world.calls.price_tier_from_tokens > 0]
    output = calls.text_output_cost_usd + calls.reasoning_cost_usd
    premium = (calls.cost_usd - output) * (1 - 1 / 2) + output * (1 - 1 / 1.5)
    return premium.groupby([calls.provider, calls.model, calls.endpoint_tag]).sum().rename("premium_usd").to_frame()


@answers("freshness")
def freshness(world: World) -> pd.DataFrame:
    """22. Is the data fresh, by source, and what is still on its way."""
    calls = world.every[
        (world.every.data_mode == "real") & (world.every.occurred_at <= world.as_of.replace(tzinfo=None))
    ]
    last = calls.groupby(["source", "environment"]).occurred_at.max().rename("last_event_at").reset_index()
    since = (world.as_of.replace(tzinfo=None) - last.last_event_at).dt.total_seconds() / 3600
    usual = [_usual_calls(calls, world.as_of, *sender) for sender in zip(last.source, last.environment, strict=True)]
    table = pd.concat([last.assign(hours_since_last_event=since), pd.DataFrame(usual)], axis="columns")
    return table.set_index(["source", "environment", "last_event_at"])


def _usual_calls(calls: pd.DataFrame, as_of: datetime, source: str, environment: str) -> dict[str, float]:
    """Counted in the whole weeks before the last call, at most four: calls in an hour, and in the hours since, which may yet arrive.

    The demo's files cover a day each, and a day is allowed six hours more: after 30 hours what is not there is missing.
    """
    hours = calls[(calls.source == source) & (calls.environment == environment)].occurred_at.dt.floor("h")
    last, week = hours.max(), pd.Timedelta(weeks=1)
    weeks = min((last + pd.Timedelta(hours=1) - hours.min()) // week, 4)
    usual = hours[hours > last - weeks * week]
    since = pd.date_range(last, pd.Timestamp(as_of).tz_localize(None), freq="h", inclusive="neither")
    assert len(since) < 30, "nothing is missing yet"
    expected = sum(usual.isin([hour - number * week for number in range(1, weeks + 1)]).sum() for hour in since) / weeks
    return {"usual_calls_per_hour": len(usual) / weeks / 168, "calls_on_their_way": expected, "missing_calls": 0}


@answers("batch-against-real-time")
def batch_against_real_time(world: World) -> pd.DataFrame:
    """24. Batch against real time: calls, cost, what batch saved. A batch price is half; where none is known, it saved nothing."""
    calls = world.last(28)
    processed = (calls.processing == "batch").map({True: "batch", False: "real time"}).rename("processed")
    saved = calls.cost_usd.where(calls.price_variant.fillna("").str.contains("processing=batch"), 0)
    table = pd.DataFrame(
        {"calls": calls.groupby(processed).size(), "cost_usd": calls.groupby(processed).cost_usd.sum()}
    )
    return table.assign(batch_saved_usd=saved.where(calls.pricing_status == "priced").groupby(processed).sum())


def owner_of(calls: pd.DataFrame) -> pd.Series:
    """The team of each call's endpoint, from the file of the demo's company."""
    owners = pd.read_csv(TEAM / "endpoint_owners.csv").set_index("endpoint_tag").owner
    return calls.endpoint_tag.map(owners).fillna("(unattributed)").rename("owner")


@answers("cache-savings")
def cache_savings(world: World) -> pd.DataFrame:
    """5. What caching saved by endpoint, and what cache writes cost on top: by the ratios of the list prices.

    A read costs `cached_rate` where the same tokens would have cost `input_rate`; a write costs 1.25 times that, or twice for an hour.
    """
    calls = world.last(28)
    ratio = calls.model.map({model.name: model.input_rate / model.cached_rate for model in MODELS})
    premium = calls.cache_write_5m_cost_usd * 0.2 + calls.cache_write_1h_cost_usd * 0.5
    figures = pd.DataFrame(
        {
            "saved_by_reads_usd": (calls.cached_input_cost_usd * (ratio - 1)).where(calls.pricing_status == "priced"),
            "premium_for_writes_usd": premium.where(calls.pricing_status == "priced"),
            "cost_usd": calls.cost_usd,
            "cache_read_tokens": calls.cache_read_tokens,
        }
    )
    table = figures.groupby(calls.endpoint_tag).sum()
    table = table[table.pop("cache_read_tokens") > 0]
    return table.assign(saved_usd=table.saved_by_reads_usd - table.premium_for_writes_usd)


@answers("feature-of-a-tenant-in-staging")
def feature_of_a_tenant_in_staging(world: World) -> pd.DataFrame:
    """8. Feature X for tenant Y in staging, by week."""
    calls = world.every[(world.every.environment == "staging") & (world.every.data_mode == "real")]
    calls = calls[(calls.feature_tag == "assistant") & (calls.tenant_id == "acme")]
    weeks = calls.groupby(monday(calls.event_date).rename("week_from"))
    table = pd.DataFrame({"requests": weeks.is_first_try.sum(), "cost_usd": weeks.cost_usd.sum(min_count=1)})
    return table.assign(is_over=world.are_over(table.index))


@answers("provider-region-account")
def provider_region_account(world: World) -> pd.DataFrame:
    """11. Spend by provider, region and billing account."""
    calls = world.calls[world.calls.event_date.between(world.last_day.replace(day=1), world.last_day)]
    accounts = calls.fillna({"region": "(unattributed)"}).groupby(["provider", "region", "billing_account_id"])
    return pd.DataFrame({"attempts": accounts.size(), "cost_usd": accounts.cost_usd.sum(min_count=1)})


@answers("spend-by-team")
def spend_by_team(world: World) -> pd.DataFrame:
    """20. Spend by owning team, with what nobody owns."""
    calls = world.last(28)
    teams = calls.groupby(owner_of(calls))
    table = pd.DataFrame({"endpoints": teams.endpoint_tag.nunique(), "cost_usd": teams.cost_usd.sum()})
    return table.assign(share=table.cost_usd / table.cost_usd.sum())


@answers("unpriced-share")
def unpriced_share(world: World) -> pd.DataFrame:
    """23. Share of unpriced calls; what they may have cost is an estimate of the product's own."""
    calls = world.calls.assign(month=world.calls.event_date.map(lambda day: f"{day:%Y-%m}"))
    with_usage = calls[calls.pricing_status != "no_usage"]
    months = with_usage.groupby("month")
    table = pd.DataFrame({"calls_with_usage": months.size(), "cost_usd": months.cost_usd.sum()})
    table["unpriced"] = unpriced(with_usage).groupby(with_usage.month).sum()
    table["complete_days"] = calls[calls.event_date <= world.last_day].groupby("month").event_date.nunique()
    return table.assign(unpriced_share=table.unpriced / table.calls_with_usage)


@answers("chargeback")
def chargeback(world: World) -> pd.DataFrame:
    """25. A chargeback for a month: tenant by team, summing to the month's total."""
    calls = world.last_month()
    parts = calls.groupby(["tenant_id", owner_of(calls)]).cost_usd.sum(min_count=1)
    parts["(all)", "(all)"] = calls.cost_usd.sum()
    return parts.to_frame()


def world_of(every: pd.DataFrame, as_of: datetime) -> World:
    """The world of the fact's rows; dates as dates, so that they compare with those of SQL. A day is complete six hours after its end."""
    for column in ("event_date", "request_date"):
        every[column] = every[column].dt.date
    calls = every[(every.environment == "prod") & (every.data_mode == "real")].reset_index(drop=True)
    return World(every, calls, as_of, (as_of - timedelta(hours=6)).date() - timedelta(days=1))
