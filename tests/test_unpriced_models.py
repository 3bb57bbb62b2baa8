"""What has no price: what it may cost, since when, what to write, and how it heals."""

from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pytest
import yaml

from orchestration.settings import PROJECT
from pricing.overrides import load_overrides
from pricing.suggestions import suggest
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

# USD per million, written by hand: neighbours with round prices
NEIGHBOURS = {"k1": (1, 2), "k2": (2, 4), "k3": (3, 6), "k4": (4, 8), "k5": (100, 200)}
ODD = 'a"b\\c: #{x}\n- y\u2028z\x7f!'


ODD_NAMES = [("selfhosted", ODD), ("google", "gemini/gemini-1.5-flash-8b"), ("x", "yes"), ("x", "0x1F")]
TOKENS = {"inputTokens": 1000, "cacheReadTokens": 400, "outputTokens": 200, "reasoningTokens": 50}
PRICED_LATER = {"provider": "selfhosted", "model": "acme-internal-7b"}
PRICED_FROM_THEN_ON = {"provider": "selfhosted", "model": "acme-internal-8b"}
OTHERS = ["claude-sonnet-4-5", "claude-opus-4-1", "claude-haiku-4-5", "claude-3-haiku-20240307"]
EVENTS = [
    *(event(f"neighbour-{model}", provider="acme", model=model) for model in NEIGHBOURS),
    *(event(f"new-{n}", provider="acme", model="new", **TOKENS) for n in range(2)),
    *(event(f"known-{model}", model=model, endpointTag="alone") for model in OTHERS),
    *(event(f"alone-{model}", provider="alone", model=model, endpointTag="alone") for model in ("k1", "new")),
    event("at-the-deadline", "2026-11-20T10:00:00Z", provider="x", model="at-the-deadline"),  # as of 2026-11-23
    event("late", "2026-11-19T10:00:00Z", provider="x", model="late"),
    *(
        event(f"odd-{model}", provider=provider, model=model, cacheReadTokens=10, webSearches=1)
        for provider, model in ODD_NAMES
    ),
    event("healed-1", "2026-11-19T10:00:00Z", **PRICED_LATER),
    event("healed-2", "2026-11-20T10:00:00Z", **PRICED_LATER),
    event("before", "2026-11-18T10:00:00Z", **PRICED_FROM_THEN_ON),
    event("after", "2026-11-20T10:00:00Z", **PRICED_FROM_THEN_ON),
]
QUALITY_DAY = "2026-11-10"  # of these four alone
QUALITY = [
    event("batch", f"{QUALITY_DAY}T10:00:00Z", provider="mistral", model="mistral-large-2411", processing="batch"),
    event("plain", f"{QUALITY_DAY}T10:00:00Z"),
    event("downgraded", f"{QUALITY_DAY}T10:00:00Z", provider="openai", model="gpt-5", serviceTier="default"),
    event("unknown", f"{QUALITY_DAY}T10:00:00Z", provider="selfhosted", model="nobody"),
]


def price_of(provider: str, model: str, input_rate: object, output_rate: object, more: str = "") -> str:
    return f"""
  - provider: {provider}
    model: {model}
    from: 2026-01-01
    per_million_tokens: {{uncached_input: {input_rate}, text_output: {output_rate}{more}}}
    source: "a contract"
    approved_by: finance@example.com
    recorded_at: 2026-11-20
"""


PRICES = [
    *(price_of("acme", model, *rates, ", cached_input: 0.1") for model, rates in NEIGHBOURS.items()),
    price_of("alone", "k1", 1, 2),
    price_of(**PRICED_LATER, input_rate=2, output_rate=5),
    price_of(**PRICED_FROM_THEN_ON, input_rate=2, output_rate=5).replace("from: 2026-01-01", "from: 2026-11-20"),
]


@dataclass(frozen=True)
class Story:
    """Rows of unpriced_models by (provider, model), before there are overrides and with them; and the quality of a day."""

    unpriced: dict[tuple[str, str], dict]
    overridden: dict[tuple[str, str], dict]
    quality: tuple


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    """Calls without a price, and then the prices of some of their models."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("unpriced") / "data")
    pipeline.land("e.jsonl", EVENTS + QUALITY)
    build = (*WITHOUT_TESTS, "--select", "+unpriced_models", "+data_quality_daily")
    pipeline.build(*build)
    before = rows(pipeline)
    [quality] = pipeline.inside(
        f"""select sum(attempts), sum(standard_rate_attempts), sum(unpriced_requests), sum(other_tier_attempts)
        from marts.data_quality_daily where event_date = date '{QUALITY_DAY}'"""
    )
    pipeline.settings.overrides.mkdir()
    (pipeline.settings.overrides / "team.yml").write_text(f"prices:{''.join(PRICES)}")
    pipeline.build(*build)
    return Story(before, rows(pipeline), quality)


def rows(pipeline: Pipeline) -> dict[tuple[str, str], dict]:
    with duckdb.connect(str(pipeline.settings.warehouse), read_only=True) as connection:
        found = connection.execute("from marts.unpriced_models").to_arrow_table().to_pylist()
    return {(row["provider"], row["model"]): row for row in found}


def test_the_exposure_is_the_quantiles_of_its_own_leaves_at_the_prices_of_each_neighbour(story, usd):
    new = story.overridden["acme", "new"]

    def at(model: str) -> Decimal:
        input_rate, output_rate = NEIGHBOURS[model]
        return usd(1200, input_rate) + usd(800, 0.1) + usd(400, output_rate)  # reasoning pays the output rate

    exposure = (new["exposure_usd_low"], new["exposure_usd"], new["exposure_usd_high"])
    assert exposure == (at("k1"), at("k3"), at("k5"))
    page = (PROJECT / "docs" / "pricing.md").read_text()
    assert all(f"**{amount.normalize()}**" in page for amount in (*exposure, at("k3") / 2))
    assert "the prices of 5 models of acme used here (prices of 2026-11-20)" in new["exposure_basis"]


def test_one_neighbour_is_not_a_bracket(story):
    new = story.overridden["alone", "new"]
    assert new["exposure_usd_low"] < new["exposure_usd_high"]
    assert "5 models of its provider and endpoints" in new["exposure_basis"]


def test_age_deadline_and_owner(story):
    columns = ("status", "age_days", "sla_days", "is_over_sla")
    found = {model: [story.unpriced["x", model][name] for name in columns] for model in ("at-the-deadline", "late")}
    assert found == {"at-the-deadline": ["open", 3, 3, False], "late": ["open", 4, 3, True]}


@pytest.mark.parametrize(("provider", "model"), ODD_NAMES)
def test_the_override_to_paste_loads_once_its_blanks_are_filled(story, tmp_path, provider, model):
    row = story.unpriced[provider, model]
    snippet, nearest = row["override_snippet"], row["suggestion_1"]
    filled = [
        f"{line.split(':')[0]}: {'someone' if line.strip().startswith(('source:', 'approved_by:')) else 1}"
        if line.split("#")[0].rstrip().endswith(":")
        and line.split(":")[0].startswith(("    source", "    approved", "      "))
        else line
        for line in snippet.splitlines()
    ]
    folder = tmp_path / "filled"
    folder.mkdir()
    (folder / "team.yml").write_text("\n".join(filled))
    overrides = load_overrides(folder)
    if nearest:
        [(_, alias)] = overrides.aliases
        assert (alias.provider, alias.model) == (provider, model)
        assert nearest.startswith(f"{alias.to_provider}/{alias.to_model} (")
    else:
        [(_, entry)] = overrides.prices
        assert entry.provider == provider
        assert list(entry.model) == [model]
        assert {"cached_input", "uncached_input", "text_output"} == set(entry.per_million_tokens)
        assert "web_searches" in entry.per_thousand
    assert yaml.safe_load(snippet), "with its blanks it is YAML all the same"


def test_every_suggestion_can_be_taken_apart_and_written_into_an_alias():
    for provider, model in [("openai", "gpt-5-minni"), ("gateway", "claude-sonnet-4.5"), ("aws", "claude-haiku-5-5")]:
        for each in suggest(provider, model):
            name, _, reason = str(each).rpartition(" (")
            assert (*name.split("/", 1), reason) == (each.provider, each.model, f"{each.reason})")


def test_a_price_heals_the_history_and_the_row_stays(story, usd):
    before, row = story.unpriced["selfhosted", "acme-internal-7b"], story.overridden["selfhosted", "acme-internal-7b"]
    assert (before["status"], before["attempts"], before["healed_attempts"]) == ("open", 2, 0)
    assert (row["status"], row["attempts"], row["healed_attempts"]) == ("healed", 0, 2)
    assert row["override_snippet"] is None
    assert row["healed_cost_usd"] == 2 * (usd(1000, 2) + usd(200, 5))
    assert row["healed_by"].endswith("prices/team.yml entry 7, approved by finance@example.com")
    assert (str(row["first_seen_date"]), str(row["last_seen_date"])) == ("2026-11-19", "2026-11-20")


def test_a_price_for_some_dates_only_leaves_the_row_open(story, usd):
    row = story.overridden["selfhosted", "acme-internal-8b"]
    assert (row["status"], row["attempts"], row["healed_attempts"]) == ("open", 1, 1)
    assert row["exposure_usd"] == usd(1000, 2) + usd(200, 5)
    assert "the prices it has on other dates" in row["exposure_basis"]


def test_quality_counts_what_was_asked_and_not_served_or_not_priced(story):
    assert story.quality == (4, 1, 1, 0)
