"""A week compared with the week before it: spend, the parts of its change, who changed, and the findings."""

import csv
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at
from tests.reference_exposure import FEES, QUANTILES, Model, Price, Used, exposure, prices_of
from tests.reference_exposure import KINDS as ALL_KINDS
from tests.reference_weeks import WEEK, Call, by_week, effects, members, monday, spend, weeks

CALL = Decimal("0.006")  # 1,000 input tokens at 3 and 200 output tokens at 15 USD a million
# Monday 28 December opens 2026-W53, which ends on Sunday 3 January
BEFORE, NOW, RUNNING = "2026-12-30T10:00:00Z", "2027-01-06T10:00:00Z", date(2027, 1, 11)
AS_OF = datetime(2027, 1, 11, 12, tzinfo=UTC)
# environment: its first Monday, before the clocks change in autumn, at the year's end, and in spring
SEEDS = {
    "seed-1": date(2026, 10, 5),
    "seed-2": date(2026, 10, 5),
    "seed-3": date(2026, 11, 30),
    "seed-4": date(2026, 3, 2),
}
SEVERITY = ("ok", "warning", "spend_alert", "exceeded")
AUTUMN, SPRING = ("2026-10-01", ""), ("2026-03-02", "2026-04-13")
BUDGETS = [  # budget, environments, endpoint, period, zone, limit, valid from and to
    ("company-month", "*", "", "month", "UTC", "0.09", *AUTUMN),
    ("company-day", "*", "", "day", "UTC", "0.02", *AUTUMN),
    ("seeds-day", "seed-1 seed-2", "", "day", "Europe/Berlin", "0.011", *AUTUMN),
    ("seeds-week", "seed-1 seed-2 seed-3", "", "week", "America/New_York", "0.05", *AUTUMN),
    ("far-week", "*", "chat.far", "week", "America/New_York", "0.001", *AUTUMN),
    ("unused-month", "*", "chat.nobody", "month", "UTC", "1", *AUTUMN),
    ("refunded-week", "staging", "", "week", "UTC", "0.03", *AUTUMN),
    ("spring-day", "seed-4", "", "day", "America/New_York", "0.006", *SPRING),
    ("spring-week", "*", "", "week", "Europe/Berlin", "0.01", *SPRING),
]
# Models with prices and without, in an environment of their own: USD per million of input and output, from a date and until one
QUEUE = "queue"
PRICES = [
    *(("acme", f"k{number}", number, 2 * number, "2026-01-01", None) for number in range(1, 6)),
    ("acme", "not-used", "0.5", 1, "2026-01-01", None),
    ("other", "of-the-endpoint", 7, 8, "2026-01-01", None),
    ("other", "four-weeks-before", 8, 9, "2026-01-01", None),
    ("other", "ended", 1, 1, "2026-01-01", "2026-11-11"),
    # its own price of other dates: the last one before, and where there is none, the first one after
    ("selfhosted", "between", 20, 30, "2026-01-01", "2026-02-01"),
    ("selfhosted", "between", 40, 50, "2026-02-01", "2026-03-01"),
    ("selfhosted", "between", 60, 70, "2026-12-01", None),
    ("selfhosted", "later", 80, 90, "2026-12-01", "2026-12-15"),
    ("selfhosted", "later", 10, 20, "2026-12-15", None),
    # its own price of other units: that of the day
    ("selfhosted", "searching", 1, 2, "2026-01-01", "2026-10-01"),
    ("selfhosted", "searching", 3, 6, "2026-10-01", None),
]
OVERRIDE = """
  - provider: {}
    model: {}
    per_million_tokens: {{uncached_input: {}, text_output: {}, cached_input: 0.1}}
    from: {}
    {}
    tiers: [{{above_input_tokens: 200000, per_million_tokens: {{uncached_input: 9, text_output: 90}}}}]
    source: "a contract"
    approved_by: finance@example.com
    recorded_at: 2026-01-01
"""


def in_queue(request: str, at: str = "2026-11-11T10:00:00Z", **fields: object) -> dict:
    return event(request, at, environment=QUEUE, **{"endpointTag": f"of.{request}"} | fields)


QUEUED = [
    *(in_queue(f"k{number}", provider="acme", model=f"k{number}") for number in range(1, 6)),
    *(
        in_queue(
            f"new-{number}", provider="acme", model="new", inputTokens=tokens, cacheReadTokens=400, reasoningTokens=50
        )
        for number, tokens in enumerate((1000, 250_000, 2000))
    ),
    # 28 days, the last day of use among them
    in_queue("inside", "2026-10-15T10:00:00Z", provider="other", model="of-the-endpoint", endpointTag="search"),
    in_queue("outside", "2026-10-14T10:00:00Z", provider="other", model="four-weeks-before", endpointTag="search"),
    in_queue("ended", "2026-11-10T10:00:00Z", provider="other", model="ended", endpointTag="search"),
    *(
        in_queue(f"search-{number}", provider="acme", model=f"k{number}", endpointTag="search")
        for number in range(1, 5)
    ),
    in_queue("searched", provider="gateway", model="new", endpointTag="search", cacheWriteTokens=100),
    in_queue("nowhere", provider="nobody", model="new"),
    *(in_queue(model, provider="selfhosted", model=model) for model in ("between", "later")),
    in_queue("priced-again", "2026-12-20T10:00:00Z", provider="selfhosted", model="later"),
    in_queue("searching", provider="selfhosted", model="searching", webSearches=3),
    # more than can be priced
    *(
        in_queue(f"huge-{number}", "2026-11-18T10:00:00Z", provider="acme", model="huge", inputTokens=9_999_999_999_999)
        for number in range(101)
    ),
]


def drawn_calls(environment: str, first: date) -> list[dict]:
    """Two requests a week at most, too few to count as a sender that can be silent, with weeks without any; of several endpoints,
    models and users, with retries that reach over midnight, and calls without a price or without usage."""
    dice, calls = random.Random(environment), []
    for week in range(7):
        for number in range(dice.choice([0, 0, 1, 2, 2])):
            at = datetime.combine(first + week * WEEK, datetime.min.time(), UTC) + timedelta(
                minutes=dice.choice([dice.randrange(10_080), 10_075])
            )
            fields = {
                "environment": environment,
                "endpointTag": dice.choice(["chat.reply", "agent.act"]),
                "promptVersion": dice.choice(["v1", "v2"]),
                "tenantId": dice.choice(["acme", "globex"]),
                "userId": f"u-{dice.randrange(7)}",
                "model": dice.choice(
                    ["claude-sonnet-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "acme-internal-7b"]
                ),
                "outputTokens": dice.randrange(50, 400),
                "cacheReadTokens": dice.choice([0, 0, 600]),
                "usageSource": dice.choice(["provider", "provider", "estimate"]),
            }
            name, no_usage = f"{environment}-{week}-{number}", {"inputTokens": None, "outputTokens": None}
            no_usage |= {"cacheReadTokens": None, "usageSource": "provider"}
            if dice.random() < 0.4:
                failed = fields | no_usage | {"status": "error", "errorCode": "overloaded", "attempt": 1}
                calls.append(event(name, at.isoformat(), **failed))
                fields, at = fields | {"attempt": 2}, at + timedelta(minutes=dice.choice([1, 7, 30]))
            elif dice.random() < 0.15:
                fields |= no_usage
            calls += [event(name, at.isoformat(), **fields)] * dice.choice([1, 1, 2])
    return calls


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Pipeline:
    pipeline = pipeline_at(tmp_path_factory.mktemp("weekly") / "data", as_of=AS_OF)
    path = pipeline.settings.team / "budgets.csv"
    header = path.read_text().splitlines()[0].split(",")
    names = (
        "budget_id",
        "environments",
        "endpoint_tag",
        "period",
        "time_zone",
        "limit_usd",
        "valid_from",
        "valid_to",
        "owner",
        "reason",
    )
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(dict(zip(names, (*row, "finance", "for the test"), strict=True)) for row in BUDGETS)
    (pipeline.settings.team / "budget_adjustments.csv").write_text(
        "budget_id,effective_at,amount_usd,reason,approved_by\nrefunded-week,2027-01-08T00:00,-0.02,credit note,cfo\n"
    )
    pipeline.land(
        "week.jsonl",
        [
            *(event(f"before-{number}", BEFORE) for number in range(10)),
            *(event(f"now-{number}", NOW) for number in range(20)),
            event("now-0", NOW),  # comes twice
            # in staging a call has twice the output, so 0.009
            *(event(f"staging-before-{number}", BEFORE, environment="staging") for number in range(4)),
            *(event(f"staging-now-{number}", NOW, environment="staging", outputTokens=400) for number in range(4)),
            event("unknown", NOW, provider="selfhosted", model="acme-internal-7b"),
            event("estimated", NOW, usageSource="estimate", endpointTag="search.answer", environment="dev"),
            event("unpriced alone", NOW, provider="selfhosted", model="acme-internal-7b", environment="sandbox"),
            event("running", "2027-01-11T10:00:00Z"),
            event("over the year's end", "2025-12-31T23:00:00Z", environment="archive"),
            event("of the same week", "2026-01-01T01:00:00Z", environment="archive"),
            # nothing in W51 and W52
            *(
                event(f"batch-{week}", f"2026-12-{day}T09:00:00Z", environment="batch")
                for week, day in ((49, "02"), (50, "09"))
            ),
            *(event(f"batch-53-{number}", "2026-12-31T09:00:00Z", environment="batch") for number in range(4)),
            # in New York it is Sunday, of W52
            event("far", "2026-12-28T03:00:00Z", environment="far", endpointTag="chat.far"),
            *(call for environment, first in SEEDS.items() for call in drawn_calls(environment, first)),
            *QUEUED,
        ],
    )
    (pipeline.settings.overrides).mkdir()
    entries = (OVERRIDE.format(*row[:5], f"to: {row[5]}" if row[5] else "") for row in PRICES)
    (pipeline.settings.overrides / "contracts.yml").write_text(f"prices:{''.join(entries)}")
    pipeline.run()
    return pipeline


EFFECTS = "volume_usd, mix_usd, retry_usd, token_usd, price_usd"


def test_twice_the_requests_is_volume_and_nothing_else(built):
    columns = f"spend_usd, previous_spend_usd, change_usd, change_ratio, {EFFECTS}, is_complete"
    row = built.ask(f"select {columns} from weekly_summary where environment = 'prod' and iso_week = '2027-W01'")[0]
    assert row[:4] == (20 * CALL, 10 * CALL, 10 * CALL, pytest.approx(1))
    volume, mix, *others, is_complete = row[4:]
    assert others == [0, 0, 0]
    # the call without a price is a request too: it takes a share of the mix, and the two sum to the change exactly
    assert volume + mix == 10 * CALL
    assert is_complete


def test_longer_answers_are_tokens_and_no_price(built):
    row = built.ask(
        f"select change_usd, {EFFECTS} from weekly_summary where environment = 'staging' and iso_week = '2027-W01'"
    )[0]
    change, volume, mix, retry, token, price = row
    # 200 tokens more in each of 4 answers, at 15 USD a million as before
    assert (change, volume, mix, retry) == (4 * Decimal("0.003"), 0, 0, 0)
    assert (token, price) == (change, 0)


def test_a_first_week_has_no_change_and_a_running_week_none_yet(built):
    columns = "change_usd, previous_spend_usd, volume_usd, is_complete, narrative"
    sql = f"select {columns} from weekly_summary where environment = 'prod' and iso_week = ?"
    first = built.ask(sql, "2026-W53")[0]
    assert first[:4] == (None, None, None, True)
    assert "there is no week before it" in first[4]
    running = built.ask(sql, "2027-W02")[0]
    assert running[:4] == (None, 20 * CALL, None, False)
    assert running[4].startswith("So far $0.01 has been spent; the week is not over.")


def test_unknown_is_not_zero(built):
    row = built.ask(
        "select spend_usd, change_usd, unpriced_attempts, unpriced_share, narrative from weekly_summary where environment = 'sandbox' "
        "and iso_week = '2027-W01'"
    )[0]
    assert row[:4] == (None, None, 1, 1)
    assert built.ask(
        "select distinct spend_usd from weekly_drivers where environment = 'sandbox' and iso_week = '2027-W01'"
    ) == [(None,)]
    assert "the spend is unknown" in row[4]
    row = built.ask(
        "select unpriced_attempts, exposure_usd > 0 from weekly_summary where environment = 'prod' and iso_week = '2027-W01'"
    )
    assert row == [(1, True)]


def test_a_week_over_the_years_end_is_one_week(built):
    rows = built.ask(
        "select iso_week, week_start, requests, spend_usd from weekly_summary where environment = 'archive' order by 1"
    )
    assert rows == [
        ("2026-W01", datetime(2025, 12, 29, tzinfo=UTC).date(), 2, 2 * CALL),
        ("2026-W02", datetime(2026, 1, 5, tzinfo=UTC).date(), 0, 0),
    ]


def test_a_week_without_calls_is_a_week(built):
    """Between active weeks nothing is left out, and the first week of nothing is reported as a drop."""
    rows = built.ask(
        "select iso_week, spend_usd, change_usd, volume_usd + mix_usd + retry_usd + token_usd + price_usd, "
        "split_part(narrative, chr(10), 1) "
        "from weekly_summary where environment = 'batch' order by week_start"
    )
    assert rows == [
        ("2026-W49", CALL, None, None, "Spend was $0.01; there is no week before it to compare with."),
        ("2026-W50", CALL, 0, 0, "Spend was $0.01, as much as the week before."),
        ("2026-W51", 0, -CALL, -CALL, "No call was made: $0.01 less than the week before."),
        ("2026-W52", 0, 0, 0, "No call was made, as in the week before."),
        ("2026-W53", 4 * CALL, 4 * CALL, 4 * CALL, "Spend was $0.02; in the week before no call was made."),
        ("2027-W01", 0, -4 * CALL, -4 * CALL, "No call was made: $0.02 less than the week before."),
    ]
    severities = built.ask(
        "select iso_week, severity from weekly_findings where environment = 'batch' and kind = 'spend' and severity <> 'info' order by 1"
    )
    assert severities == [("2026-W51", "warning"), ("2027-W01", "warning")]
    assert built.ask(
        "select member, spend_usd, change_usd from weekly_drivers "
        "where environment = 'batch' and iso_week = '2026-W51' and dimension = 'endpoint'"
    ) == [("chat.reply", 0, -CALL)]


KINDS = ("uncached_input", "cached_input", "text_output")
CALLS = f"""
    select event_date, environment, data_mode, endpoint_tag, prompt_version, tenant_id, user_id, model,
        case pricing_status when 'priced' then concat_ws(' ', provider, price_variant) when 'unpriced' then 'unpriced' end,
        cost_usd, is_first_try, pricing_status, case when status = 'success' then usage_source end, duplicate_deliveries,
        {", ".join(f"{kind}_tokens" for kind in KINDS)}, {", ".join(f"{kind}_cost_usd" for kind in KINDS)}
    from fct_attempts where not is_future
"""


@pytest.fixture(scope="module")
def calls(built) -> dict[tuple[str, str, date], list[Call]]:
    """What the weeks are made of, each call on its own."""

    def by_kind(values: tuple) -> dict:
        return {kind: value for kind, value in zip(KINDS, values, strict=True) if value is not None}

    # of a call without a price, the cost of some kinds may be known: it is in no sum
    return by_week(
        Call(*row[:14], by_kind(row[14:17]), by_kind(row[17:]) if row[9] is not None else {})
        for row in built.ask(CALLS)
    )


@dataclass(frozen=True)
class Exposed:
    """Every call, and by model without a price the prices at which it is estimated."""

    calls: list[Used]
    prices: dict[Model, dict[str, Price] | None]


@pytest.fixture(scope="module")
def exposed(built) -> Exposed:
    counts = ", ".join(kind if kind in FEES else f"{kind}_tokens" for kind in ALL_KINDS)
    calls = [
        Used(
            Model(*row[:4]), *row[4:11], {kind: units for kind, units in zip(ALL_KINDS, row[11:], strict=True) if units}
        )
        for row in built.ask(
            "select environment, data_mode, provider, model, occurred_at, is_future, endpoint_tag, pricing_status, usage_source, "
            f"cost_usd, input_tokens, {counts} from fct_attempts"
        )
    ]
    rates = ", ".join(f"{kind}_price_usd" for kind in ALL_KINDS)
    book = [
        Price(*row[:10], dict(zip(ALL_KINDS, row[10:], strict=True)))
        for row in built.ask(
            "select provider, model, tenant_id, variant, missing_variant, day_second_from, coalesce(input_tokens_from, 0), "
            "coalesce(valid_from, timestamp '0001-01-01'), coalesce(valid_to, timestamp '9999-01-01'), price_row_key, "
            f"{rates} from price_book"
        )
    ]
    return Exposed(calls, prices_of(calls, book))


def test_what_has_no_price_may_cost_what_the_definitions_give(built, exposed):
    """By model, and by day in the wide mart: low, likely and high."""
    columns = ("exposure_usd_low", "exposure_usd", "exposure_usd_high")

    def amounts(calls: list[Used]) -> tuple:
        return tuple(exposure(calls, exposed.prices, name) for name in QUANTILES)

    of_model, of_day = defaultdict(list), defaultdict(list)
    for call in exposed.calls:
        of_day[call.day, call.model].append(call)
        if call.pricing == "unpriced":
            of_model[call.model].append(call)
    rows = built.ask(
        f"select environment, data_mode, provider, model, {', '.join(columns)} from unpriced_models where status = 'open'"
    )
    found = {Model(*row[:4]): row[4:] for row in rows}
    assert found == {model: amounts(calls) for model, calls in of_model.items()}
    sums = ", ".join(f"case when bool_and({column} is not null) then sum({column}) end" for column in columns)
    rows = built.ask(f"select event_date, environment, data_mode, provider, model, {sums} from cost_daily group by all")
    assert {(row[0], Model(*row[1:5])): row[5:] for row in rows} == {
        key: amounts(calls) for key, calls in of_day.items()
    }


# USD per million of input at which it is estimated: low, likely, high
NEAREST = {
    ("selfhosted", "between"): [40, 40, 40],
    ("selfhosted", "later"): [80, 80, 80],
    ("selfhosted", "searching"): [3, 3, 3],
    # five models, and the tier of each that its longest call reaches: of ten the 1st, 5th and 9th
    ("acme", "new"): [1, 5, 9],
    # k1 to k4, and one that its endpoint used 27 days before; not the one of 28 days before, nor what has ended
    ("gateway", "new"): [1, 3, 7],
}


@pytest.mark.parametrize("model", NEAREST)
def test_the_nearest_prices_are_those_that_the_page_names(exposed, model):
    found = exposed.prices[Model(QUEUE, "real", *model)]
    assert [found[name].rate("uncached_input") * 1_000_000 for name in QUANTILES] == NEAREST[model]


def test_the_exposure_of_a_week_is_what_the_definitions_give(built, exposed):
    """The likely cost, in its column, in the finding and in the narrative; and the share of the calls that it is of."""
    of_week, with_usage = defaultdict(list), Counter()
    for call in exposed.calls:
        week = (call.model.environment, call.model.mode, monday(call.day))
        if call.pricing == "unpriced" and not call.is_future:
            of_week[week].append(call)
        with_usage[week] += call.pricing != "no_usage" and not call.is_future
    expected = {week: (len(calls), exposure(calls, exposed.prices, "likely")) for week, calls in of_week.items()}
    rows = built.ask(
        "select environment, data_mode, week_start, unpriced_attempts, exposure_usd, narrative from weekly_summary"
    )
    assert {row[:3]: row[3:5] for row in rows} == dict.fromkeys((row[:3] for row in rows), (0, 0)) | expected
    findings = built.ask(
        "select environment, data_mode, week_start, amount_usd, sentence from weekly_findings where kind = 'unpriced'"
    )
    assert {row[:3]: row[3] for row in findings} == {week: usd for week, (_, usd) in expected.items()}
    narratives = {row[:3]: row[5] for row in rows}
    for *week, usd, sentence in findings:
        count, place = len(of_week[tuple(week)]), tuple(week)
        share = (Decimal(100 * count) / with_usage[place]).quantize(Decimal("0.1"), ROUND_HALF_UP)
        amount = "less than $0.01" if usd and usd < Decimal("0.005") else f"${usd or 0:,.2f}"
        says = "What they cost is unknown" if usd is None else f"They likely cost {amount}"
        assert sentence == f"Calls without a price, in no total: {count} ({share} %). {says}; see unpriced_models."
        assert sentence in narratives[place].splitlines()
    assert None in {usd for _, usd in expected.values()}


def test_every_week_is_what_the_definitions_give(built, calls):
    """From the first week with usage to the one after the last, and where a budget is not ok, of every environment and data mode."""
    budgeted = set(
        built.ask("select environment, data_mode, week_start from weekly_summary where budget_states is not null")
    )
    rows = built.ask(
        "select environment, data_mode, iso_week, days_with_usage, requests, attempts, spend_usd, previous_spend_usd, change_usd, "
        "unpriced_attempts, missing_usage_attempts, duplicate_deliveries, estimated_cost_usd, estimated_share, is_understated "
        "from weekly_summary where environment <> '(all)' order by environment, data_mode, week_start"
    )
    assert rows == [tuple(row) for row in weeks(calls, budgeted, RUNNING)]
    drawn = [row for row in rows if row[0] in SEEDS]
    assert {week for _, _, week, *_ in drawn} >= {"2026-W13", "2026-W14", "2026-W43", "2026-W44", "2026-W53"}
    assert any(row[4] < row[5] for row in drawn), "with retries"
    sums = built.ask(
        "select environment, sum(change_usd), max_by(spend_usd, week_start) - min_by(spend_usd, week_start) from weekly_summary "
        "where is_complete and environment in ('batch', 'staging') group by environment"
    )
    assert len(sums) == 2
    assert all(changes == difference for _, changes, difference in sums)


def test_why_a_week_cost_more_is_what_the_definitions_give(built, calls):
    rows = built.ask(
        f"select environment, data_mode, week_start, change_usd, {EFFECTS} from weekly_summary where change_usd is not null"
    )
    by_retry_alone = 0
    for environment, mode, start, change, *found in rows:
        now, before = (calls.get((environment, mode, each), []) for each in (start, start - WEEK))
        expected = effects(now, before)
        assert sum(found) == change
        assert [float(usd) for usd in found] == pytest.approx([*expected.values()], abs=1e-9), (environment, start)
        by_retry_alone += any(expected["retry"] and not call.is_first_try for call in now)
    assert len(rows) > 20
    assert by_retry_alone, "the draw has retries in another week than their request"


def test_who_changed_most_is_what_the_definitions_give(built, calls):
    known = built.ask(
        "select environment, data_mode, week_start, previous_spend_usd is not null, change_usd is not null from weekly_summary "
        "where environment <> '(all)'"
    )
    compared = 0
    for environment, mode, start, has_previous, has_change in known:
        now, before = (calls.get((environment, mode, each), []) for each in (start, start - WEEK))
        rows = built.ask(
            "select dimension, rank, member, spend_usd, previous_spend_usd, change_usd from weekly_drivers "
            "where environment = ? and data_mode = ? and week_start = ? order by dimension, rank",
            *(environment, mode, start),
        )
        expected = [tuple(row) for row in members(now, before, has_previous, has_change)]
        assert rows == sorted(expected), (environment, start)
        compared += len(rows)
    assert compared > 200


def test_the_budgets_of_a_week_are_what_the_changes_of_their_states_give(built):
    """The worst state that held in a local week, once a budget, however long ago it was reached; days of a budget for a day."""
    changes = defaultdict(list)
    for budget, start, end, at, state in built.ask(
        "select budget_id, period_start, period_end, changed_at_local, to_state from budget_transitions "
        "order by budget_id, period_start, sequence"
    ):
        changes[budget, start, end].append((at, state))
    spent = {
        (budget, start): spent - limit
        for budget, start, spent, limit in built.ask(
            "select budget_id, period_start, spent_usd, limit_usd from budget_status"
        )
    }
    worst = defaultdict(list)  # (budget, monday): (severity, period)
    for (budget, start, end), turns in changes.items():
        ends = [at for at, _ in turns[1:]] + [datetime.combine(end, datetime.min.time())]
        week = monday(start)
        while week < end and week <= RUNNING:
            first, last = (datetime.combine(day, datetime.min.time()) for day in (week, week + WEEK))
            held = [
                SEVERITY.index(state)
                for (at, state), until in zip(turns, ends, strict=True)
                if at < last and until > first and at < until
            ]
            if max(held, default=0):
                worst[budget, week].append((max(held), start))
            week += WEEK
    periods = {name: (period, environments) for name, environments, _, period, *_ in BUDGETS}
    expected = defaultdict(list)
    for (budget, week), states in sorted(worst.items()):
        severity = max(states)[0]
        days = [start for each, start in states if each == severity]
        text = f"{budget} {SEVERITY[severity].replace('_', ' ')}"
        if periods[budget][0] == "day":
            largest = max(days, key=lambda start, of=budget: (spent[of, start], start))
            text += f" on {len(days)} day{'s' if len(days) > 1 else ''}, worst {largest}"
        environments = periods[budget][1]
        for environment in ["(all)"] if environments == "*" else environments.split():
            expected[environment, f"{week:%G-W%V}"].append(text)
    rows = built.ask("select environment, iso_week, budget_states from weekly_summary where budget_states is not null")
    assert {(environment, week): states.split("; ") for environment, week, states in rows} == expected
    named = dict(
        built.ask(
            "select iso_week, budget_states from weekly_summary where environment = '(all)' and budget_states is not null"
        )
    )
    # exceeded in December, and in January again; two days of W53 above the limit of a day; in New York it was Sunday still
    assert "company-month exceeded" in named["2026-W53"]
    assert "company-month exceeded" in named["2027-W01"]
    assert "company-day exceeded on 2 days, worst 2026-12-30" in named["2026-W53"]
    assert "far-week exceeded" in named["2026-W52"]
    assert "far-week" not in named["2026-W53"]


def test_what_is_next_to_the_spend_of_a_budget_is_what_the_definitions_give(built, exposed):
    """Of the calls between local midnights: their cost, what is estimated of it, and what others of them may cost."""
    environments = {name: (names, endpoint) for name, names, endpoint, *_ in BUDGETS}
    compared, understated = 0, set()
    for budget, starts_at, ends_at, zone, start, end, state, limit, warning, *found in built.ask(
        "select budget_id, starts_at, ends_at, time_zone, period_start, period_end, state, limit_usd, warning_usd, spent_usd, "
        "attempts, unpriced_attempts, unvalued_attempts, estimated_cost_usd, exposure_usd, is_understated from budget_status"
    ):
        midnights = [datetime.combine(day, datetime.min.time(), ZoneInfo(zone)) for day in (start, end)]
        assert [at.astimezone(UTC).replace(tzinfo=None) for at in midnights] == [starts_at, ends_at]
        names, endpoint = environments[budget]
        calls = [
            call
            for call in exposed.calls
            if starts_at <= call.at < ends_at
            and not call.is_future
            and call.model.mode == "real"
            and (names == "*" or call.model.environment in names.split())
            and endpoint in ("", call.endpoint)
        ]
        unpriced = [call for call in calls if call.pricing == "unpriced"]
        unvalued = [call for call in unpriced if exposed.prices[call.model] is None]
        spent = spend(calls) or Decimal(0)
        refund = datetime(2027, 1, 8)  # noqa: DTZ001 -- local, which is UTC
        spent -= Decimal("0.02") if budget == "refunded-week" and start <= refund.date() < end else 0
        likely = exposure([call for call in unpriced if call not in unvalued], exposed.prices, "likely")
        at_most = spent + likely
        worse = "exceeded" if at_most > limit else "warning" if at_most >= warning else "ok"
        is_understated = state != "exceeded" and (bool(unvalued) or SEVERITY.index(worse) > SEVERITY.index(state))
        estimated = spend([call for call in calls if call.usage == "estimate"]) or Decimal(0)
        assert found == [
            *(spent, len(calls), len(unpriced), len(unvalued), estimated),
            *(None if unvalued else likely, is_understated),
        ], (budget, start)
        compared += bool(unpriced)
        understated |= {budget} if is_understated else set()
    assert compared > 10
    assert understated


def test_what_no_environment_has_alone_counts_nothing_twice(built):
    rows = built.ask(
        "select distinct attempts, alerts, spend_usd, change_usd, is_understated from weekly_summary where environment = '(all)'"
    )
    assert rows == [(0, 0, None, None, False)]
    assert built.ask("select distinct kind from weekly_findings where environment = '(all)'") == [("budget",)]


def test_a_budget_is_a_sentence_with_what_it_spent(built):
    rows = built.ask(
        "select severity, amount_usd, sentence from weekly_findings where environment = '(all)' and iso_week = '2027-W01' order by rank"
    )
    month, day = (next(row for row in rows if name in row[2]) for name in ("company-month", "company-day"))
    assert month[2].startswith("Budget company-month: exceeded since 2027-01-")
    assert month[2].endswith(" of $0.09.")
    assert day[2] == "Budget company-day: exceeded on 1 day, worst on 2027-01-06 with $0.16 of $0.02."
    assert (month[0], day[0], day[1] > 0) == ("critical", "critical", True)


def test_what_was_paid_back_within_the_week_is_nothing_above_the_limit(built):
    rows = built.ask(
        "select severity, amount_usd, sentence from weekly_findings where environment = 'staging' and kind = 'budget' "
        "and iso_week = '2027-W01'"
    )
    sentence = "Budget refunded-week: exceeded from 2027-01-06 to 2027-01-08, $0.02 of $0.03."
    assert rows == [("critical", None, sentence)]


def test_the_weeks_tie_to_the_fact(built):
    assert built.ask("select sum(spend_usd), sum(attempts) from weekly_summary") == built.ask(
        "select sum(cost_usd), count(*) from fct_attempts where not is_future"
    )


def test_each_dimension_says_who_changed_most(built):
    rows = built.ask(
        "select dimension, rank, member, spend_usd, change_usd from weekly_drivers "
        "where environment = 'prod' and iso_week = '2027-W01' and rank = 1 order by dimension"
    )
    assert rows == [
        ("endpoint", 1, "chat.reply", 20 * CALL, 10 * CALL),
        ("model", 1, "claude-sonnet-4-5", 20 * CALL, 10 * CALL),
        ("prompt_version", 1, "chat.reply | v1", 20 * CALL, 10 * CALL),
        ("tenant", 1, "acme", 20 * CALL, 10 * CALL),
        ("user", 1, "u-1", 20 * CALL, 10 * CALL),
    ]


def test_the_findings_are_sentences_in_order(built):
    rows = built.ask(
        "select kind, sentence from weekly_findings where environment = 'prod' and iso_week = '2027-W01' order by rank"
    )
    assert [kind for kind, _ in rows] == ["spend", "effect", "driver", "unpriced", "quality"]
    assert rows[0][1] == "Spend was $0.12, $0.06 more (100.0 %) than the week before."
    assert rows[3][1].startswith("Calls without a price, in no total: 1 (4.8 %). They likely cost ")
    assert "counted once: 1." in rows[4][1]


def test_late_data_moves_its_week_and_the_next_one_only(built):
    before = built.built_at()
    built.land("late.jsonl", [event("late", BEFORE)], day="2027-01-11")
    built.run(*WITHOUT_TESTS, "--select", "+path:models/marts/weekly")
    after = built.built_at()
    moved = {
        day
        for (model, day), instant in after.items()
        if model == "int_weekly_leaves" and before.get((model, day)) != instant
    }
    assert moved == {"2026-12-28", "2027-01-04"}
    assert built.ask(
        "select previous_spend_usd from weekly_summary where environment = 'prod' and iso_week = '2027-W01'"
    ) == [(11 * CALL,)]
