"""What the loader accepts, the warehouse builds and publishes: DESIGN section 1, rule 10.

One build with every test and one publication, of these events and those of test_odd_events.py. Ids are names that the warehouse
makes itself, and names made of those; counts are the largest that are taken, at the highest prices there can be.
"""

import random
from decimal import Decimal
from pathlib import Path

from orchestration.landing.convert import LARGEST_COST, LONGEST_LATENCY
from tests.pipeline import Pipeline, event

MOST = 9_999_999_999_999  # the largest count of a line
DEAREST = 99_999  # USD per token, the highest price there can be
FILES, LINES = 3, 700


def composed(name: str) -> list[str]:
    """Names that the warehouse makes of an id, now or in earlier releases."""
    instant = "2026-11-20 09:00:00"
    return [
        *(
            f"{name}#1",
            f"a:{name}#1",
            f"a:{name}#1@2026-11-20",
            f"{name}#1@2026-11-20",
            f"p:{name}",
            f"p:{name}@2026-11-20",
        ),
        *(
            f"s:{name}",
            f"{name}#success",
            f"{name}#success@2026-11-20",
            f"e:{name}#{instant}",
            f"{name}#error@{instant}",
        ),
    ]


def pool() -> list[str]:
    """Ids that are made of each other, three deep, and some that only look odd."""
    once = composed("r9")
    twice = [name for part in once[:4] + once[6:7] for name in composed(part)]
    odd = [
        "|",
        "@",
        "#",
        ":",
        "#1",
        "a:",
        "p:#1",
        "s:",
        "2026-11-20",
        "null",
        "x" * 256,
        "ж" * 256,
        "\u200d#1",
        "r9 #1",
        "R9",
    ]
    return ["r9", *once, *twice, *composed("p:a:r9#1@2026-11-20"), *odd]


def ids(seed: int) -> list[dict]:
    """Lines whose request ids, provider ids and attempts are drawn from one pool, over three days."""
    dice, names = random.Random(seed), pool()
    few = dice.sample(names, 25)  # most lines share few ids, or nothing would meet
    return [
        event(
            dice.choice(dice.choice([few, names])),
            f"2026-11-{dice.choice([19, 20, 21])}T{dice.choice(['09:00:00', '23:59:59', '00:00:00'])}Z",
            attempt=dice.choice([None, None, 1, 1, 2, 2_147_483_647]),
            providerRequestId=dice.choice([None, dice.choice(few), dice.choice(names)]),
            status=dice.choice(["success", "success", "error"]),
            withdrawn=True if dice.random() < 0.02 else None,
            environment=dice.choice(["prod", "prod", "(all)", "*", "prod|real", "(unattributed)"]),
            endpointTag=dice.choice(["a", "a | b", "(unattributed)", "*", None, "'", '"', "\u202e"]),
            promptVersion=dice.choice(["b | c", "c", "(unattributed)", None]),
            tenantId=dice.choice(["(unattributed)", None, "all", "a | b"]),
            **dice.choice([{}, {}, {"provider": "a | b", "model": "c"}, {"provider": "a", "model": "b | c"}]),
        )
        for _ in range(LINES)
    ]


def quantities() -> list[dict]:
    """The largest counts: of models with prices, of one at the highest price, of one without."""
    whole = {"inputTokens": MOST, "outputTokens": MOST}
    parts = whole | {
        "cacheReadTokens": MOST // 2,
        "cacheWriteTokens": MOST // 3,
        "reasoningTokens": MOST // 2,
        "webSearches": MOST,
    }
    models = [
        {"provider": "openai", "model": "o1-pro"},
        {"provider": "acme", "model": "dearest"},
        {"provider": "vllm", "model": "without-a-price"},
    ]
    lines = []
    for at, model in enumerate(models):
        for day in range(1, 22):
            when = f"2026-11-{day:02}T10:00:00Z"
            lines.append(event(f"whole-{at}", when, attempt=day, **model, **whole))
            lines.append(event(f"parts-{at}", when, attempt=day, **model, **parts))
            lines.append(event(f"bare-{at}-{day}", when, **model, inputTokens=0, outputTokens=0, webSearches=MOST))
            extremes = {"costUsd": LARGEST_COST, "latencyMs": LONGEST_LATENCY}
            lines.append(event(f"said-{at}-{day}", when, **model, **extremes))
            lines.append(event(f"said-less-{at}-{day}", when, **model, **(extremes | {"costUsd": -LARGEST_COST})))
    for unit in ("audio_seconds", "input_tool_tokens", "of_no_registry"):
        lines.append(
            event(f"unit-{unit}", provider="openai", model="whisper-1", inputTokens=MOST, usage={unit: MOST - 0.5})
        )
        lines.append(event(f"unit-{unit}-dearest", **models[1], inputTokens=MOST, usage={unit: MOST}))
    for year, instant in (("2015", "2015-01-01T00:00:00Z"), ("2100", "2100-12-31T23:59:59.999999Z")):
        lines += [event(f"edge-{year}", instant), event(f"edge-{year}", instant, attempt=2, **models[2])]
    return lines


def land(pipeline: Pipeline) -> None:
    write_highest_price(pipeline.settings.overrides)
    for number in range(FILES):
        pipeline.land(f"ids-{number}.jsonl", ids(seed=number), f"2026-11-{20 + number}")
    pipeline.land("quantities.jsonl", quantities(), "2026-11-21")


def write_highest_price(folder: Path) -> None:
    folder.mkdir()
    (folder / "acme.yml").write_text(
        f"""
prices:
  - provider: acme
    model: dearest
    from: 2015-01-01
    per_million_tokens: {{uncached_input: {DEAREST}000000, text_output: {DEAREST}000000}}
    per_thousand: {{web_searches: {DEAREST}000}}
    source: a test
    approved_by: test@example.com
    recorded_at: 2026-11-01
"""
    )


OURS = "(landing_file like '%/ids-%' or landing_file like '%/quantities.%')"


def test_nothing_accepted_is_lost(accepted_events):
    [(loaded,)] = accepted_events.inside(f"select sum(rows_loaded) from staging.stg_loads where {OURS}")
    [(refused,)] = accepted_events.ask(f"select count(*) from rejected_events where {OURS}")
    assert loaded + refused == FILES * LINES + len(quantities())
    files = f"select content_hash from staging.stg_loads where {OURS}"
    counts = "count(*), sum(duplicate_deliveries)"
    [(attempts, repeats)] = accepted_events.inside(
        f"select {counts} from marts.fct_attempts where landing_content_hash in ({files})"
    )
    assert attempts > 500
    assert repeats > 500


def test_every_attempt_has_a_name_of_its_own(accepted_events):
    assert (
        accepted_events.ask(
            "select attempt_key from fct_attempts group by source, environment, data_mode, attempt_key having count(*) > 1"
        )
        == []
    )


def test_a_name_says_what_it_is_made_of(accepted_events):
    assert accepted_events.ask("select attempt_key from fct_attempts where request_id = 'whole-0' and attempt = 1") == [
        ("a:whole-0#1@2026-11-01",)
    ]


def test_the_largest_leaf_at_the_highest_price_is_exact(accepted_events):
    [(cost, whole)] = accepted_events.ask(
        "select text_output_cost_usd, cost_usd from fct_attempts where request_id = 'whole-1' and attempt = 1"
    )
    assert cost == Decimal(MOST) * DEAREST
    assert whole == 2 * cost
    [(cost,)] = accepted_events.ask("select cost_usd from fct_attempts where request_id = 'whole-0' and attempt = 1")
    assert cost == Decimal(MOST) * (150 + 600) / 1_000_000


def test_the_largest_reported_costs_and_latencies_have_room_in_every_sum(accepted_events):
    assert accepted_events.ask(
        "select count(*), sum(abs(reported_cost_usd)), avg(latency_ms) from fct_attempts where request_id like 'said-%'"
    ) == [(126, 126 * Decimal(LARGEST_COST), LONGEST_LATENCY)]


def test_the_exposure_of_more_tokens_than_can_be_priced_is_unknown_or_right(accepted_events):
    [(tokens, low)] = accepted_events.ask(
        "select input_tokens, exposure_usd_low from unpriced_models where model = 'without-a-price' and environment = 'prod'"
    )
    assert tokens == 42 * MOST + 1000 * (21 * 2 + 2)
    assert low is None or low > 0
