"""What has no price: what it may cost, since when, what to write, and how it heals."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from pricing.overrides import load_overrides
from pricing.suggestions import suggest
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

# USD per million, written by hand: neighbours with round prices
NEIGHBOURS = {"k1": (1, 2), "k2": (2, 4), "k3": (3, 6), "k4": (4, 8), "k5": (100, 200)}
ODD = 'a"b\\c: #{x}\n- y\u2028z\x7f!'


@pytest.fixture
def overridden(pipeline) -> Pipeline:
    """A pipeline with an empty folder of prices."""
    pipeline.settings.overrides.mkdir()
    return pipeline


def write(pipeline: Pipeline, text: str, name: str = "team.yml") -> Path:
    path = pipeline.settings.overrides / name
    path.write_text(text)
    return path


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


def test_the_exposure_is_the_quantiles_of_its_own_leaves_at_each_kins_prices(overridden, usd):
    neighbours = "".join(price_of("acme", model, *rates, ", cached_input: 0.1") for model, rates in NEIGHBOURS.items())
    write(overridden, f"prices:{neighbours}")
    overridden.land(
        "neighbours.jsonl", [event(f"neighbour-{model}", provider="acme", model=model) for model in NEIGHBOURS]
    )
    tokens = {"inputTokens": 1000, "cacheReadTokens": 400, "outputTokens": 200, "reasoningTokens": 50}
    overridden.land("new.jsonl", [event(f"new-{n}", provider="acme", model="new", **tokens) for n in range(2)])
    overridden.price()
    [(low, likely, high, basis)] = overridden.inside(
        "select exposure_usd_low, exposure_usd, exposure_usd_high, exposure_basis from marts.unpriced_models"
    )

    def at(model: str) -> Decimal:
        input_rate, output_rate = NEIGHBOURS[model]
        return usd(1200, input_rate) + usd(800, 0.1) + usd(400, output_rate)  # reasoning pays the output rate

    assert (low, likely, high) == (at("k1"), at("k3"), at("k5"))
    assert "the prices of 5 models of acme used here (prices of 2026-11-20)" in basis


def test_one_neighbour_is_not_a_bracket(overridden):
    write(overridden, f"prices:{price_of('acme', 'k1', 1, 2)}")
    others = ["claude-sonnet-4-5", "claude-opus-4-1", "claude-haiku-4-5", "claude-3-haiku-20240307"]
    overridden.land("known.jsonl", [event(f"known-{model}", model=model) for model in others])
    overridden.land(
        "k1.jsonl", [event("neighbour", provider="acme", model="k1"), event("new", provider="acme", model="new")]
    )
    overridden.price()
    [(low, high, basis)] = overridden.inside(
        "select exposure_usd_low, exposure_usd_high, exposure_basis from marts.unpriced_models"
    )
    assert low < high
    assert "5 models of its provider and endpoints" in basis


def test_age_deadline_and_owner(pipeline):
    models = {"at-the-deadline": "2026-11-20", "late": "2026-11-19"}  # as of 2026-11-23
    pipeline.land("e.jsonl", [event(m, f"{day}T10:00:00Z", provider="x", model=m) for m, day in models.items()])
    pipeline.price()
    rows = pipeline.inside(
        "select model, status, age_days, sla_days, is_over_sla from marts.unpriced_models order by 1"
    )
    assert rows == [("at-the-deadline", "open", 3, 3, False), ("late", "open", 4, 3, True)]


ODD_NAMES = [("selfhosted", ODD), ("google", "gemini/gemini-1.5-flash-8b"), ("x", "yes"), ("x", "0x1F")]


@pytest.fixture(scope="module")
def snippets(tmp_path_factory) -> dict[tuple[str, str], tuple[str, str | None]]:
    """By (provider, model) with an odd name: the override to paste, and the nearest catalogue name."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("odd") / "data")
    usage = {"cacheReadTokens": 10, "webSearches": 1}
    pipeline.land("e.jsonl", [event(model, provider=provider, model=model, **usage) for provider, model in ODD_NAMES])
    pipeline.price()
    rows = pipeline.inside("select provider, model, override_snippet, suggestion_1 from marts.unpriced_models")
    return {(provider, model): (snippet, nearest) for provider, model, snippet, nearest in rows}


@pytest.mark.parametrize(("provider", "model"), ODD_NAMES)
def test_the_override_to_paste_loads_once_its_blanks_are_filled(snippets, tmp_path, provider, model):
    snippet, nearest = snippets[provider, model]
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


def test_a_price_heals_the_history_and_the_row_stays(overridden, usd):
    events = [
        event(f"r{n}", f"2026-11-{20 - n}T10:00:00Z", provider="selfhosted", model="acme-internal-7b") for n in range(2)
    ]
    overridden.land("e.jsonl", events)
    overridden.price()
    assert overridden.inside("select status, attempts, healed_attempts from marts.unpriced_models") == [("open", 2, 0)]
    write(overridden, f"prices:{price_of('selfhosted', 'acme-internal-7b', 2, 5)}")
    overridden.price()
    [(status, attempts, healed, by, cost, first, last, snippet)] = overridden.inside(
        """select status, attempts, healed_attempts, healed_by, healed_cost_usd, first_seen_date, last_seen_date,
            override_snippet from marts.unpriced_models"""
    )
    assert (status, attempts, healed, snippet) == ("healed", 0, 2, None)
    assert cost == 2 * (usd(1000, 2) + usd(200, 5))
    assert by.endswith("prices/team.yml entry 1, approved by finance@example.com")
    assert (str(first), str(last)) == ("2026-11-19", "2026-11-20")


def test_a_price_for_some_dates_only_leaves_the_row_open(overridden, usd):
    name = {"provider": "selfhosted", "model": "acme-internal-7b"}
    overridden.land("e.jsonl", [event("before", "2026-11-18T10:00:00Z", **name), event("after", **name)])
    overridden.price()
    entry = price_of("selfhosted", "acme-internal-7b", 2, 5).replace("from: 2026-01-01", "from: 2026-11-20")
    write(overridden, f"prices:{entry}")
    overridden.price()
    [(status, attempts, healed, likely, basis)] = overridden.inside(
        "select status, attempts, healed_attempts, exposure_usd, exposure_basis from marts.unpriced_models"
    )
    assert (status, attempts, healed) == ("open", 1, 1)
    assert likely == usd(1000, 2) + usd(200, 5)
    assert "the prices it has on other dates" in basis


def test_quality_counts_what_was_asked_and_not_served_or_not_priced(pipeline):
    events = [
        event("batch", provider="mistral", model="mistral-large-2411", processing="batch"),
        event("plain"),
        event("downgraded", provider="openai", model="gpt-5", serviceTier="default", metadata={"x": "y"}),
        event("unknown", provider="selfhosted", model="nobody"),
    ]
    pipeline.land("e.jsonl", events)
    pipeline.build(*WITHOUT_TESTS, "--select", "+data_quality_daily")
    assert pipeline.inside(
        """select sum(attempts), sum(standard_rate_attempts), sum(unpriced_requests), sum(other_tier_attempts)
        from marts.data_quality_daily"""
    ) == [(4, 1, 1, 0)]
