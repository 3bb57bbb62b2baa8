"""The bill next to our number: what each cause alone is called, and that the parts are the difference to the last digit."""

import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from benchmarks.reconciliation.world import BUCKETS, PRICES, Account, Call, Line, Report, World, usd, world_at

OCTOBER = [date(2026, 10, 1) + timedelta(days=day) for day in range(31)]
ZERO = Decimal(0)
INPUT, OUTPUT = PRICES["alpha"]["input"], PRICES["alpha"]["output"]


@dataclass
class Month:
    """A simulated October of one vendor account: what happened, what we captured of it, and what is billed."""

    vendor: str
    seed: int = 1
    happened: list[Call] = field(default_factory=list)
    captured: list[Call] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    injected: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    rates: dict[str, Decimal] = field(default_factory=dict)  # by model: the factor of what the vendor takes
    clock: timedelta = timedelta(0)
    has_quantities: bool = True

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        for day in OCTOBER:
            for model in ("alpha", "beta"):
                for hour in (3, 9, 15, 21):
                    tokens = {"input": chance.randint(50_000, 900_000), "output": chance.randint(10_000, 200_000)}
                    at = datetime.combine(day, datetime.min.time()) + timedelta(
                        hours=hour, minutes=chance.randint(0, 59)
                    )
                    self.happened.append(
                        Call(str(at), model, tokens, model, self.vendor, tenant=chance.choice(["acme", "bolt", "core"]),
                             request=f"{self.vendor} {at} {model}")
                    )  # fmt: skip
        self.captured = list(self.happened)

    def bill(self) -> None:
        """A line for each day, model and token kind of what happened, by the vendor's clock and at its prices."""
        sums: defaultdict[tuple[date, str, str], int] = defaultdict(int)
        for call in self.happened:
            for leaf, count in call.tokens.items():
                sums[((datetime.fromisoformat(call.at) + self.clock).date(), call.model, leaf)] += count
        for (day, model, leaf), quantity in sorted(sums.items()):
            if day.month == 10:
                price = price_of(model)[leaf] * self.rates.get(model, Decimal(1))
                self.lines.append(self.line(usd(quantity, price), day, model, leaf, quantity))

    def line(self, amount: Decimal, day: date | None = None, model: str | None = None, leaf: str | None = None,
             quantity: int | None = None, **fields: object) -> Line:  # fmt: skip
        """A line of its bill."""
        return Line(amount, str(day) if day else None, model=model, leaf=leaf, vendor=self.vendor,
                    quantity=quantity if self.has_quantities else None, **fields)  # fmt: skip


UNKNOWN_PRICE = {"input": Decimal("0.000002"), "output": Decimal("0.000008")}


def price_of(model: str) -> dict[str, Decimal]:
    return PRICES.get(model, UNKNOWN_PRICE)


def cost(call: Call) -> Decimal:
    return sum((usd(count, price_of(call.model)[leaf]) for leaf, count in call.tokens.items()), ZERO)


def whole_month(line_type: str, amount: str):
    """A cause: one line of the bill for the whole month."""

    def cause(month: Month) -> None:
        month.lines.append(month.line(Decimal(amount), line_type=line_type))
        month.injected[line_type] += Decimal(amount)

    return cause


def prior_period(month: Month) -> None:
    month.lines.append(month.line(Decimal("-41.5"), date(2026, 9, 12), "alpha", "input", charge_class="Correction"))
    month.injected["prior_period"] += Decimal("-41.5")


def currency(month: Month) -> None:
    """Each line is worth 2 % more at the agreed rate than at the vendor's."""
    for at, line in enumerate(month.lines):
        if line.line_type == "usage" and line.seed_usd is None and line.day:
            agreed = (line.usd * Decimal("1.02")).quantize(Decimal("0.000000000001"))
            month.lines[at] = replace(line, seed_usd=agreed, currency="EUR")
            month.injected["currency"] += agreed - line.usd


def timing(month: Month) -> None:
    """Long calls before midnight: the vendor counts them when they end."""
    late = [
        replace(call, at=call.at[:11] + "23:58:00", request=f"late {call.request}") for call in month.captured[::16]
    ]
    late.append(replace(late[0], at="2026-10-31 23:58:00", request="late of all"))
    month.happened += late
    month.captured += late
    month.clock = timedelta(minutes=5)
    month.injected["timing"] -= sum((cost(call) for call in month.captured if call.at[8:] > "31 23:55"), ZERO)


def billed_twice(month: Month) -> None:
    for line in [line for line in month.lines if line.line_type == "usage" and line.occurrence == 1][::9]:
        month.lines.append(replace(line, occurrence=2))
        month.injected["billed_twice"] += line.usd


def unpriced(month: Month) -> None:
    new = [replace(call, model="newcomer", price=None, request=f"new {call.request}") for call in month.happened[::5]]
    month.happened += new
    month.captured += new
    month.injected["unpriced"] += sum((cost(call) for call in new), ZERO)


def failed(month: Month) -> None:
    """A failed attempt is billed like the one that follows; we see no usage of it."""
    for call in month.captured[::7]:
        lost = {"input": call.tokens["input"]}
        month.happened.append(replace(call, tokens=lost))
        month.captured.append(replace(call, tokens={}, status="error"))
        month.injected["failed"] += usd(lost["input"], price_of(call.model)["input"])


def estimated(month: Month) -> None:
    """Estimates that are a fifth too low."""
    for at, call in enumerate(month.captured):
        if at % 6 == 0 and call.tokens and call.price:
            low = {leaf: count * 4 // 5 for leaf, count in call.tokens.items()}
            month.captured[at] = replace(call, tokens=low, usage_source="estimate")
            month.injected["estimated"] += cost(call) - cost(month.captured[at])


def uncaptured(month: Month) -> None:
    lost = month.captured[3::11]
    month.captured = [call for call in month.captured if call not in lost]
    month.injected["uncaptured"] += sum((cost(call) for call in lost), ZERO)


def unbilled(month: Month) -> None:
    free = month.happened[4::13]
    month.happened = [call for call in month.happened if call not in free]
    month.injected["unbilled"] -= sum((cost(call) for call in free), ZERO)


def rate(month: Month) -> None:
    month.rates["beta"] = Decimal("1.25")
    # at what is billed, whatever we captured
    month.injected["rate"] += sum((cost(call) for call in month.happened if call.model == "beta"), ZERO) / 4


# Before the bill is written, and after.
BEFORE = {
    "timing": timing, "unpriced": unpriced, "failed": failed, "estimated": estimated, "uncaptured": uncaptured,
    "unbilled": unbilled, "rate": rate,
}  # fmt: skip
AFTER = {
    "tax": whole_month("tax", "190"), "fee": whole_month("fee", "200"), "credit": whole_month("credit", "-75.25"),
    "discount": whole_month("discount", "-33.1"), "prior_period": prior_period, "billed_twice": billed_twice,
    "rounding": whole_month("rounding", "-0.004"), "currency": currency,
}  # fmt: skip
ALL = ("unbilled", "uncaptured", "failed", "estimated", "unpriced", "timing", "rate", *AFTER)


def month_with(vendor: str, *causes: str, seed: int = 1) -> Month:
    """A month with causes of a difference."""
    month = Month(vendor, seed)
    for cause in causes:
        if cause in BEFORE:
            BEFORE[cause](month)
    month.bill()
    for cause in causes:
        if cause in AFTER:
            AFTER[cause](month)
    return month


def cost_only(vendor: str) -> Month:
    """A vendor that bills amounts only, a twentieth too much."""
    month = Month(vendor)
    month.has_quantities = False
    month.rates = {"alpha": Decimal("1.05"), "beta": Decimal("1.05")}
    month.bill()
    month.injected["unexplained"] += sum((cost(call) for call in month.captured), ZERO) / 20
    return month


@pytest.fixture(scope="module")
def months() -> dict[str, Month]:
    alone = {cause: month_with(cause, cause) for cause in (*BEFORE, *AFTER)}
    together = {f"all {seed}": month_with(f"all {seed}", *ALL, seed=seed) for seed in (1, 2)}
    return alone | together | {"unexplained": cost_only("unexplained")}


def call(vendor: str, at: str = "2026-10-05 12:00:00", **fields: object) -> Call:
    """A call of 1000 tokens in and 100 out: 0.003 and 0.0015 USD."""
    return Call(at, provider=vendor, **fields)


def line(vendor: str, amount: str | None, day: str | None = "2026-10-05", **fields: object) -> Line:
    """A line of a small case."""
    return Line(Decimal(amount or 0), day, vendor=vendor, is_without_rate=amount is None, **fields)


def small_cases() -> tuple[list[Call], list[Line], list[Report], list[Account]]:
    """One vendor for each question; a bill that is right unless its case says otherwise."""
    calls = [
        call("modes", data_mode="test", environment="staging"),
        call("modes", data_mode="demo"),
        call("reasons", tokens={"input": 1000, "output": 60, "reasoning": 40}),
        call("report"),
        call("coarse"), call("coarse", model="beta", price="beta"), call("coarse", "2026-10-06 12:00:00"),
        call("monthly"), call("monthly", "2026-10-29 12:00:00"),
        call("batches"), call("batches", processing="batch"),
        call("accounts", account="acme-eu"), call("accounts", account="acme-us"), call("accounts"),
        call("listed"), call("agreed", price="agreed"),
        call("prepaid"),
        call("two rates"), call("two rates", price="agreed"),
        call("no rate"),
        call("waiting"), call("waiting", "2026-10-09 12:00:00"), call("waiting", "2026-11-19 12:00:00"),
        call("never", "2026-11-02 12:00:00"),
        call("requests", generation="equal"), call("requests", generation="dearer"), call("requests", generation="free"),
        call("requests", generation="no price", model="newcomer", price=None, tenant="bolt"),
        call("requests", "2026-10-05 23:59:59", generation="after midnight"),
        call("requests", generation="it failed", tokens={}, status="error"),
        call("billed failures", "2026-10-05 11:00:00", request="r", tokens={}, status="error"), call("billed failures", request="r"),
        call("free failures", status="error"), call("free failures"),
        call("failures as agreed", "2026-10-05 11:00:00", request="s", tokens={}, status="error"),
        call("failures as agreed", request="s"),
        call("free of charge", price="free"), call("no bill", model="newcomer", price=None), call("no bill", "2026-10-06 12:00:00"),
        call("some rates"), call("some rates", model="beta", price="beta"),
        call("sources"),
    ]  # fmt: skip
    right = [("input", "0.003", 1000), ("output", "0.0015", 100)]
    lines = [
        line(vendor, amount, leaf=leaf, quantity=count)
        for vendor in ("modes", "reasons", "two rates") for leaf, amount, count in right
        for _ in range(2 if vendor == "two rates" else 1)
    ]  # fmt: skip
    lines += [
        line("report", "0.0036", leaf="input"), line("report", "0.0015", leaf="output"),
        line("coarse", "0.0048", model=None, leaf=None), line("coarse", "0.005", "2026-10-06", model=None, leaf=None),
        line("coarse", "0.7", "2026-10-08", model=None, leaf=None),
        line("monthly", "0.006", None, quantity=2000), line("monthly", "0.003", None, leaf="output", quantity=200),
        line("batches", "0.003", quantity=1000), line("batches", "0.0015", leaf="output", quantity=100),
        line("batches", "0.0015", processing="batch", quantity=1000),
        line("batches", "0.00075", leaf="output", processing="batch", quantity=100),
        line("accounts", "0.003", account="acme-eu", quantity=1000), line("accounts", "0.003", account="acme-us", quantity=1000),
        line("accounts", "0.0015", account="acme-eu", leaf="output", quantity=100),
        line("accounts", "0.0015", account="acme-us", leaf="output", quantity=100),
        line("listed", "0.0027", quantity=1000, list_usd=Decimal("0.003")),
        line("listed", "0.0015", leaf="output", quantity=100, list_usd=Decimal("0.0015")),
        line("agreed", "0.0015", quantity=1000, list_usd=Decimal("0.003")),
        line("agreed", "0.00075", leaf="output", quantity=100, list_usd=Decimal("0.0015")),
        line("prepaid", "0", quantity=1000, effective_usd=Decimal("0.003")),
        line("prepaid", "0", leaf="output", quantity=100, effective_usd=Decimal("0.0015")),
        line("prepaid", "100", None, model=None, leaf=None, line_type="fee"),
        line("no rate", None, quantity=1000, currency="EUR"),
        line("waiting", "0.003", quantity=1000), line("waiting", "0.0015", leaf="output", quantity=100),
        line("requests", "0.0045", leaf=None, request_id="equal"), line("requests", "0.0055", leaf=None, request_id="dearer"),
        line("requests", "0.02", leaf=None, request_id="no price", model="newcomer"),
        line("requests", "0.0045", "2026-10-06", leaf=None, request_id="after midnight"),
        line("requests", "0.003", leaf=None, request_id="it failed"), line("requests", "0.4", leaf=None, request_id="not ours"),
        line("billed failures", "0.006", quantity=2000), line("billed failures", "0.0015", leaf="output", quantity=100),
        line("free failures", "0.003", quantity=1000), line("free failures", "0.0015", leaf="output", quantity=100),
        # what the failed attempt asked is not on the bill, although it was agreed upon
        line("failures as agreed", "0.003", quantity=1000), line("failures as agreed", "0.0015", leaf="output", quantity=100),
        line("free of charge", "0", "2026-10-06", quantity=0),
        line("no bill", "0.003", "2026-10-06", quantity=1000), line("no bill", "0.0015", "2026-10-06", leaf="output", quantity=100),
        line("some rates", "0.003", quantity=1000), line("some rates", None, quantity=1000, currency="EUR"),
        line("some rates", "0.0015", leaf="output", quantity=100),
        line("some rates", None, model="beta", quantity=1000, currency="EUR"),
        line("some rates", "0.000125", model="beta", leaf="output", quantity=100),
        line("sources", "0.006", quantity=2000), line("sources", "0.0015", leaf="output", quantity=100),
        line("sources", "3", model="stranger", quantity=1000), line("sources", "2", model="alpha", leaf="search_units", quantity=5),
    ]  # fmt: skip
    reports = [Report("2026-10-05", 1000, vendor="report"), Report("2026-10-05", 100, leaf="output", vendor="report")]
    names = sorted({each.provider for each in calls} - {"accounts"})
    accounts = [Account(name, "main", name) for name in names]
    accounts += [Account("accounts", name, "accounts", billing_account_ids=name) for name in ("acme-eu", "acme-us")]
    return calls, lines, reports, accounts


@pytest.fixture(scope="module")
def world(tmp_path_factory, months) -> World:
    """Every month in an account of its own, and the small cases below."""
    world = world_at(tmp_path_factory.mktemp("reconciliation") / "data")
    world.accounts = [
        Account(name, "main", name, vendor_clock="end" if month.clock else "start", clock_delay_minutes=5 if month.clock else 0)
        for name, month in months.items()
    ]  # fmt: skip
    for month in months.values():
        world.calls += month.captured
        world.lines += month.lines
    world.prices["agreed"] = {kind: price / 2 for kind, price in PRICES["alpha"].items()}
    world.prices["alpha"] = PRICES["alpha"] | {"reasoning": OUTPUT}
    world.prices["free"] = dict.fromkeys(PRICES["alpha"], ZERO)
    world.overrides = {"agreed"}
    world.failed_calls |= {"free failures": "not_billed", "failures as agreed": "billed"}
    calls, lines, reports, accounts = small_cases()
    world.calls += calls
    world.lines += lines
    world.reports = reports
    world.accounts += accounts
    world.calls.sort(key=comes_late)
    world.lines.sort(key=comes_late)
    return world.build()


def comes_late(each: Call | Line) -> bool:
    """What the second of two runs finds: a day of calls, a day of one bill, and the whole of two other bills."""
    if isinstance(each, Call):
        return each.at[:10] == "2026-10-20"
    return each.vendor in ("monthly", "requests") or (each.vendor, each.day) == ("all 1", "2026-10-20")


@pytest.mark.parametrize("cause", [*BEFORE, *AFTER, "unexplained"])
def test_a_cause_alone_is_called_by_its_name(world, months, cause):
    injected = months[cause].injected[cause]
    found = world.buckets(f"vendor = '{cause}'")
    assert injected != 0
    assert abs(found.get(cause, ZERO)) >= abs(injected) * Decimal("0.95"), found
    assert abs(found.get(cause, ZERO)) <= abs(injected) * Decimal("1.05"), found
    elsewhere = sum(abs(amount) for bucket, amount in found.items() if bucket != cause)
    assert elsewhere <= abs(injected) * Decimal("0.05"), found


@pytest.mark.parametrize("name", ["all 1", "all 2"])
def test_all_causes_together_keep_those_that_rest_on_evidence(world, months, name):
    month, found = months[name], world.buckets(f"vendor = '{name}'")
    for bucket in ("tax", "fee", "credit", "discount", "prior_period", "currency", "billed_twice", "rate"):
        assert abs(found[bucket] - month.injected[bucket]) <= abs(month.injected[bucket]) * Decimal("0.05"), bucket
    assert abs(found["timing"] - month.injected["timing"]) <= 5  # dollars: it nets to the edges of the month


def test_the_buckets_are_the_difference_to_the_last_digit(world):
    sums = " + ".join(f"{bucket}_usd" for bucket in BUCKETS)
    for mart in ("reconciliation_daily", "reconciliation_monthly"):
        assert world.ask(f"select count(*) from {mart} where difference_usd is not null")[0][0] > 0
        assert world.ask(f"select * from {mart} where difference_usd <> {sums}") == []
        assert world.ask(f"select * from {mart} where difference_usd <> billed_usd - ours_usd") == []


def test_ours_is_what_the_fact_says_and_billed_what_the_lines_say(world):
    ours = dict(world.ask(
        "select provider, sum(cost_usd) from fct_attempts where data_mode <> 'demo' and provider <> 'accounts' group by provider"
    ))  # fmt: skip
    lines = dict(
        world.ask("select vendor, sum(billed_usd_at_seed_rate) from intermediate.int_invoice_lines group by vendor")
    )
    found = world.ask("select vendor, sum(ours_usd), sum(billed_usd) from reconciliation_monthly group by vendor")
    assert {vendor: amounts for vendor, *amounts in found if vendor in ours} == {
        # what lacks a rate is in no sum, and its row says so
        vendor: [ours[vendor], lines.get(vendor, ZERO) if vendor != "no rate" else ZERO]
        for vendor in ours
    } | {"never": [ours["never"], None]}


def test_the_allocation_adds_up_to_the_invoice(world):
    lines = world.ask(
        "select vendor, sum(billed_usd) from intermediate.int_invoice_lines group by vendor having sum(billed_usd) <> 0 order by vendor"
    )
    assert world.ask("select vendor, sum(allocated_usd) from allocated_cost group by vendor order by vendor") == lines
    assert world.ask("select * from allocated_cost where method = 'captured_cost' and allocated_usd < 0") == []


def test_the_daily_table_and_lines_of_the_month_are_the_monthly_one(world):
    cells = "vendor, account, coalesce(model, ''), coalesce(token_kind, ''), coalesce(tier, ''), sum(difference_usd)"
    of_month = "(select reconciliation_key from reconciliation_evidence where charge_date is null)"
    days = world.ask(
        f"select {cells} from (from reconciliation_daily where billing_month = '2026-10-01' and is_billed) group by all order by all"
    )
    months = world.ask(
        f"select {cells} from reconciliation_monthly where billing_month = '2026-10-01' and is_billed "
        f"and reconciliation_key not in {of_month} and vendor <> 'monthly' group by all order by all"
    )
    assert months == [row for row in days if row[:5] in {each[:5] for each in months}]
    assert len(days) - len(months) <= 2 * 3  # a bill with a correction of the month before


def test_tests_and_staging_are_billed_and_simulations_are_not(world):
    assert world.buckets("vendor = 'modes'") == {}
    assert world.ask("select sum(ours_usd) from reconciliation_monthly where vendor = 'modes'") == [
        (Decimal("0.0045"),)
    ]


def test_reasoning_is_compared_with_the_output_that_it_is_billed_as(world):
    assert world.buckets("vendor = 'reasons'") == {}


def test_a_usage_report_says_the_quantity_of_amounts(world):
    assert world.buckets("vendor = 'report'") == {"rate": Decimal("0.0006")}


def test_amounts_alone_are_equal_uncaptured_or_unexplained_and_nothing_else(world, months):
    assert world.buckets("vendor = 'coarse'") == {"uncaptured": Decimal("0.7"), "unexplained": Decimal("0.000425")}
    days = dict(
        world.ask("select charge_date::varchar, difference_usd from reconciliation_daily where vendor = 'coarse'")
    )
    # 0.0045 of alpha and 0.000375 of beta are ours on the 5th
    assert days == {"2026-10-05": Decimal("-0.000075"), "2026-10-06": Decimal("0.0005"), "2026-10-08": Decimal("0.7")}
    assert set(world.buckets("vendor = 'unexplained'")) == {"unexplained"}


def test_a_bill_without_days_is_compared_by_month(world):
    assert world.buckets("vendor = 'monthly'") == {}
    assert world.ask("select count(*) from reconciliation_daily where vendor = 'monthly'") == [(0,)]
    assert world.ask("select sum(billed_usd) from reconciliation_monthly where vendor = 'monthly'") == [
        (Decimal("0.009"),)
    ]


def test_tiers_are_compared_where_both_sides_tell_them_apart(world):
    assert world.buckets("vendor = 'batches' and tier = 'standard'") == {}
    assert world.buckets("vendor = 'batches' and tier = 'batch'") == {"rate": Decimal("-0.00225")}


def test_a_call_belongs_to_the_account_that_bills_it(world):
    assert world.buckets("vendor = 'accounts'") == {}


def test_whether_failed_calls_are_billed_is_a_rule_of_the_vendor(world):
    """Unknown, it explains no more than is missing; billed, all that was asked; not billed, what they cost us."""
    assert world.buckets("vendor = 'billed failures'") == {"failed": Decimal("0.003")}
    assert world.buckets("vendor = 'free failures'") == {"failed": Decimal("-0.0045")}
    assert world.buckets("vendor = 'failures as agreed'") == {"failed": Decimal("0.003"), "unbilled": Decimal("-0.003")}


def test_calls_behind_what_is_not_billed_are_listed(world):
    rows = world.ask(
        "select items, query from reconciliation_evidence where vendor = 'failures as agreed' and bucket = 'unbilled' "
        "and evidence_kind = 'attempts'"
    )
    [(items, query)] = rows
    assert items == 1
    assert len(world.ask(query)) == 1


def test_what_costs_nothing_and_is_not_billed_says_so(world):
    rows = world.ask(
        "select distinct coalesce(model, ''), reason from reconciliation_monthly where (vendor = 'free of charge' or "
        "(vendor = 'no bill' and model = 'newcomer')) and captured_quantity > 0"
    )
    said = "Nothing is billed, and our calls cost nothing or have no price: see unpriced_models."
    assert {reason for _, reason in rows} == {said}
    assert {model for model, _ in rows} == {"newcomer", "alpha"}


def test_a_cell_with_and_without_rates_has_no_difference(world):
    """What has a rate is billed; by how much it differs is not known, nor any part of it, and the status says why."""
    rows = world.ask(
        "select model, token_kind, status, billed_usd, difference_usd, rate_usd, lines, lines_without_rate "
        "from reconciliation_monthly where vendor = 'some rates' order by 1, 2"
    )
    assert [row[:5] for row in rows] == [
        ("alpha", "input", "no_rate", Decimal("0.003"), None),
        ("alpha", "output", "within", Decimal("0.0015"), Decimal(0)),
        ("beta", "input", "no_rate", None, None),
        ("beta", "output", "within", Decimal("0.000125"), Decimal(0)),
    ]
    assert [row[5:] for row in rows if row[2] == "no_rate"] == [(None, 2, 1), (None, 1, 1)]
    assert {
        row[0] for row in world.ask("select account_status from reconciliation_monthly where vendor = 'some rates'")
    } == {"no_rate"}


def test_a_list_price_makes_a_discount_and_an_agreed_price_does_not(world):
    assert world.buckets("vendor = 'listed'") == {"discount": Decimal("-0.0003")}
    assert world.buckets("vendor = 'agreed'") == {}


def test_what_was_paid_for_before_is_used_up_at_what_it_is_worth(world):
    assert world.buckets("vendor = 'prepaid'") == {"fee": Decimal("99.9955")}


def test_several_prices_in_a_cell_are_a_question_of_rates_not_of_rounding(world):
    assert world.buckets("vendor = 'two rates'") == {"rate": Decimal("0.00225")}


def test_a_missing_exchange_rate_is_said_and_never_zero(world):
    found = world.ask(
        "select status, reason, next_action, lines_without_rate, billed_usd, difference_usd from reconciliation_monthly "
        "where vendor = 'no rate' and lines > 0"
    )
    assert found == [(
        "no_rate", "A line is in EUR and has no exchange rate: it is not in these sums.",
        "Add the rate of the month to fx_rates.csv.", 1, None, None,
    )]  # fmt: skip


def test_what_no_bill_reaches_has_no_difference(world):
    found = world.ask(
        "select charge_date::varchar, status, difference_usd, ours_usd from reconciliation_daily where vendor in ('waiting', 'never') "
        "and not is_billed order by 1"
    )
    assert found == [
        ("2026-10-09", "late", None, Decimal("0.0045")),
        ("2026-11-02", "late", None, Decimal("0.0045")),
        ("2026-11-19", "not_billed_yet", None, Decimal("0.0045")),
    ]
    statuses = world.ask(
        "select distinct account_status from reconciliation_monthly where vendor = 'waiting' and billing_month = '2026-10-01'"
    )
    assert statuses == [("late",)]


def test_requests_on_a_bill_are_compared_one_by_one(world):
    assert world.buckets("vendor = 'requests'") == {
        "unpriced": Decimal("0.02"), "failed": Decimal("0.003"), "uncaptured": Decimal("0.4"),
        "unbilled": Decimal("-0.0045"), "rate": Decimal("0.001"),
    }  # fmt: skip
    timing = world.ask(
        "select charge_date::varchar, timing_usd from reconciliation_daily where vendor = 'requests' and timing_usd <> 0 order by 1"
    )
    assert timing == [("2026-10-05", Decimal("-0.0045")), ("2026-10-06", Decimal("0.0045"))]
    evidence = world.ask(
        "select request_id, bucket from reconciliation_evidence where vendor = 'requests' and evidence_kind = 'request' order by 1"
    )
    assert evidence == [
        ("dearer", "rate"), ("free", "unbilled"), ("it failed", "failed"), ("no price", "unpriced"), ("not ours", "uncaptured"),
    ]  # fmt: skip
    of_bolt = world.ask(
        "select sum(allocated_usd) from allocated_cost where vendor = 'requests' and tenant_id = 'bolt'"
    )
    assert of_bolt == [(Decimal("0.02"),)]


def test_lost_events_and_an_unknown_source_have_reasons_of_their_own(world):
    reasons = dict(
        world.ask(
            "select coalesce(model, '') || ' ' || token_kind, reason from reconciliation_monthly "
            "where vendor = 'sources' and uncaptured_usd > 0"
        )
    )
    assert "an unknown source" in reasons["stranger input"]
    assert "lost events" in reasons["alpha input"]
    assert "a unit that we do not meter: search_units" in reasons["alpha search_units"]


def test_evidence_lists_what_its_query_finds(world):
    rows = world.ask("select query, items from reconciliation_evidence where evidence_kind = 'attempts'")
    assert rows
    counts = " union all ".join(f"select {at}, count(*) from ({query})" for at, (query, _) in enumerate(rows))
    assert sorted(world.ask(counts)) == [(at, items) for at, (_, items) in enumerate(rows)]


# Kept by month, under its first day; by day, a month's lines without a day under its first; and rebuilt whole.
BY_MONTH = (
    "int_reconciled_names",
    "int_captured_cells",
    "int_compared_cells",
    "int_reconciliation_cells",
    "int_reconciliation",
)
BY_DAY = ("allocated_cost", "reconciliation_evidence")
WHOLE = ("reconciliation_daily", "reconciliation_monthly")
BUILT = "select event_date::varchar, built_at from tokentrail.built where model = ?"


@pytest.fixture(scope="module")
def in_two_runs(world, tmp_path_factory) -> tuple[World, dict[str, set[str]]]:
    """The same without what comes late, and then with it: what the second run built, by model."""
    later = replace(world, settings=world_at(tmp_path_factory.mktemp("two runs") / "data").settings)
    later.calls = [each for each in world.calls if not comes_late(each)]
    later.lines = [each for each in world.lines if not comes_late(each)]
    later.build(command="run")
    before = {model: dict(later.ask(BUILT, model)) for model in (*BY_MONTH, *BY_DAY)}
    later.calls, later.lines = world.calls, world.lines
    later.build(command="run")
    after = {model: dict(later.ask(BUILT, model)) for model in before}
    return later, {
        model: {day for day in after[model] if after[model][day] != before[model].get(day)} for model in after
    }


@pytest.mark.parametrize("model", [*BY_MONTH, *BY_DAY, *WHOLE])
def test_increments_equal_a_rebuild(world, in_two_runs, model):
    schema = "intermediate" if model.startswith("int_") else "marts"
    rows = f"select * from {schema}.{model} order by all"
    assert in_two_runs[0].ask(rows) == world.ask(rows)


def test_only_months_and_days_whose_input_differs_are_built_again(world, in_two_runs):
    """A call just before midnight is of the next day by a vendor's clock, and the two bills that came have lines of their own days."""
    _, built = in_two_runs
    assert {model: built[model] for model in BY_MONTH} == {model: {"2026-10-01"} for model in BY_MONTH}
    assert world.ask("select count(*) from intermediate.int_reconciliation where event_date <> '2026-10-01'") > [(0,)]
    of_requests = {"2026-10-05", "2026-10-06"}
    assert built == built | dict.fromkeys(BY_DAY, {"2026-10-01", "2026-10-20", "2026-10-21"} | of_requests)


MONEY = st.decimals(min_value=-(10**9), max_value=10**9, places=12)
POSITIVE = st.decimals(min_value=0, max_value=10**9, places=12)
COUNTS = st.decimals(min_value=0, max_value=10**13, places=6)
PRICE = st.none() | st.decimals(min_value=0, max_value=50_000, places=18)
FLAG = st.booleans()


@pytest.fixture(scope="module")
def split(world):
    """The split of cells, as dbt compiled it, over whatever cells there are."""
    compiled = next(world.settings.state.rglob("compiled/**/int_reconciliation_cells.sql")).read_text()
    with duckdb.connect(str(world.settings.warehouse)) as warehouse:
        columns = warehouse.execute("select * from intermediate.int_compared_cells limit 0").description
        types = {
            name: kind for name, kind, *_ in warehouse.execute("describe intermediate.int_compared_cells").fetchall()
        }
        yield warehouse, compiled, [column[0] for column in columns], types


# a cell has forty columns: to find a smaller one that fails takes minutes, and the first says as much
@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_the_buckets_of_any_cell_are_its_difference(split, data):
    warehouse, compiled, columns, types = split
    cell: dict[str, object] = {}
    for name in columns:
        if name == "price_usd":
            cell[name] = data.draw(PRICE)
        elif name == "is_covered":
            cell[name] = True
        elif types[name] == "BOOLEAN":
            cell[name] = data.draw(FLAG)
        elif types[name].startswith("DECIMAL(38,6)") or "quantity" in name or name == "failed_tokens":
            cell[name] = data.draw(COUNTS)
        elif types[name].startswith("DECIMAL"):
            cell[name] = data.draw(MONEY)
        elif types[name] == "BIGINT":
            cell[name] = data.draw(st.integers(0, 3))
        else:
            cell[name] = {"DATE": date(2026, 10, 1)}.get(types[name], "x")
    if data.draw(FLAG):
        cell["billed_quantity"] = None
    # what holds of every cell: the bill is the sum of its lines, and what requests explain is theirs
    parts = ("tax", "fee", "credit", "discount", "prior_period", "billed_twice", "rounding")
    of_requests = sum(
        (cell[f"request_{name}_usd"] for name in ("uncaptured", "unbilled", "failed", "unpriced", "estimated", "rate")),
        ZERO,
    )
    cell["request_usd"] = of_requests + cell["request_clocked_usd"]
    if cell["usage_lines"] == 0:
        cell["usage_usd"] = cell["prepaid_usd"] = cell["off_list_usd"] = ZERO
        cell["billed_quantity"] = ZERO
    cell["billed_usd"] = (
        sum((cell[f"{name}_usd"] for name in parts), ZERO)
        + cell["usage_usd"]
        - cell["prepaid_usd"]
        + cell["request_usd"]
    )
    cell["compared_usd"] = cell["billed_usd"] + cell["currency_usd"]
    warehouse.execute("begin")
    try:
        warehouse.execute("delete from intermediate.int_compared_cells")
        marks = ", ".join(f"cast(? as {types[name]})" for name in columns)
        values = [str(value) if isinstance(value, Decimal) else value for value in cell.values()]
        warehouse.execute(f"insert into intermediate.int_compared_cells values ({marks})", values)
        sums = " + ".join(f"{bucket}_usd" for bucket in BUCKETS)
        row = warehouse.execute(f"select difference_usd, {sums} from ({compiled.rstrip().rstrip(';')})").fetchone()
    finally:
        warehouse.execute("rollback")
    assert row is not None
    assert row[0] == row[1] == cell["compared_usd"] - cell["ours_usd"]
