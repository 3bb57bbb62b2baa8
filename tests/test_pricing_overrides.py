"""Overrides: what they replace and when, and a sentence for everything that is wrong with a file."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pricing.overrides import OverrideError, load_overrides
from pricing.reference import price
from pricing.units import Usage

SIGNED = "source: order form 4711\n    approved_by: finance@example.com"
GPT5 = "provider: openai\n    model: gpt-5"


def usd(tokens: int, per_million: str | int) -> Decimal:
    return tokens * Decimal(per_million) / 1_000_000


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    """A folder like the shipped one; `write(entries)` fills acme.yml in it."""
    home = tmp_path / "pricing" / "overrides"
    home.mkdir(parents=True)
    return home


@pytest.fixture
def load(folder):
    def write_and_load(*entries: str, aliases: tuple[str, ...] = (), file: str = "acme.yml"):
        text = "".join(f"  - {entry}\n" for entry in entries)
        named = "".join(f"  - {alias}\n" for alias in aliases)
        (folder / file).write_text(("prices:\n" + text if entries else "") + ("aliases:\n" + named if aliases else ""))
        return load_overrides(folder)

    return write_and_load


@pytest.fixture
def error(load):
    def of(*entries: str, **kwargs) -> str:
        with pytest.raises(OverrideError) as caught:
            load(*entries, **kwargs)
        return str(caught.value)

    return of


def entry(
    name: str = GPT5, since: str = "2026-03-01", prices: str = "per_million_tokens: {input_tokens: 1}", more: str = ""
) -> str:
    return "\n    ".join(line for line in (name, f"from: {since}", prices, more, SIGNED) if line)


def cost(overrides, instant: str, usage: Usage, provider="openai", model="gpt-5", **scope) -> Decimal | None:
    return price(usage, at(instant), provider, model, overrides=overrides, **scope).cost_usd


INPUT_ONLY = Usage(input_tokens=1000)
CHAT = Usage(input_tokens=1000, output_tokens=0)


def test_the_shipped_folder_has_no_active_override():
    from orchestration.settings import from_environment

    shipped = load_overrides(from_environment({}).overrides)
    assert (shipped.prices, shipped.aliases) == ((), ())


def test_the_example_in_the_readme_is_valid(folder):
    from orchestration.settings import from_environment

    readme = (from_environment({}).overrides / "README.md").read_text()
    (folder / "readme.yml").write_text(readme.split("```yaml\n")[1].split("```")[0])
    overrides = load_overrides(folder)
    usage = Usage(200_000, 1000, reasoning_tokens=1000)
    assert cost(overrides, "2026-03-01", usage, processing="batch") == usd(200_000, "0.5") + usd(1000, 4)
    assert cost(overrides, "2026-03-01", CHAT, "vllm", "llama-3.3-70b") == 0
    assert cost(overrides, "2026-03-01", CHAT, "gateway", "chat-large") == usd(1000, "1.25")


@pytest.mark.parametrize(
    ("instant", "rate"),
    [
        ("2026-02-28T23:59:59.999999", "1.25"),
        ("2026-03-01", "0.7"),
        ("2026-05-31T23:59:59", "0.7"),
        ("2026-06-01", "1.25"),
    ],
)
def test_an_override_holds_from_its_first_instant_until_its_last(load, instant, rate):
    prices = "per_million_tokens: {input_tokens: 0.7, output_tokens: 4}"
    overrides = load(entry(prices=prices, more="to: 2026-06-01"))
    assert cost(overrides, instant, CHAT) == usd(1000, rate)


def test_outside_its_dates_an_unknown_model_stays_unknown(load):
    overrides = load(entry("provider: acme\n    model: tiny"))
    assert cost(overrides, "2026-02-28", INPUT_ONLY, "acme", "tiny") is None
    assert cost(overrides, "2026-03-01", INPUT_ONLY, "acme", "tiny") == usd(1000, 1)


def test_an_offset_in_from_is_honoured(load):
    overrides = load(entry("provider: acme\n    model: tiny", since="2026-03-01T00:00:00+02:00"))
    assert cost(overrides, "2026-02-28T21:59:59", INPUT_ONLY, "acme", "tiny") is None
    assert cost(overrides, "2026-02-28T22:00:00", INPUT_ONLY, "acme", "tiny") == usd(1000, 1)


def test_an_override_replaces_every_price(load):
    overrides = load(entry(prices="per_million_tokens: {input_tokens: 1}"))
    assert (
        cost(overrides, "2026-03-01", Usage(1000, 1)) is None
    )  # no output rate: nothing of the catalogue shows through
    assert cost(overrides, "2026-03-01", Usage(1000, cache_read_tokens=1000)) == usd(1000, 1)


def test_prices_keep_their_digits(load):
    overrides = load(entry(prices="per_million_tokens: {input_tokens: 0.1000000000000000000001, text_output: 1e-7}"))
    row = price(CHAT, at("2026-03-01"), "openai", "gpt-5", overrides=overrides).row
    assert str(row["uncached_input_price_usd"]) == "1.00000000000E-7"
    assert row["text_output_price_usd"] == Decimal("1E-13")


def test_leaves_and_units_are_both_names(load):
    prices = "per_million_tokens: {uncached_input: 1, cached_input: 0.1, text_output: 5, reasoning: 6}"
    overrides = load(entry(prices=f"{prices}\n    per_thousand: {{web_searches: 8, requests: 2}}"))
    usage = Usage(1000, 100, cache_read_tokens=400, reasoning_tokens=60, web_searches=3)
    total = usd(600, 1) + usd(400, "0.1") + usd(40, 5) + usd(60, 6) + 3 * Decimal("0.008") + Decimal("0.002")
    assert cost(overrides, "2026-03-01", usage) == total


@pytest.mark.parametrize(("input_tokens", "rate"), [(200_000, 1), (200_001, 2)])
def test_a_tier_of_an_override_moves_the_whole_request(load, input_tokens, rate):
    tiers = "tiers: [{above_input_tokens: 200000, per_million_tokens: {input_tokens: 2}}]"
    overrides = load(entry(prices="per_million_tokens: {input_tokens: 1, output_tokens: 3}", more=tiers))
    assert cost(overrides, "2026-03-01", Usage(input_tokens, 10)) == usd(input_tokens, rate) + usd(10, 3)


def test_free_is_zero_for_everything(load):
    overrides = load(entry("provider: vllm\n    model: llama", prices="free: true"))
    usage = Usage(10, 10, web_searches=1, reasoning_tokens=2, other={"audio_seconds": 5})
    assert cost(overrides, "2026-03-01", usage, "vllm", "llama") == 0


def test_the_more_specific_scope_wins(load):
    def at_rate(rate: int, more: str) -> str:
        return entry(prices=f"per_million_tokens: {{input_tokens: {rate}, output_tokens: 9}}", more=more)

    overrides = load(
        at_rate(1, ""),
        at_rate(2, "processing: batch"),
        at_rate(3, "region: eu"),
        at_rate(4, "service_tier: flex\n    region: eu"),
    )
    for scope, rate in [
        ({}, 1),
        ({"processing": "realtime"}, 1),
        ({"processing": "batch"}, 2),
        ({"region": "eu"}, 3),
        ({"region": "us"}, 1),
        ({"processing": "batch", "region": "eu"}, 2),
        ({"processing": "batch", "service_tier": "flex", "region": "eu"}, 4),
    ]:
        assert cost(overrides, "2026-03-01", CHAT, **scope) == usd(1000, rate), scope


def test_no_processing_is_realtime(load):
    overrides = load(
        entry(prices="per_million_tokens: {input_tokens: 1, output_tokens: 9}", more="processing: realtime")
    )
    assert cost(overrides, "2026-03-01", CHAT) == usd(1000, 1)
    assert cost(overrides, "2026-11-01", CHAT, processing="batch") == usd(1000, "0.625")


def test_an_alias_takes_the_prices_of_the_catalogue_model_and_its_overrides(load):
    alias = "{provider: gw, model: big, to_provider: openai, to_model: gpt-5, source: gateway, approved_by: ops}"
    assert cost(load(aliases=(alias,)), "2026-03-01", CHAT, "gw", "big") == usd(1000, "1.25")
    overrides = load(entry(prices="per_million_tokens: {input_tokens: 1, output_tokens: 9}"), aliases=(alias,))
    assert cost(overrides, "2026-03-01", CHAT, "gw", "big") == usd(1000, 1)


def test_one_entry_may_cover_several_names(load):
    overrides = load(entry("provider: acme\n    model: [tiny, tiny-2]"))
    assert {cost(overrides, "2026-03-01", INPUT_ONLY, "acme", name) for name in ("tiny", "tiny-2")} == {usd(1000, 1)}


def test_a_comment_changes_no_version_and_a_price_does(load, folder):
    before = load(entry()).content_hash
    (folder / "acme.yml").write_text("# signed\n" + (folder / "acme.yml").read_text())
    assert load_overrides(folder).content_hash == before
    assert load(entry(prices="per_million_tokens: {input_tokens: 2}")).content_hash != before


# ---- sentences ----


def test_an_overlap_names_both_entries(error):
    batch = "processing: batch"
    overlapping = (entry("provider: x\n    model: y"), entry(since="2026-01-01", more=batch), entry(more=batch))
    assert error(*overlapping) == (
        "pricing/overrides/acme.yml: entries 2 and 3 both price openai/gpt-5 (batch) from 2026-03-01: "
        "end the first with `to: 2026-03-01` or delete one."
    )


def test_an_overlap_across_files_names_both_files(load, error):
    load(entry(), file="a.yml")
    assert error(entry()) == (
        "pricing/overrides/a.yml entry 1 and pricing/overrides/acme.yml entry 1 both price openai/gpt-5 "
        "from 2026-03-01: delete one."
    )


def test_entries_that_meet_do_not_overlap(load):
    assert len(load(entry(since="2026-01-01", more="to: 2026-03-01"), entry()).prices) == 2


PLACE = "pricing/overrides/acme.yml entry 1: "


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (entry().replace("model:", "modle:"), "unknown key `modle`: did you mean `model`?"),
        (entry(more="discount: 3"), "unknown key `discount`"),
        (
            entry(prices="per_million_tokens: {imput_tokens: 1}"),
            "has no unit `imput_tokens`: did you mean `input_tokens`?",
        ),
        (
            entry(prices="per_million_tokens: {web_searches: 1}"),
            "no unit `web_searches`: move it under `per_thousand`.",
        ),
        (entry(prices="per_thousand: {reasoning: 1}"), "no unit `reasoning`: move it under `per_million_tokens`."),
        (entry(prices="per_million_tokens: {input_tokens: 1, uncached_input: 2}"), "prices input_tokens twice"),
        (entry(prices="per_million_tokens: {input_tokens: -1}"), "`per_million_tokens.input_tokens` is -1: "),
        (entry(prices="per_million_tokens: {input_tokens: cheap}"), "`per_million_tokens.input_tokens` is cheap: "),
        (entry(prices="per_million_tokens: {input_tokens: 1e12}"), "a price lies from 0 to 99999"),
        (entry(prices="per_million_tokens: {}"), "`per_million_tokens`"),
        (
            entry(prices="per_million_tokens: {input_tokens: 2, cache_read_tokens: 1, input_audio_tokens: 4}"),
            "price cache_audio_read_tokens too, because such a token is both.",
        ),
        (entry(prices=""), "give either `free: true` or prices"),
        (entry(more="free: true"), "give either `free: true` or prices"),
        (entry(more="to: 2026-03-01"), "`to` (2026-03-01) is not after `from` (2026-03-01): correct one."),
        (entry(since="soon"), "`from`: give a date (2026-03-01) or a time in UTC"),
        (entry().replace("\n    from: 2026-03-01", ""), "`from` is missing: add it."),
        (entry().replace("\n    approved_by: finance@example.com", ""), "`approved_by` is missing: add it."),
        (
            entry(
                prices="per_thousand: {requests: 1}", more="tiers: [{above_input_tokens: 5, per_million_tokens: {}}]"
            ),
            "`tiers.1",
        ),
        (
            entry(more="tiers: [{above_input_tokens: 9, per_million_tokens: {input: 1}}]"),
            "has no unit `input`: did you mean",
        ),
        (
            entry(
                more="tiers: [{above_input_tokens: 9, per_million_tokens: {input_tokens: 1}}, "
                "{above_input_tokens: 9, per_million_tokens: {input_tokens: 2}}]"
            ),
            "`tiers` are not in rising order of `above_input_tokens`: sort them.",
        ),
    ],
)
def test_each_mistake_has_its_sentence(error, wrong, sentence):
    message = error(wrong)
    assert message.startswith(PLACE)
    assert sentence in message
    assert "\n" not in message


def test_every_mistake_is_told_at_once(error):
    assert error(entry(since="soon"), entry(), entry(more="colour: red")).count("\n") == 1


def test_a_key_written_twice_is_an_error(error):
    message = error(entry(prices="per_million_tokens: {input_tokens: 1, input_tokens: 2}"))
    assert (
        message
        == "pricing/overrides/acme.yml: line 5: `input_tokens` is written twice, the first would be lost: delete one."
    )


def test_a_file_that_is_no_yaml_or_no_overrides_is_an_error(folder):
    for text, sentence in [
        ("prices: [", "line 1"),
        ("- 1", "entry"),
        ("price: []", "unknown key `price`: did you mean `prices`?"),
    ]:
        (folder / "acme.yml").write_text(text)
        with pytest.raises(OverrideError, match=r"^pricing/overrides/acme.yml: ") as caught:
            load_overrides(folder)
        assert sentence in str(caught.value)


def test_an_alias_must_lead_somewhere(error):
    alias = "{provider: gw, model: big, to_provider: openai, to_model: gpt-5-minni, source: gateway, approved_by: ops}"
    assert error(aliases=(alias,)) == (
        "pricing/overrides/acme.yml alias 1: the catalogue has no openai/gpt-5-minni: did you mean openai/gpt-5-mini?"
    )


def test_an_alias_is_written_once(error):
    alias = "{provider: gw, model: big, to_provider: openai, to_model: gpt-5, source: gateway, approved_by: ops}"
    assert error(aliases=(alias, alias)).endswith(
        "alias 1 and pricing/overrides/acme.yml alias 2 both name gw/big: delete one."
    )
