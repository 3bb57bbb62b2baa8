"""The worked examples of docs/pricing.md: each figure there is what the reference computes."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pricing.overrides import Overrides, load_overrides
from pricing.reference import price
from pricing.units import Usage

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "pricing.md").read_text()
SONNET = ("anthropic", "claude-sonnet-4-5")
NOVEMBER = "2026-11-10T12:00:00Z"
READ = Usage(input_tokens=17_903, cache_read_tokens=17_817, output_tokens=211)
BATCH = Usage(input_tokens=10_000, cache_read_tokens=8_000, output_tokens=500)
PLAIN = Usage(input_tokens=10_000, output_tokens=1_000)
EXAMPLES = {
    "cached read": ("0.0087681", READ, NOVEMBER, *SONNET),
    "writes": (
        "0.059583",
        Usage(input_tokens=12_307, cache_write_tokens=12_304, cache_write_1h_tokens=2_304, output_tokens=550),
        NOVEMBER,
        *SONNET,
    ),
    "inclusive": (
        "0.054399",
        Usage(input_tokens=12_307, cache_write_tokens=12_304, output_tokens=550),
        NOVEMBER,
        *SONNET,
    ),
    "reasoning": (
        "0.00925",
        Usage(input_tokens=1_000, output_tokens=800, reasoning_tokens=640),
        NOVEMBER,
        "openai",
        "gpt-5",
    ),
    "tier below": ("0.615", Usage(input_tokens=200_000, output_tokens=1_000), NOVEMBER, *SONNET),
    "tier above": ("1.222506", Usage(input_tokens=200_001, output_tokens=1_000), NOVEMBER, *SONNET),
    "batch": ("0.00425", BATCH, NOVEMBER, "openai", "gpt-5", "batch"),
    "batch before its price": ("0.0085", BATCH, "2026-09-10T12:00:00Z", "openai", "gpt-5", "batch"),
    "before midnight": ("0.016", PLAIN, "2026-07-29T23:59:59Z", "openai", "gpt-5.6-luna"),
    "midnight": ("0.0032", PLAIN, "2026-07-30T00:00:00Z", "openai", "gpt-5.6-luna"),
    "a name in 2025": ("0.0055", PLAIN, "2025-10-01T12:00:00Z", "google", "gemini-flash-latest"),
    "a name in 2026": ("0.024", PLAIN, "2026-06-10T12:00:00Z", "google", "gemini-flash-latest"),
    "midnight elsewhere": ("0.016", PLAIN, "2026-07-30T01:59:59+02:00", "openai", "gpt-5.6-luna"),
}


@pytest.mark.parametrize(
    ("figure", "usage", "at", "provider", "model", "processing"),
    [pytest.param(*example, *[None] * (6 - len(example)), id=name) for name, example in EXAMPLES.items()],
)
def test_a_worked_example_is_what_the_reference_computes(figure, usage, at, provider, model, processing):
    priced = price(usage, datetime.fromisoformat(at), provider, model, processing)
    assert priced.cost_usd == Decimal(figure)
    assert f"**{figure}**" in PAGE


def test_what_the_batch_examples_say_of_their_variant():
    then, now = (
        price(BATCH, datetime.fromisoformat(at), "openai", "gpt-5", "batch").row
        for at in ("2026-09-10T12:00:00Z", NOVEMBER)
    )
    assert (then["variant"], then["missing_variant"]) == (None, "processing=batch")
    assert (now["variant"], now["missing_variant"]) == ("processing=batch", None)


def test_the_override_example_loads_and_costs_what_the_page_says(tmp_path):
    overrides = _in_a_file(tmp_path, PAGE.partition("```yaml\n")[2].partition("```")[0])
    figure = Decimal("0.007452885")
    assert price(READ, datetime.fromisoformat(NOVEMBER), *SONNET, overrides=overrides).cost_usd == figure
    assert f"**{figure}**" in PAGE
    october = price(READ, datetime.fromisoformat("2026-10-31T23:59:59Z"), *SONNET, overrides=overrides)
    assert october.cost_usd == Decimal("0.0087681")


def test_the_unknown_model_is_healed_for_what_the_page_says(tmp_path):
    usage, at = Usage(input_tokens=1_000, output_tokens=200), datetime.fromisoformat(NOVEMBER)
    assert price(usage, at, "selfhosted", "acme-internal-7b").cost_usd is None
    overrides = _in_a_file(
        tmp_path,
        """
prices:
  - {provider: selfhosted, model: acme-internal-7b, from: 2026-01-01, source: a test, approved_by: finance@example.com,
     recorded_at: 2026-11-20, per_million_tokens: {input_tokens: 2, output_tokens: 5}}
""",
    )
    healed = price(usage, at, "selfhosted", "acme-internal-7b", overrides=overrides).cost_usd
    assert 2 * healed == Decimal("0.006")
    assert "**0.006**" in PAGE


def _in_a_file(folder: Path, text: str) -> Overrides:
    (folder / "example.yml").write_text(text)
    return load_overrides(folder)
