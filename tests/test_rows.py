"""What counts as an attempt and as a request, and what each costs: DESIGN section 4 on a real warehouse, built once."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orchestration.dbt import run_dbt
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

PLAIN_COST = Decimal("0.006")  # 1,000 input at $3 and 200 output at $15 per million


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Pipeline:
    """One warehouse that holds every case; each request id names its case."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("rows") / "data")
    pipeline.land("first.jsonl", FIRST_FILE)
    pipeline.land("later.jsonl", LATER_FILE, day="2026-11-21")
    pipeline.run()
    return pipeline


BILLED = {"billingAccountId": "org-acme", "subAccountId": "proj-search", "apiKeyId": "key-7"}
TRACE = {"traceId": "t-1", "parentSpanId": "s-0"}
FIRST_FILE = [
    event("plain"),
    event("twice"),
    event("twice"),
    event("corrected", attempt=1, usageSource="estimate", inputTokens=900),
    event("corrected", attempt=1, usageSource="provider", inputTokens=1000),
    event("retried", "2026-11-20T10:00:00Z", attempt=1, status="error"),
    event("retried", "2026-11-20T10:00:05Z", attempt=2, status="error"),
    event("retried", "2026-11-20T10:00:10Z", attempt=3, inputTokens=2000),
    event("over-midnight", "2026-11-20T23:59:58Z", attempt=1, status="error"),
    event("over-midnight", "2026-11-21T00:00:03Z", attempt=2),
    event("stamped-again", "2026-11-20T23:59:59Z", providerRequestId="p-1"),
    event("stamped-again", "2026-11-21T00:00:01Z", providerRequestId="p-1"),
    event("no-evidence", "2026-11-20T10:00:00Z"),
    event("no-evidence", "2026-11-20T11:00:00Z"),
    event("bare-errors", "2026-11-20T10:00:00Z", status="error"),
    event("bare-errors", "2026-11-20T10:00:09Z", status="error"),
    event("chain-a", providerRequestId="p-chain", attempt=1),
    event("chain-b", providerRequestId="p-chain", attempt=1),
    event("bare-and-evidenced", providerRequestId="p-be"),
    event("bare-and-evidenced"),
    event("replayed", providerRequestId="p-replay"),
    event("replayed", providerRequestId="p-replay", dataMode="test"),
    event("unknown-model", provider="selfhosted", model="acme-internal-7b"),
    event("no-usage", inputTokens=None, outputTokens=None),
    event("error-no-usage", status="error", inputTokens=None, outputTokens=None),
    event("true-zero", inputTokens=0, outputTokens=0),
    event("withdrawn", attempt=1),
    event("reused", "2026-11-15T10:00:00Z", attempt=1),
    event("reused", "2026-11-18T10:00:00Z", attempt=1),
    event("exclusive", inputTokens=3, cacheReadTokens=12_304, outputTokens=550, tokenConvention="exclusive"),
    event("inclusive", inputTokens=12_307, cacheReadTokens=12_304, outputTokens=550),
    event("embedding", provider="openai", model="text-embedding-3-small", outputTokens=None),
    event("unknown-output", outputTokens=None),
    event("total-only-output", outputTokens=None, totalTokens=1200),
    event("reasoning-apart", inputTokens=1000, outputTokens=200, reasoningTokens=600, totalTokens=1800),
    event("reasoning-within", inputTokens=1000, outputTokens=200, reasoningTokens=150, totalTokens=1200),
    event(
        "reasoning-apart-exclusive",
        inputTokens=100,
        cacheReadTokens=900,
        reasoningTokens=600,
        totalTokens=1800,
        tokenConvention="exclusive",
    ),
    event("beyond-its-parts", totalTokens=1500),
    event("beyond-its-reasoning", reasoningTokens=100, totalTokens=1500),
    event("below-its-parts", totalTokens=900),
    event("partial-or-estimate", attempt=1, totalTokens=1500),
    event("partial-or-estimate", attempt=1, usageSource="estimate", inputTokens=1300),
    event("partial-or-whole", attempt=1, totalTokens=1500),
    event("partial-or-whole", attempt=1, inputTokens=1300, totalTokens=1500),
    event("long-writes", cacheWriteTokens=100, cacheWrite30mTokens=40, cacheWrite12hTokens=20),
    event("future", "2026-11-23T18:00:00Z"),
    event("mapped", tenantId=None, userId="svc-nightly-eval"),
    event("metadata-tenant", tenantId=None, metadata={"tenantId": "globex"}),
    event("nobody", tenantId=None, userId=None, endpointTag=None, promptVersion=None),
    event("billed", attempt=1, status="error", billingAccountId="org-old", **TRACE, spanId="s-1"),
    event("billed", "2026-11-20T10:00:05Z", attempt=2, **BILLED, **TRACE, spanId="s-2"),
    event("billed-to-another", attempt=1, billingAccountId="org-acme"),
    event("billed-to-another", attempt=1, billingAccountId="org-other"),
    event("unknown-elsewhere", provider="selfhosted", model="acme-internal-7b", outputTokens=9_000, region="eu"),
    event("in-a-batch", processing="batch"),
    event("long-input", inputTokens=300_000),
    event("unpriced-retry", attempt=1, status="error", model="acme-internal-9b", endpointTag="retry.unpriced"),
    event("unpriced-retry", "2026-11-20T10:00:05Z", attempt=2, endpointTag="retry.unpriced"),
    event("unpriced-estimate", model="acme-internal-9b", usageSource="estimate", endpointTag="retry.none"),
]
LATER_FILE = [event("withdrawn", attempt=1, withdrawn=True)]


def attempts(story: Pipeline, request: str, columns: str) -> list[tuple]:
    return story.ask(
        f"select {columns} from fct_attempts where request_id = ? order by occurred_at, attempt_key", request
    )


def test_a_plain_event_is_one_attempt_and_one_request(story):
    assert attempts(story, "plain", "cost_usd, pricing_status, duplicate_deliveries") == [(PLAIN_COST, "priced", 0)]
    assert story.ask("select attempts, cost_usd from fct_requests where request_id = 'plain'") == [(1, PLAIN_COST)]


def test_the_same_event_twice_counts_once(story):
    assert attempts(story, "twice", "cost_usd, duplicate_deliveries, conflicting_deliveries") == [(PLAIN_COST, 1, 0)]


def test_usage_from_the_provider_outranks_an_estimate_and_the_conflict_is_listed(story):
    assert attempts(story, "corrected", "input_tokens, usage_source, duplicate_deliveries, conflicting_deliveries") == [
        (1000, "provider", 1, 1)
    ]
    conflicts = story.ask(
        "select conflict, line_number, kept_line_number from delivery_conflicts where request_id = 'corrected'"
    )
    assert conflicts == [("conflicting_payload", 4, 5)]


def test_every_try_is_an_attempt_and_all_but_the_last_are_retry_cost(story):
    assert len(attempts(story, "retried", "1")) == 3
    [(tries, status, cost, retry)] = story.ask(
        "select attempts, final_status, cost_usd, retry_cost_usd from fct_requests where request_id = 'retried'"
    )
    last = Decimal("0.009")  # 2,000 input and 200 output
    assert (tries, status, cost, retry) == (3, "success", 2 * PLAIN_COST + last, 2 * PLAIN_COST)


def test_nothing_tried_again_costs_zero_and_what_no_price_is_known_for_is_unknown(story):
    """Zero is known: a total of retry cost needs no coalesce. Of `unpriced-retry`, the first attempt has no price."""
    asked = (
        "select request_id, retry_cost_usd from fct_requests where request_id in ('plain', 'unpriced-retry') order by 1"
    )
    assert story.ask(asked) == [("plain", Decimal(0)), ("unpriced-retry", None)]
    daily = "select retry_cost_usd, estimated_cost_usd, approximate_cost_usd from cost_by_endpoint_daily where endpoint_tag = ?"
    assert story.ask(daily, "retry.unpriced") == [(None, Decimal(0), Decimal(0))]
    assert story.ask(daily, "retry.none") == [(Decimal(0), None, Decimal(0))]


def test_tries_across_midnight_are_one_request_dated_by_the_first(story):
    days = attempts(
        story, "over-midnight", "cast(event_date as varchar), cast(request_date as varchar), is_first_try, is_last_try"
    )
    assert days == [("2026-11-20", "2026-11-20", True, False), ("2026-11-21", "2026-11-20", False, True)]
    assert story.ask(
        "select cast(event_date as varchar), attempts from fct_requests where request_id = 'over-midnight'"
    ) == [("2026-11-20", 2)]


def test_a_redelivery_stamped_after_midnight_is_the_same_attempt_on_the_first_date(story):
    assert attempts(
        story, "stamped-again", "cast(occurred_at as varchar), cast(event_date as varchar), duplicate_deliveries"
    ) == [("2026-11-20 23:59:59", "2026-11-20", 1)]


def test_without_ids_one_success_counts_and_errors_differ_by_instant(story):
    assert attempts(story, "no-evidence", "duplicate_deliveries") == [(1,)]
    assert attempts(story, "bare-errors", "duplicate_deliveries") == [(0,), (0,)]


def test_sharing_either_id_makes_one_attempt(story):
    assert story.ask("select count(*) from fct_attempts where provider_request_id = 'p-chain'") == [(1,)]
    assert attempts(story, "bare-and-evidenced", "duplicate_deliveries") == [(1,)]


def test_a_test_replay_of_real_ids_deletes_nothing(story):
    assert attempts(story, "replayed", "data_mode, duplicate_deliveries") == [("real", 0), ("test", 0)]


@pytest.mark.parametrize(
    ("request_id", "status"),
    [
        ("unknown-model", "unpriced"),
        ("unknown-elsewhere", "unpriced"),
        ("no-usage", "no_usage"),
        ("error-no-usage", "no_usage"),
        ("unknown-output", "no_usage"),
    ],
)
def test_what_is_not_known_has_no_cost(story, request_id, status):
    assert attempts(story, request_id, "cost_usd, pricing_status") == [(None, status)]


def test_a_true_zero_is_zero(story):
    assert attempts(story, "true-zero", "cost_usd, pricing_status") == [(Decimal(0), "priced")]


def test_a_tombstone_withdraws_and_is_listed(story):
    assert attempts(story, "withdrawn", "1") == []
    assert story.ask(
        "select count(*) from delivery_conflicts where request_id = 'withdrawn' and conflict = 'withdrawn'"
    ) == [(1,)]


def test_an_id_used_again_far_away_is_another_attempt_and_is_listed(story):
    assert len(attempts(story, "reused", "1")) == 2
    assert story.ask("select conflict, reused_after_days from delivery_conflicts where request_id = 'reused'") == [
        ("id_reused", 3)
    ]


def test_exclusive_and_inclusive_senders_cost_the_same(story, usd):
    cost = usd(3, per_million=3) + usd(12_304, per_million="0.3") + usd(550, per_million=15)
    for request_id in ("exclusive", "inclusive"):
        assert attempts(story, request_id, "input_tokens, uncached_input_tokens, cached_input_tokens, cost_usd") == [
            (12_307, 3, 12_304, cost)
        ]


def test_writes_of_30_minutes_and_12_hours_are_kinds_of_their_own_at_the_rate_of_writes(story):
    assert story.ask(
        """
        select uncached_input_tokens, cache_write_5m_tokens, cache_write_30m_tokens, cache_write_12h_tokens,
            cache_write_12h_cost_usd, cost_usd, fallback_token_kinds
        from fct_attempts where request_id = 'long-writes'
        """
    ) == [(900, 40, 40, 20, Decimal("0.000075"), Decimal("0.006075"), "cache_write_30m, cache_write_12h")]


def test_an_embedding_needs_no_output(story, usd):
    assert attempts(story, "embedding", "output_tokens, cost_usd") == [(None, usd(1000, per_million="0.02"))]


def test_a_total_gives_the_missing_side(story):
    assert attempts(story, "total-only-output", "output_tokens, cost_usd") == [(200, PLAIN_COST)]


def test_reasoning_that_only_the_total_has_is_output(story, usd):
    cost = usd(1000, per_million=3) + usd(800, per_million=15)
    leaves = "output_tokens, text_output_tokens, reasoning_tokens, cost_usd, usage_source"
    assert attempts(story, "reasoning-apart", leaves) == [(800, 200, 600, cost, "provider")]
    assert attempts(story, "reasoning-within", leaves) == [(200, 50, 150, PLAIN_COST, "provider")]
    cost = usd(100, per_million=3) + usd(900, per_million="0.3") + usd(800, per_million=15)
    assert attempts(story, "reasoning-apart-exclusive", leaves) == [(800, 200, 600, cost, "provider")]


def test_a_total_beyond_its_parts_is_partial_usage_and_one_below_them_is_not_read(story):
    for request_id, source in (
        ("beyond-its-parts", "provider_partial"),
        ("beyond-its-reasoning", "provider_partial"),
        ("below-its-parts", "provider"),
    ):
        assert attempts(story, request_id, "cost_usd, usage_source") == [(PLAIN_COST, source)]


def test_partial_usage_outranks_an_estimate_and_the_whole_outranks_it(story):
    found = "input_tokens, usage_source, duplicate_deliveries"
    assert attempts(story, "partial-or-estimate", found) == [(1000, "provider_partial", 1)]
    assert attempts(story, "partial-or-whole", found) == [(1300, "provider", 1)]


def test_a_call_says_who_is_billed_and_which_trace_it_belongs_to(story):
    account = "billing_account_id, sub_account_id, api_key_id, trace_id"
    assert attempts(story, "billed", f"{account}, span_id, parent_span_id") == [
        ("org-old", None, None, "t-1", "s-1", "s-0"),
        ("org-acme", "proj-search", "key-7", "t-1", "s-2", "s-0"),
    ]
    assert story.ask(f"select {account} from fct_requests where request_id = 'billed'") == [
        ("org-acme", "proj-search", "key-7", "t-1")
    ]


def test_deliveries_that_name_two_accounts_contradict_each_other(story):
    found = "billing_account_id, duplicate_deliveries, conflicting_deliveries"
    assert attempts(story, "billed-to-another", found) == [("org-other", 1, 1)]


def test_a_future_event_is_priced_and_flagged(story):
    assert attempts(story, "future", "is_future, cost_usd") == [(True, PLAIN_COST)]
    assert attempts(story, "plain", "is_future") == [(False,)]


def test_tenants_come_from_the_event_then_its_metadata_then_the_identity_map(story):
    assert [attempts(story, name, "tenant_id") for name in ("plain", "metadata-tenant", "mapped", "nobody")] == [
        [("acme",)],
        [("globex",)],
        [("acme",)],
        [("(unattributed)",)],
    ]


def test_what_nobody_owns_is_unattributed(story):
    assert story.ask(
        "select attempts from cost_by_endpoint_daily where endpoint_tag = '(unattributed)' and data_mode = 'real'"
    ) == [(1,)]
    dimensions = "endpoint_tag, prompt_version, feature_tag, tenant_id, user_id, billing_account_id"
    assert attempts(story, "nobody", dimensions) == [("(unattributed)",) * 6]
    assert story.ask(f"select {dimensions} from fct_requests where request_id = 'nobody'") == [("(unattributed)",) * 6]
    [(mart,)] = story.ask("select sum(cost_usd) from cost_by_tenant_daily")
    [(fact,)] = story.ask("select sum(cost_usd) from fct_attempts")
    assert mart == fact


def test_the_unknown_model_is_in_the_queue_with_an_exposure(story):
    [(reason, requests, low, likely, high, owner)] = story.ask(
        "select reason, requests, exposure_usd_low, exposure_usd, exposure_usd_high, owner from unpriced_models "
        "where model = 'acme-internal-7b'"
    )
    assert (reason, requests) == ("unknown_model", 2)
    assert 0 < low <= likely <= high
    assert owner is None or owner


def test_rows_of_the_wide_mart_add_up_by_billing_account(story):
    """The first try of `billed` was on another account than the second: the request is counted where it began."""
    assert story.ask(
        """
        select billing_account_id, sum(requests), sum(attempts), sum(errors), sum(cost_usd) from cost_daily
        where billing_account_id like 'org-%' group by all order by 1
        """
    ) == [
        ("org-acme", 0, 1, 0, PLAIN_COST),
        ("org-old", 1, 1, 1, PLAIN_COST),
        ("org-other", 1, 1, 0, PLAIN_COST),
    ]
    sums = "sum(requests), sum(attempts), sum(cost_usd), sum(unpriced_attempts), sum(no_usage_attempts)"
    [wide] = story.ask(f"select {sums} from cost_daily")
    [narrow] = story.ask(f"select {sums} from cost_by_model_daily")
    assert wide == narrow


def test_what_caching_saved_is_counted_at_the_uncached_rate(story, usd):
    """12,304 tokens were read at $0.30 instead of $3 in two events, 900 in a third; 100 were written at $3.75."""
    saved = 2 * usd(12_304, per_million="2.7") + usd(900, per_million="2.7")
    sums = "sum(cached_input_cost_usd), sum(cache_savings_usd), sum(cache_write_premium_usd)"
    reads = 2 * usd(12_304, per_million="0.3") + usd(900, per_million="0.3")
    for mart in ("cost_daily", "fct_attempts"):
        assert story.ask(f"select {sums} from {mart}") == [(reads, saved, usd(100, per_million="0.75"))]


def test_what_a_batch_saved_and_a_long_input_cost_is_counted_at_the_other_rate(story, usd):
    """A batch takes half of $3 and $15 per million, an input above 200,000 tokens $6 and $22.50; most calls took neither."""
    long = usd(300_000, per_million=6) + usd(200, per_million="22.5")
    short = usd(300_000, per_million=3) + usd(200, per_million=15)
    paid = "select sum(cost_usd) from fct_attempts where request_id = ?"
    assert story.ask(paid, "in-a-batch") == [(PLAIN_COST / 2,)]
    assert story.ask(paid, "long-input") == [(long,)]
    sums = "sum(batch_savings_usd), sum(long_input_premium_usd)"
    assert story.ask(f"select {sums} from cost_daily") == [(PLAIN_COST / 2, long - short)]
    assert story.ask(f"select {sums} from cost_daily where processing = 'batch'") == [(PLAIN_COST / 2, 0)]
    unpriced = "batch_savings_usd is null and long_input_premium_usd is null"
    assert story.ask(f"select distinct cost_usd is null, {unpriced} from cost_daily order by 1") == [
        (False, False),
        (True, True),
    ]


def test_the_exposure_of_a_model_is_split_among_the_rows_of_its_calls(story, usd):
    """The one model with a price at this endpoint takes $3 and $15: the call with 45 times the output has its share of that."""
    exposures, seven = "exposure_usd_low, exposure_usd, exposure_usd_high", "model = 'acme-internal-7b'"
    split = story.ask(
        f"select region, {exposures} from cost_daily where {seven} and unpriced_attempts > 0 order by region"
    )
    large, small = usd(1000, per_million=3) + usd(9_000, per_million=15), PLAIN_COST
    assert split == [("(unattributed)", *[small] * 3), ("eu", *[large] * 3)]
    assert story.ask(f"select {exposures} from unpriced_models where {seven}") == [(small + large,) * 3]
    assert story.ask("select distinct exposure_usd from cost_daily where unpriced_attempts = 0") == [(Decimal(0),)]
    for model in ("int_costed_usage", "int_weekly_leaves"):  # what alerts and weeks read
        assert story.inside(f"select sum(exposure_usd) from intermediate.{model} where {seven}") == [(small + large,)]


def test_a_date_is_rebuilt_when_it_is_complete_and_every_date_for_another_owner(story):
    def build(at: str, *models: str) -> set[str]:
        before = story.built()
        settings = replace(story.settings, as_of=datetime.fromisoformat(at).replace(tzinfo=UTC))
        Pipeline(settings).build(*WITHOUT_TESTS, "--select", "complete_days", "cost_days", *models)
        return {day for (model, day), found in story.built().items() if before[model, day] != found}

    incomplete = "select distinct cast(event_date as varchar) from marts.cost_daily where not is_complete"
    assert story.inside(incomplete) == [("2026-11-23",)]
    assert build("2026-11-24T05:59:59", "cost_daily") == set()
    assert build("2026-11-24T06:00:00", "cost_daily") == {"2026-11-23"}
    assert story.inside(incomplete) == []
    owners = "select distinct owner from marts.cost_daily where endpoint_tag = 'chat.reply'"
    assert story.inside(owners) == [("team-assistant",)]
    file = story.settings.team / "endpoint_owners.csv"
    file.write_text(file.read_text().replace("chat.reply,team-assistant", "chat.reply,team-chat"))
    dates = {day for model, day in story.built() if model == "cost_daily"}
    assert build("2026-11-24T06:00:00", "stg_endpoint_owners", "cost_daily") == dates
    assert story.inside(owners) == [("team-chat",)]


def test_the_dbt_unit_tests_pass(story):
    run_dbt(story.settings, "test", "--quiet", "--select", "test_type:unit")
