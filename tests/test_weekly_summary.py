"""A week compared with the week before it: spend, the parts of its change, who changed, and the findings."""

import csv
import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

CALL = Decimal("0.006")  # 1,000 input tokens at 3 and 200 output tokens at 15 USD a million
W46, W47 = "2026-11-11T10:00:00Z", "2026-11-18T10:00:00Z"
WEEK = timedelta(days=7)
SEEDS = ("seed-1", "seed-2", "seed-3")
SEVERITY = ("ok", "warning", "spend_alert", "exceeded")
BUDGETS = [  # budget, environments, endpoint, period, zone, limit
    ("company-month", "*", "", "month", "UTC", "0.09"),
    ("company-day", "*", "", "day", "UTC", "0.02"),
    ("seeds-day", "seed-1 seed-2", "", "day", "Europe/Berlin", "0.011"),
    ("seeds-week", "seed-1 seed-2 seed-3", "", "week", "America/New_York", "0.05"),
    ("far-week", "*", "chat.far", "week", "America/New_York", "0.001"),
    ("unused-month", "*", "chat.nobody", "month", "UTC", "1"),
]


def drawn_calls(environment: str) -> list[dict]:
    """Two calls a week at most, too few to count as a sender that can be silent, with weeks without any, over the change of the clocks."""
    dice, calls = random.Random(environment), []
    for week in range(7):
        for number in range(dice.choice([0, 0, 1, 2, 2])):
            day = date(2026, 10, 5) + week * WEEK + timedelta(days=dice.randrange(7))
            at = f"{day}T{dice.randrange(24):02}:{dice.randrange(60):02}:00Z"
            tokens = dice.randrange(50, 400)
            calls.append(event(f"{environment}-{week}-{number}", at, environment=environment, outputTokens=tokens))
    return calls


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Pipeline:
    pipeline = pipeline_at(tmp_path_factory.mktemp("weekly") / "data")
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
        "owner",
        "reason",
    )
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(
            dict(zip(names, (*row, "2026-10-01", "finance", "for the test"), strict=True)) for row in BUDGETS
        )
    pipeline.land(
        "week.jsonl",
        [
            *(event(f"before-{number}", W46) for number in range(10)),
            *(event(f"now-{number}", W47) for number in range(20)),
            event("now-0", W47),  # comes twice
            # in staging a call has twice the output, so 0.009
            *(event(f"staging-before-{number}", W46, environment="staging") for number in range(4)),
            *(event(f"staging-now-{number}", W47, environment="staging", outputTokens=400) for number in range(4)),
            event("unknown", W47, provider="selfhosted", model="acme-internal-7b"),
            event("estimated", W47, usageSource="estimate", endpointTag="search.answer", environment="dev"),
            event("unpriced alone", W47, provider="selfhosted", model="acme-internal-7b", environment="sandbox"),
            event("running", "2026-11-23T10:00:00Z"),
            event("over the year's end", "2025-12-31T23:00:00Z", environment="archive"),
            event("of the same week", "2026-01-01T01:00:00Z", environment="archive"),
            # nothing in W44 and W45
            *(
                event(f"batch-{week}", f"2026-10-{day}T09:00:00Z", environment="batch")
                for week, day in ((42, 14), (43, 21))
            ),
            *(event(f"batch-46-{number}", "2026-11-12T09:00:00Z", environment="batch") for number in range(4)),
            # in New York it is Sunday, of W45
            event("far", "2026-11-09T03:00:00Z", environment="far", endpointTag="chat.far"),
            *(call for environment in SEEDS for call in drawn_calls(environment)),
        ],
    )
    pipeline.run()
    return pipeline


EFFECTS = "volume_usd, mix_usd, retry_usd, token_usd, price_usd"


def test_twice_the_requests_is_volume_and_nothing_else(built):
    columns = f"spend_usd, previous_spend_usd, change_usd, change_ratio, {EFFECTS}, is_complete"
    row = built.ask(f"select {columns} from weekly_summary where environment = 'prod' and iso_week = '2026-W47'")[0]
    assert row[:4] == (20 * CALL, 10 * CALL, 10 * CALL, pytest.approx(1))
    volume, mix, *others, is_complete = row[4:]
    assert others == [0, 0, 0]
    # the call without a price is a request too: it takes a share of the mix, and the two sum to the change exactly
    assert volume + mix == 10 * CALL
    assert is_complete


def test_longer_answers_are_tokens_and_no_price(built):
    row = built.ask(
        f"select change_usd, {EFFECTS} from weekly_summary where environment = 'staging' and iso_week = '2026-W47'"
    )[0]
    change, volume, mix, retry, token, price = row
    # 200 tokens more in each of 4 answers, at 15 USD a million as before
    assert (change, volume, mix, retry) == (4 * Decimal("0.003"), 0, 0, 0)
    assert (token, price) == (change, 0)


def test_a_first_week_has_no_change_and_a_running_week_none_yet(built):
    columns = "change_usd, previous_spend_usd, volume_usd, is_complete, narrative"
    sql = f"select {columns} from weekly_summary where environment = 'prod' and iso_week = ?"
    first = built.ask(sql, "2026-W46")[0]
    assert first[:4] == (None, None, None, True)
    assert "there is no week before it" in first[4]
    running = built.ask(sql, "2026-W48")[0]
    assert running[:4] == (None, 20 * CALL, None, False)
    assert running[4].startswith("So far $0.01 were spent; the week is not over.")


def test_unknown_is_not_zero(built):
    row = built.ask(
        "select spend_usd, change_usd, unpriced_attempts, unpriced_share, narrative from weekly_summary where environment = 'sandbox' "
        "and iso_week = '2026-W47'"
    )[0]
    assert row[:4] == (None, None, 1, 1)
    assert built.ask(
        "select distinct spend_usd from weekly_drivers where environment = 'sandbox' and iso_week = '2026-W47'"
    ) == [(None,)]
    assert "the spend is unknown" in row[4]
    row = built.ask(
        "select unpriced_attempts, exposure_usd > 0 from weekly_summary where environment = 'prod' and iso_week = '2026-W47'"
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
        ("2026-W42", CALL, None, None, "Spend was $0.01; there is no week before it to compare with."),
        ("2026-W43", CALL, 0, 0, "Spend was $0.01, as much as the week before."),
        ("2026-W44", 0, -CALL, -CALL, "No call was made: $0.01 less than the week before."),
        ("2026-W45", 0, 0, 0, "No call was made, as in the week before."),
        ("2026-W46", 4 * CALL, 4 * CALL, 4 * CALL, "Spend was $0.02; in the week before no call was made."),
        ("2026-W47", 0, -4 * CALL, -4 * CALL, "No call was made: $0.02 less than the week before."),
    ]
    severities = built.ask(
        "select iso_week, severity from weekly_findings where environment = 'batch' and kind = 'spend' and severity <> 'info' order by 1"
    )
    assert severities == [("2026-W44", "warning"), ("2026-W47", "warning")]
    assert built.ask(
        "select member, spend_usd, change_usd from weekly_drivers "
        "where environment = 'batch' and iso_week = '2026-W44' and dimension = 'endpoint'"
    ) == [("chat.reply", 0, -CALL)]


def test_every_week_is_what_adding_up_the_calls_gives(built):
    """From the first week with usage to the one after the last, and where a budget is not ok, for every environment and data mode."""
    calls = defaultdict(list)
    for day, environment, mode, cost in built.ask(
        "select event_date, environment, data_mode, cost_usd from fct_attempts"
    ):
        calls[environment, mode, day - timedelta(days=day.weekday())].append(cost)
    running = date(2026, 11, 23)
    budgeted = set(
        built.ask("select environment, data_mode, week_start from weekly_summary where budget_states is not null")
    )
    expected = []
    for environment, mode in {key[:2] for key in calls}:
        active = [key[2] for key in calls if key[:2] == (environment, mode)]
        between = {min(active) + number * WEEK for number in range((max(active) - min(active)).days // 7 + 2)}
        mondays = {monday for monday in between if monday <= running} | {
            key[2] for key in budgeted if key[:2] == (environment, mode)
        }
        spends = {}
        for monday in sorted(mondays):
            costs = calls.get((environment, mode, monday), [])
            known = [cost for cost in costs if cost is not None]
            spend = spends[monday] = sum(known, Decimal(0)) if known or not costs else None
            previous = spends.get(monday - WEEK)
            change = spend - previous if monday < running and None not in (spend, previous) else None
            expected.append((environment, mode, f"{monday:%G-W%V}", len(costs), spend, previous, change))
    rows = built.ask(
        "select environment, data_mode, iso_week, attempts, spend_usd, previous_spend_usd, change_usd "
        "from weekly_summary where environment <> '(all)' order by all"
    )
    assert len(rows) > 30
    assert sorted(rows, key=lambda row: row[:3]) == sorted(expected, key=lambda row: row[:3])
    sums = built.ask(
        "select environment, sum(change_usd), max_by(spend_usd, week_start) - min_by(spend_usd, week_start) from weekly_summary "
        "where is_complete and environment in ('batch', 'staging', 'seed-1', 'seed-2', 'seed-3') group by environment"
    )
    assert len(sums) == 5
    assert all(changes == difference for _, changes, difference in sums)


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
        monday = start - timedelta(days=start.weekday())
        while monday < end and monday <= date(2026, 11, 23):
            first, last = (datetime.combine(day, datetime.min.time()) for day in (monday, monday + WEEK))
            held = [
                SEVERITY.index(state)
                for (at, state), until in zip(turns, ends, strict=True)
                if at < last and until > first and at < until
            ]
            if max(held, default=0):
                worst[budget, monday].append((max(held), start))
            monday += WEEK
    periods = {name: (period, environments) for name, environments, _, period, _, _ in BUDGETS}
    expected = defaultdict(list)
    for (budget, monday), states in sorted(worst.items()):
        severity = max(states)[0]
        days = [start for each, start in states if each == severity]
        text = f"{budget} {SEVERITY[severity].replace('_', ' ')}"
        if periods[budget][0] == "day":
            largest = max(days, key=lambda start, of=budget: (spent[of, start], start))
            text += f" on {len(days)} day{'s' if len(days) > 1 else ''}, worst {largest}"
        environments = periods[budget][1]
        for environment in ["(all)"] if environments == "*" else environments.split():
            expected[environment, f"{monday:%G-W%V}"].append(text)
    rows = built.ask("select environment, iso_week, budget_states from weekly_summary where budget_states is not null")
    assert {(environment, week): states.split("; ") for environment, week, states in rows} == expected
    named = dict(
        built.ask(
            "select iso_week, budget_states from weekly_summary where environment = '(all)' and budget_states is not null"
        )
    )
    # exceeded in W46 and for the rest of November; two days of W46 above the limit of a day; in New York it was Sunday still
    assert "company-month exceeded" in named["2026-W46"]
    assert "company-month exceeded" in named["2026-W47"]
    assert "company-day exceeded on 2 days, worst 2026-11-11" in named["2026-W46"]
    assert "far-week exceeded" in named["2026-W45"]
    assert "far-week" not in named["2026-W46"]


def test_what_no_environment_has_alone_counts_nothing_twice(built):
    rows = built.ask(
        "select distinct attempts, alerts, spend_usd, change_usd, is_understated from weekly_summary where environment = '(all)'"
    )
    assert rows == [(0, 0, None, None, False)]
    assert built.ask("select distinct kind from weekly_findings where environment = '(all)'") == [("budget",)]


def test_a_budget_is_a_sentence_with_what_it_spent(built):
    rows = built.ask(
        "select severity, amount_usd, sentence from weekly_findings where environment = '(all)' and iso_week = '2026-W47' order by rank"
    )
    month, day = (next(row for row in rows if name in row[2]) for name in ("company-month", "company-day"))
    assert month[2].startswith("Budget company-month: exceeded since 2026-11-")
    assert month[2].endswith(" of $0.09.")
    assert day[2] == "Budget company-day: exceeded on 1 day, worst on 2026-11-18 with $0.16 of $0.02."
    assert (month[0], day[0], day[1] > 0) == ("critical", "critical", True)


def test_the_weeks_tie_to_the_fact(built):
    assert built.ask("select sum(spend_usd), sum(attempts) from weekly_summary") == built.ask(
        "select sum(cost_usd), count(*) from fct_attempts"
    )


def test_each_dimension_says_who_changed_most(built):
    rows = built.ask(
        "select dimension, rank, member, spend_usd, change_usd from weekly_drivers "
        "where environment = 'prod' and iso_week = '2026-W47' and rank = 1 order by dimension"
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
        "select kind, sentence from weekly_findings where environment = 'prod' and iso_week = '2026-W47' order by rank"
    )
    assert [kind for kind, _ in rows] == ["spend", "effect", "driver", "unpriced", "quality"]
    assert rows[0][1] == "Spend was $0.12, $0.06 more (100.0 %) than the week before."
    assert rows[3][1].startswith("Calls without a price, in no total: 1 (4.8 %). They likely cost $")
    assert "counted once: 1." in rows[4][1]


def test_late_data_moves_its_week_and_the_next_one_only(built):
    before = built.built_at()
    built.land("late.jsonl", [event("late", W46)], day="2026-11-23")
    built.run(*WITHOUT_TESTS, "--select", "+path:models/marts/weekly")
    after = built.built_at()
    moved = {
        day
        for (model, day), instant in after.items()
        if model == "int_weekly_leaves" and before.get((model, day)) != instant
    }
    assert moved == {"2026-11-09", "2026-11-16"}
    assert built.ask(
        "select previous_spend_usd from weekly_summary where environment = 'prod' and iso_week = '2026-W47'"
    ) == [(11 * CALL,)]
