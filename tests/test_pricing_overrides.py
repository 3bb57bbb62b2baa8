"""Overrides: what they replace and when, and a sentence for everything that is wrong with a file."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest

from orchestration.settings import PROJECT
from pricing.compiler import compile_key
from pricing.overrides import OverrideError, load_overrides
from pricing.reference import price
from pricing.rows import PriceKey
from pricing.units import Usage
from tests.pipeline import event

SIGNED = "source: order form 4711\n    approved_by: finance@example.com\n    recorded_at: 2026-02-20"
PAGE = PROJECT / "docs" / "overrides.md"
GPT5 = "provider: openai\n    model: gpt-5"


def usd(tokens: int, per_million: str | int) -> Decimal:
    return tokens * Decimal(per_million) / 1_000_000


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    """A folder of prices; `write(entries)` fills acme.yml in it."""
    home = tmp_path / "prices"
    home.mkdir()
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


def test_without_a_folder_there_is_no_override(folder):
    nothing = load_overrides(folder / "none")
    assert (nothing.prices, nothing.aliases) == ((), ())


def test_the_example_of_the_page_is_valid(folder):
    readme = PAGE.read_text()
    (folder / "readme.yml").write_text(readme.split("```yaml\n")[1].split("```")[0])
    overrides = load_overrides(folder)
    usage = Usage(200_000, 1000, reasoning_tokens=1000)
    assert cost(overrides, "2026-03-01", usage, processing="batch") == usd(200_000, "0.5") + usd(1000, 4)
    assert cost(overrides, "2026-03-01", CHAT, "vllm", "llama-3.3-70b") == 0
    assert cost(overrides, "2026-03-01", CHAT, "gateway", "chat-large") == usd(1000, "1.25")
    assert cost(overrides, "2026-04-01", CHAT, "anthropic", "claude-sonnet-4-5") == usd(1000, 3) * Decimal("0.85")
    assert price(
        CHAT, at("2026-04-01"), "anthropic", "claude-sonnet-4-5", overrides=overrides, tenant="acme"
    ).cost_usd == (usd(1000, 3) * Decimal("0.7"))
    for eu in ({"region": "eu"}, {"price_context": {"data_residency": "eu"}}):
        assert cost(overrides, "2026-03-01", CHAT, **eu) == usd(1000, "1.25") * Decimal("1.1")


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


MODEL, PROVIDER = GPT5, "provider: openai"
EVERYTHING = {"processing": "batch", "service_tier": "flex", "region": "eu", "price_context": {"a": "1", "b": "2"}}
ALIAS = "{provider: gw, model: big, to_provider: openai, to_model: gpt-5, source: gateway, approved_by: ops}"


@pytest.mark.parametrize("kind", ["rates", "discount", "uplift"])
@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        # more parts beat fewer
        ("processing: batch", ""),
        ("service_tier: flex", ""),
        ("region: eu", ""),
        ("tenant: acme", ""),
        ("price_context: {a: '1'}", ""),
        ("price_context: {a: '1', b: '2'}", "price_context: {a: '1'}"),
        ("service_tier: flex\n    region: eu", "processing: batch"),
        ("price_context: {a: '1', b: '2'}", "tenant: acme"),
        ("processing: batch\n    service_tier: flex\n    region: eu", "tenant: acme\n    region: eu"),
        # at an equal number: tenant, processing, service_tier, region, price_context
        ("tenant: acme", "processing: batch"),
        ("processing: batch", "service_tier: flex"),
        ("service_tier: flex", "region: eu"),
        ("region: eu", "price_context: {a: '1'}"),
        ("price_context: {a: '1'}", "price_context: {b: '2'}"),
        ("tenant: acme\n    region: eu", "processing: batch\n    service_tier: flex"),
    ],
)
@pytest.mark.parametrize("is_turned", [False, True])
def test_the_narrower_entry_wins(load, kind, winner, loser, is_turned):
    says = {
        "rates": ("per_million_tokens: {input_tokens: 2, output_tokens: 9}", "free: true", usd(1000, 2)),
        "discount": ("discount_factor: 0.5", "discount_factor: 0.25", usd(1000, "0.625")),
        "uplift": ("uplift_factor: 3", "uplift_factor: 2", usd(1000, "3.75")),
    }
    won, lost, expected = says[kind]
    pair = [entry(prices=won, more=winner), entry(prices=lost, more=loser)]
    if kind != "rates":  # a base that has neither batch nor flex prices of its own
        base = "per_million_tokens: {input_tokens: 1.25, output_tokens: 9}"
        pair.append(entry(prices=base, more="is_list_price: true"))
    overrides = load(*(reversed(pair) if is_turned else pair))
    assert cost(overrides, "2026-03-01", CHAT, **EVERYTHING, tenant="acme") == expected


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (MODEL, PROVIDER),  # the model is a part of the scope
        ("provider: gw\n    model: big", MODEL),  # reported beats alias target
        ("provider: gw", PROVIDER),
        (MODEL, "provider: gw"),
    ],
)
def test_the_nearer_name_wins(load, winner, loser):
    overrides = load(
        entry(loser, prices="discount_factor: 0.25"), entry(winner, prices="discount_factor: 0.5"), aliases=(ALIAS,)
    )
    assert cost(overrides, "2026-03-01", CHAT, "gw", "big") == usd(1000, "1.25") / 2


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        (PROVIDER, "0.5"),
        ("provider: openai\n    model: gpt-5", "0.5"),  # as the catalogue resolves the dated name
        ("provider: openai\n    model: [gpt-5-2025-08-07]", "0.5"),
        ("provider: azure", "1"),
        ("provider: openai\n    model: gpt-5-mini", "1"),
    ],
)
def test_a_factor_covers_the_name_reported_or_resolved(load, name, factor):
    overrides = load(entry(name, prices="discount_factor: 0.5"))
    assert cost(overrides, "2026-03-01", CHAT, model="gpt-5-2025-08-07") == usd(1000, "1.25") * Decimal(factor)


def test_rates_do_not_cover_a_name_that_only_the_catalogue_knows(load):
    overrides = load(entry(prices="per_million_tokens: {input_tokens: 1, output_tokens: 9}"))
    assert cost(overrides, "2026-03-01", CHAT, model="gpt-5-2025-08-07") == usd(1000, "1.25")


RATES = "per_million_tokens: {input_tokens: 1, output_tokens: 9}"
DISCOUNT, UPLIFT = entry(PROVIDER, prices="discount_factor: 0.8"), entry(PROVIDER, prices="uplift_factor: 1.1")


@pytest.mark.parametrize(
    ("base", "factors", "per_million"),
    [
        ((), (DISCOUNT,), "1"),  # the catalogue's 1.25
        ((), (UPLIFT,), "1.375"),
        ((), (DISCOUNT, UPLIFT), "1.1"),
        ((entry(prices=RATES),), (DISCOUNT,), "1"),  # net
        ((entry(prices=RATES, more="is_list_price: true"),), (DISCOUNT,), "0.8"),
        ((entry(prices=RATES),), (DISCOUNT, UPLIFT), "1.1"),
        ((entry(prices=RATES, more="is_list_price: true"),), (DISCOUNT, UPLIFT), "0.88"),
        ((entry(prices="free: true"),), (DISCOUNT, UPLIFT), "0"),
    ],
)
def test_base_times_discount_times_uplift(load, base, factors, per_million):
    assert cost(load(*base, *factors), "2026-03-01", CHAT) == usd(1000, per_million)


def test_a_factor_holds_only_within_its_dates(load):
    overrides = load(entry(PROVIDER, prices="discount_factor: 0.8", more="to: 2026-06-01"))
    rates = {day: cost(overrides, day, CHAT) for day in ("2026-02-28", "2026-03-01", "2026-05-31", "2026-06-01")}
    assert [*rates.values()] == [usd(1000, "1.25"), usd(1000, 1), usd(1000, 1), usd(1000, "1.25")]


def test_a_factor_leaves_an_unknown_model_unknown(load):
    row = price(CHAT, at("2026-03-01"), "openai", "no-such-model-9", overrides=load(DISCOUNT)).row
    assert (row["resolution"], row["adjustments"], row["approved_by"]) == ("unknown", None, None)
    assert row["uncached_input_price_usd"] is None


def test_a_factor_multiplies_every_price_tier_and_other_unit(load):
    prices = (
        "per_million_tokens: {input_tokens: 1, output_tokens: 3}\n    per_thousand: {web_searches: 10, audio_seconds: 2}\n"
        "    tiers: [{above_input_tokens: 1000, per_million_tokens: {input_tokens: 2}}]"
    )
    overrides = load(entry(prices=prices, more="is_list_price: true"), DISCOUNT)
    usage = {"output_tokens": 10, "web_searches": 1, "other": {"audio_seconds": 5}}
    fees = Decimal("0.010") + 5 * Decimal("0.002")
    for tokens, rate in [(1000, 1), (1001, 2)]:
        whole = usd(tokens, rate) + usd(10, 3) + fees
        assert cost(overrides, "2026-03-01", Usage(tokens, **usage)) == whole * Decimal("0.8")


def test_the_product_is_rounded_once_and_half_up(load):
    prices = "per_million_tokens: {input_tokens: 0.000000000005, output_tokens: 0.000000000003}"
    overrides = load(
        entry(prices=prices, more="is_list_price: true"),
        entry(prices="discount_factor: 0.7"),
        entry(prices="uplift_factor: 1.5"),
    )
    row = price(CHAT, at("2026-03-01"), "openai", "gpt-5", overrides=overrides).row
    # 5e-18 x 0.7 is 3.5e-18: rounded twice it would be 4 x 1.5 = 6
    assert row["uncached_input_price_usd"] == Decimal("5e-18")  # 5.25
    assert row["text_output_price_usd"] == Decimal("3e-18")  # 3.15


def test_a_price_out_of_range_names_the_factor(load):
    overrides = load(entry(prices="per_million_tokens: {input_tokens: 9e9}"), entry(prices="uplift_factor: 100"))
    with pytest.raises(OverrideError, match=r"acme.yml entry 2: 9000 USD times 100 is above 99999 USD per unit"):
        cost(overrides, "2026-03-01", INPUT_ONLY)


def test_a_row_says_what_was_applied_and_who_approved_it(load):
    overrides = load(
        entry(prices=RATES, more="is_list_price: true"),
        DISCOUNT.replace("finance@", "cfo@"),
        entry(PROVIDER, prices="uplift_factor: 1.10", more="region: eu"),
    )
    row = price(CHAT, at("2026-03-01"), "openai", "gpt-5", "batch", region="eu", overrides=overrides).row
    assert row["adjustments"] == (
        "discount_factor 0.8 (prices/acme.yml entry 2)",
        "uplift_factor 1.10 (prices/acme.yml entry 3)",
    )
    assert row["approved_by"] == "finance@example.com, cfo@example.com"
    assert (row["source"], row["resolution"]) == ("prices/acme.yml entry 1", "override")
    assert (row["variant"], row["missing_variant"]) == ("region=eu", None)  # rates cover batch, deliberately


def test_a_factor_on_a_catalogue_row_keeps_its_source(load):
    row = price(CHAT, at("2026-03-01"), "openai", "gpt-5", overrides=load(DISCOUNT)).row
    assert (row["resolution"], row["approved_by"]) == ("catalogue", "finance@example.com")
    assert row["source"].startswith("genai-prices ")


@pytest.mark.parametrize(
    ("more", "variant", "missing"), [("", None, "processing=batch"), ("processing: batch", "processing=batch", None)]
)
def test_only_a_factor_for_the_variant_prices_the_variant(load, more, variant, missing):
    # the catalogue knows no batch price of this model on this day
    overrides = load(entry(prices="discount_factor: 0.5", more=more))
    row = price(CHAT, at("2026-03-01"), "openai", "gpt-5", "batch", overrides=overrides).row
    assert (row["variant"], row["missing_variant"]) == (variant, missing)
    assert row["uncached_input_price_usd"] == Decimal("0.000000625")


def test_a_tenants_prices_are_its_own(load):
    overrides = load(entry(prices="discount_factor: 0.5", more="tenant: acme"), DISCOUNT)
    costs = {tenant: cost(overrides, "2026-03-01", CHAT, tenant=tenant) for tenant in (None, "acme", "globex")}
    assert costs == {None: usd(1000, 1), "acme": usd(1000, "0.625"), "globex": usd(1000, 1)}
    assert cost(overrides, "2026-02-28", CHAT, tenant="acme") == usd(1000, "1.25")


def test_a_tenant_has_rows_of_its_own_only_while_it_pays_something_else(load):
    text = entry(prices="discount_factor: 0.5", more="tenant: acme\n    processing: batch\n    to: 2026-03-06")
    overrides = load(text)
    apart = {
        key: [(row["valid_from"], row["valid_to"]) for row in compile_key(key, overrides) if row["tenant_id"]]
        for key in (PriceKey("openai", "gpt-5"), PriceKey("openai", "gpt-5", "batch"), PriceKey("openai", "gpt-5-mini"))
    }
    assert [*apart.values()] == [
        [],
        [(at("2026-03-01").replace(tzinfo=None), at("2026-03-06").replace(tzinfo=None))],
        [],
    ]


def min_start(rows: list) -> bool:
    return any(row["valid_from"] is None for row in rows)


def max_end(rows: list) -> bool:
    return any(row["valid_to"] is None for row in rows)


def test_factors_of_one_scope_overlap_for_a_provider_as_for_a_model(error, load):
    context = "price_context: {a: '1', b: '2'}"
    same = "price_context: {b: '2', a: '1'}"
    half = entry(PROVIDER, prices="discount_factor: 0.5", more=context)
    assert error(half, entry(PROVIDER, prices="discount_factor: 0.6", more=same)) == (
        "prices/acme.yml: entries 1 and 2 both discount openai/all models (a=1, b=2) from 2026-03-01: delete one."
    )
    for other in (
        entry(PROVIDER, prices="uplift_factor: 2", more=context),  # another kind
        entry(MODEL, prices="discount_factor: 0.6", more=context),  # narrower
        entry(PROVIDER, prices="discount_factor: 0.6", more="price_context: {a: '1'}"),
        entry(PROVIDER, prices="discount_factor: 0.6", more="price_context: {a: '1', b: '3'}"),
        entry(PROVIDER, prices="discount_factor: 0.6", more=f"{context}\n    tenant: acme"),
        entry("provider: azure", prices="discount_factor: 0.6", more=context),
    ):
        assert len(load(half, other).prices) == 2
    assert "both price openai/gpt-5 (tenant acme) from" in error(
        entry(more="tenant: acme"), entry(prices="free: true", more="tenant: acme")
    )


@pytest.mark.parametrize(
    "change",
    [
        "tenant: acme",
        "region: eu",
        "price_context: {speed: fast}",
        "is_list_price: true",
        "note: why",
    ],
)
def test_everything_an_entry_says_makes_a_version(load, change):
    assert load(entry()).content_hash != load(entry(more=change)).content_hash


def test_when_it_was_recorded_makes_a_version(load):
    later = entry().replace("recorded_at: 2026-02-20", "recorded_at: 2026-02-21")
    assert load(entry()).content_hash != load(later).content_hash


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


WRITTEN = """prices:
  - {provider: anthropic, discount_factor: 0.85, from: 2026-11-10, SIGNED}
  - {provider: anthropic, tenant: acme, discount_factor: 0.7, from: 2026-11-12, SIGNED}
  - {provider: openai, model: gpt-5, tenant: acme, processing: batch, discount_factor: 0.5, from: 2026-11-01, SIGNED}
  - {provider: openai, price_context: {data_residency: eu}, uplift_factor: 1.1, from: 2026-11-05, SIGNED}
  - {provider: openai, region: eu, uplift_factor: 1.2, from: 2026-11-05, to: 2026-11-15, SIGNED}
  - {provider: openai, model: gpt-5-mini, per_million_tokens: {input_tokens: 0.1234567, output_tokens: 3},
     from: 2026-11-08, SIGNED}
  - {provider: vllm, model: llama, free: true, from: 2026-11-01, SIGNED}
""".replace("SIGNED", "source: contract, approved_by: finance@example.com, recorded_at: 2026-02-20")


def test_the_warehouse_prices_every_kind_of_override_as_the_reference_does(pipeline):
    pipeline.settings.overrides.mkdir()
    (pipeline.settings.overrides / "written.yml").write_text(WRITTEN)
    overrides = load_overrides(pipeline.settings.overrides)
    models = (
        ("anthropic", "claude-sonnet-4-5"),
        ("openai", "gpt-5"),
        ("openai", "gpt-5-2025-08-07"),
        ("openai", "gpt-5-mini"),
        ("openai", "no-such-model-9"),
        ("vllm", "llama"),
    )
    residencies = (None, {"data_residency": "eu"})
    scopes = product(models, (None, "batch"), (None, "eu"), residencies, (None, "acme", "globex"), (9, 11, 16))
    events, expected = [], {}
    for number, ((provider, model), processing, region, context, tenant, day) in enumerate(scopes):
        usage = Usage(input_tokens=1000, cache_read_tokens=number, output_tokens=2 * number)
        instant = at(f"2026-11-{day:02}T10:00:00")
        scope = {"processing": processing, "region": region, "price_context": context, "tenant": tenant}
        expected[f"r-{number}"] = price(usage, instant, provider, model, **scope, overrides=overrides).cost_usd
        counts = {"inputTokens": 1000, "cacheReadTokens": number, "outputTokens": 2 * number}
        said = {"processing": processing, "region": region, "priceContext": context, "tenantId": tenant}
        fields = {"provider": provider, "model": model} | counts | said
        events.append(event(f"r-{number}", instant.isoformat(), **fields))
    pipeline.land("written.jsonl", events)
    pipeline.price()
    assert dict(pipeline.inside("select request_id, cost_usd from marts.fct_attempts")) == expected
    assert pipeline.inside(
        "select count(*) from marts.price_book where adjustments is not null and approved_by is null"
    ) == [(0,)]


# ---- sentences ----


def test_an_overlap_names_both_entries(error):
    batch = "processing: batch"
    overlapping = (entry("provider: x\n    model: y"), entry(since="2026-01-01", more=batch), entry(more=batch))
    assert error(*overlapping) == (
        "prices/acme.yml: entries 2 and 3 both price openai/gpt-5 (batch) from 2026-03-01: "
        "end the first with `to: 2026-03-01` or delete one."
    )


def test_an_overlap_of_several_models_is_reported_once(error):
    both = "provider: openai\n    model: [b, a]"
    assert error(entry(both), entry(both)).count("both price openai/a from") == 1
    assert "\n" not in error(entry(both), entry(both))


def test_an_overlap_across_files_names_both_files(load, error):
    load(entry(), file="a.yml")
    assert error(entry()) == (
        "prices/a.yml entry 1 and prices/acme.yml entry 1 both price openai/gpt-5 from 2026-03-01: delete one."
    )


def test_entries_that_meet_do_not_overlap(load):
    assert len(load(entry(since="2026-01-01", more="to: 2026-03-01"), entry()).prices) == 2


PLACE = "prices/acme.yml entry 1: "


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (entry().replace("model:", "modle:"), "unknown key `modle`: did you mean `model`?"),
        (entry(more="discount: 3"), "unknown key `discount`: did you mean `discount_factor`?"),
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
        (entry(prices=""), "give exactly one of `free: true`, rates (`per_million_tokens`, `per_thousand`)"),
        (entry(prices=""), "this entry gives none."),
        (entry(more="free: true"), "this entry gives `free` and `per_million_tokens`."),
        (entry(more="discount_factor: 0.9"), "this entry gives `per_million_tokens` and `discount_factor`."),
        (
            entry(prices="discount_factor: 0.9", more="uplift_factor: 1.1"),
            "this entry gives `discount_factor` and `uplift_factor`.",
        ),
        (entry(prices="discount_factor: 0"), "`discount_factor`: 0 is not a discount: 15 % off is 0.85"),
        (entry(prices="discount_factor: -0.5"), "`discount_factor`: -0.5 is not a discount"),
        (entry(prices="discount_factor: 15"), "`discount_factor`: 15 is not a discount"),
        (entry(prices="uplift_factor: 0.1"), "`uplift_factor`: 0.1 is not an uplift: 10 % more is 1.1"),
        (entry(prices="uplift_factor: 100.01"), "`uplift_factor`: 100.01 is not an uplift"),
        (entry(prices="uplift_factor: much"), "`uplift_factor` is much: "),
        (entry("provider: openai"), "`model` is missing: only a factor may be for all models of a provider."),
        (entry("provider: openai", prices="free: true"), "`model` is missing: only a factor"),
        (entry("model: gpt-5"), "`provider` is missing: add it."),
        (entry(more="tenant:"), "`tenant` is blank: write a value or delete the line."),
        (entry(more="tenant: ' '"), "`tenant` is blank: write a value or delete the line."),
        (entry(more="tenant: 4711"), "`tenant` is 4711, which is not text: put it in quotes."),
        (entry(more="price_context: {}"), "`price_context`"),
        (entry(more="price_context: {speed: 2}"), "`price_context.speed` is 2, which is not text: put it in quotes."),
        (
            entry(more="price_context: {region: eu}"),
            "`price_context` has `region`, which is a key of its own: move it up.",
        ),
        (entry(prices="discount_factor: 0.9", more="is_list_price: true"), "delete it here."),
        (entry(prices="free: true", more="is_list_price: true"), "delete it here."),
        (
            entry(
                prices="discount_factor: 0.9",
                more="tiers: [{above_input_tokens: 1, per_million_tokens: {reasoning: 1}}]",
            ),
            "`tiers` need `per_million_tokens` in the same entry",
        ),
        (entry().replace("\n    recorded_at: 2026-02-20", ""), "`recorded_at` is missing: add it."),
        (entry().replace("recorded_at: 2026-02-20", "recorded_at: lately"), "`recorded_at`: give a date"),
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


def test_every_mistake_is_reported_at_once(error):
    assert error(entry(since="soon"), entry(), entry(more="colour: red")).count("\n") == 1


def test_a_key_written_twice_is_an_error(error):
    message = error(entry(prices="per_million_tokens: {input_tokens: 1, input_tokens: 2}"))
    assert (
        message
        == "prices/acme.yml: line 5: `input_tokens` is written twice and the first would be ignored: delete one."
    )


def test_a_file_that_is_not_yaml_or_not_overrides_is_an_error(folder):
    for text, sentence in [
        ("prices: [", "line 1"),
        ("- 1", "entry"),
        ("price: []", "unknown key `price`: did you mean `prices`?"),
    ]:
        (folder / "acme.yml").write_text(text)
        with pytest.raises(OverrideError, match=r"^prices/acme.yml: ") as caught:
            load_overrides(folder)
        assert sentence in str(caught.value)


def test_an_alias_must_lead_somewhere(error):
    alias = "{provider: gw, model: big, to_provider: openai, to_model: gpt-5-minni, source: gateway, approved_by: ops}"
    assert error(aliases=(alias,)) == (
        "prices/acme.yml alias 1: the catalogue has no openai/gpt-5-minni: did you mean openai/gpt-5-mini?"
    )


def test_an_alias_is_written_once(error):
    alias = "{provider: gw, model: big, to_provider: openai, to_model: gpt-5, source: gateway, approved_by: ops}"
    assert error(aliases=(alias, alias)).endswith("alias 1 and prices/acme.yml alias 2 both name gw/big: delete one.")
