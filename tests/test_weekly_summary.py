"""A week compared with the week before it: spend, the parts of its change, who changed, and the findings."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

CALL = Decimal("0.006")  # 1,000 input tokens at 3 and 200 output tokens at 15 USD a million
W46, W47 = "2026-11-11T10:00:00Z", "2026-11-18T10:00:00Z"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Pipeline:
    pipeline = pipeline_at(tmp_path_factory.mktemp("weekly") / "data")
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
        "select spend_usd, change_usd, unpriced_attempts, unpriced_share, narrative from weekly_summary where environment = 'sandbox'"
    )[0]
    assert row[:4] == (None, None, 1, 1)
    assert built.ask("select distinct spend_usd from weekly_drivers where environment = 'sandbox'") == [(None,)]
    assert "the spend is unknown" in row[4]
    row = built.ask(
        "select unpriced_attempts, exposure_usd > 0 from weekly_summary where environment = 'prod' and iso_week = '2026-W47'"
    )
    assert row == [(1, True)]


def test_a_week_over_the_years_end_is_one_week(built):
    rows = built.ask(
        "select iso_week, week_start, requests, spend_usd from weekly_summary where environment = 'archive'"
    )
    assert rows == [("2026-W01", datetime(2025, 12, 29, tzinfo=UTC).date(), 2, 2 * CALL)]


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
