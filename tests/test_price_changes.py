"""Two clocks: what a new price book changes, which dates it dirties, the money it moves, and what the older book still says.

One data root lives through a story of price book versions; each fixture is one more.
"""

import json
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from genai_prices import data_snapshot, types
from rich.console import Console

from orchestration.commands.price_diff import main as price_diff_command
from orchestration.commands.price_diff import print_price_diff
from orchestration.prices.book import book_home, read_price_book, versions
from orchestration.prices.diff import NothingToCompareError, PriceDiff, price_diff
from orchestration.settings import from_environment
from pricing import catalogue, suggestions
from pricing import versions as book_versions
from pricing.reference import leaf_cost, row_at
from tests.pipeline import COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at

SIGNED = "source: order form 4711, approved_by: finance@example.com, recorded_at: 2026-11-21"
INCREASE = f"- {{provider: openai, model: gpt-5-mini, uplift_factor: 2, from: 2027-01-01, {SIGNED}}}"
RETROACTIVE = f"""
- {{provider: openai, model: gpt-5, discount_factor: 0.5, from: 2026-11-05, to: 2026-11-10, {SIGNED}}}
- {{provider: anthropic, tenant: acme, discount_factor: 0.9, from: 2026-11-19T12:00:00Z, to: 2026-11-20, {SIGNED}}}
- {{provider: selfhosted, model: x, from: 2026-11-18, per_million_tokens: {{input_tokens: 2, output_tokens: 5}}, {SIGNED}}}
"""
DAYS = [f"2026-11-{day:02d}" for day in range(1, 21)]
REPRICED = (*COSTS, "+path:models/marts/repricing")  # for the steps of the story, after a first run of everything


@dataclass(frozen=True)
class Version:
    """What a root held after a run with a price book version."""

    total_usd: Decimal
    built_at: dict[tuple[str, str], object]
    tables: dict[str, list[tuple]]
    announced: PriceDiff | None

    def rebuilt_after(self, before: "Version") -> list[str]:
        """Dates of the fact that the run in between built."""
        fact = {day: at for (model, day), at in self.built_at.items() if model == "fct_attempts"}
        return sorted(day for day, at in fact.items() if before.built_at.get(("fct_attempts", day)) != at)


def run(pipeline: Pipeline, announce: bool = True) -> Version:
    announced = price_diff(pipeline.settings) if announce else None
    pipeline.run(*WITHOUT_TESTS, *(REPRICED if announce else ()))
    [(total,)] = pipeline.ask("select sum(cost_usd) from fct_attempts")
    return Version(total, pipeline.built_at(), pipeline.tables(), announced)


def overrides(pipeline: Pipeline, *entries: str) -> None:
    pipeline.settings.overrides.mkdir(exist_ok=True)
    (pipeline.settings.overrides / "acme.yml").write_text("\n".join(["prices:", *entries]) if entries else "")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Pipeline:
    """gpt-5 on even days, gpt-5-mini on odd ones; every day two tenants of Sonnet and a model that nobody knows."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("changes") / "data")
    for number, day in enumerate(DAYS, start=1):
        openai = {"provider": "openai", "model": "gpt-5-mini" if number % 2 else "gpt-5", "inputTokens": 1000 + number}
        lines = [
            event(f"a-{day}", f"{day}T10:00:00Z"),
            event(f"b-{day}", f"{day}T13:00:00Z"),
            event(f"c-{day}", f"{day}T13:00:00Z", tenantId="globex"),
            event(f"d-{day}", f"{day}T10:00:00Z", **openai),
            event(f"e-{day}", f"{day}T11:00:00Z", provider="selfhosted", model="x"),
        ]
        pipeline.land("events.jsonl", lines, day)
    return pipeline


@pytest.fixture(scope="module")
def announced_increase(root) -> Version:
    with pytest.raises(NothingToCompareError, match="make run"):
        price_diff(root.settings)
    overrides(root, INCREASE)
    return run(root, announce=False)


@pytest.fixture(scope="module")
def cancelled(root, announced_increase) -> Version:
    overrides(root)
    return run(root)


@pytest.fixture(scope="module")
def retroactive(root, cancelled) -> Version:
    overrides(root, RETROACTIVE)
    return run(root)


@pytest.fixture(scope="module")
def upgraded(root, retroactive) -> Iterator[Version]:
    """A newer catalogue halves gpt-5-mini from 2026-11-15 on, by the library's own way of taking other prices."""
    before = data_snapshot.get_snapshot()
    providers = [_with_cheaper_mini(provider) if provider.id == "openai" else provider for provider in before.providers]
    version = book_versions.CATALOGUE_VERSION
    try:
        data_snapshot.set_custom_snapshot(replace_providers(before, providers))
        _forget_the_catalogue()
        book_versions.CATALOGUE_VERSION = "0.2.4"
        yield run(root)
    finally:
        data_snapshot.set_custom_snapshot(None)
        _forget_the_catalogue()
        book_versions.CATALOGUE_VERSION = version


def replace_providers(snapshot, providers):
    return data_snapshot.DataSnapshot(providers=providers, from_auto_update=snapshot.from_auto_update)


def _with_cheaper_mini(provider: types.Provider) -> types.Provider:
    models = []
    for model in provider.models:
        if model.id == "gpt-5-mini":
            now = model.prices if isinstance(model.prices, types.ModelPrice) else model.prices[-1].prices
            half = copy(now)
            half.input_mtok = now.input_mtok / 2
            since = types.ConditionalPrice(constraint=types.StartDateConstraint(date(2026, 11, 15)), prices=half)
            model = replace(model, prices=[types.ConditionalPrice(prices=now), since])
        models.append(model)
    return replace(provider, models=models)


def _forget_the_catalogue() -> None:
    catalogue.resolve_over_time.cache_clear()
    suggestions._names.cache_clear()


def changes(root: Pipeline, sequence: int, columns: str) -> list[tuple]:
    return root.ask(f"select {columns} from price_book_changes where version_sequence = ? order by all", sequence)


def test_a_cancelled_future_increase_is_listed_and_touches_no_past_day(root, announced_increase, cancelled):
    assert cancelled.rebuilt_after(announced_increase) == []
    assert cancelled.total_usd == announced_increase.total_usd
    [(change, model, since, month, attempts, moved)] = changes(
        root, 2, "change_type, model, cast(valid_from as varchar), usage_month, attempts, moved_usd"
    )
    assert (change, model, since, month, attempts, moved) == (
        "changed",
        "gpt-5-mini",
        "2027-01-01 00:00:00",
        None,
        0,
        0,
    )


def test_a_retroactive_override_dirties_exactly_the_days_that_saw_what_it_prices(cancelled, retroactive):
    gpt5, tenant, unknown = {"06", "08"}, {"19"}, {"18", "19", "20"}
    assert retroactive.rebuilt_after(cancelled) == [f"2026-11-{day}" for day in sorted(gpt5 | tenant | unknown)]


def test_totals_move_by_exactly_what_is_listed(root, cancelled, retroactive, usd):
    listed = changes(root, 3, "change_type, model, tenant_id, attempts, moved_usd")
    used = [row for row in listed if row[3]]
    gpt5 = -sum((usd(1000 + day, "0.625") + usd(200, 5) for day in (6, 8)), Decimal(0))
    acme = -(usd(1000, "0.3") + usd(200, "1.5"))  # 10 % of the one call of acme's that came after noon
    assert used == [
        ("added", "x", None, 3, 3 * (usd(1000, 2) + usd(200, 5))),
        ("changed", "claude-sonnet-4-5", "acme", 1, acme),
        ("changed", "gpt-5", None, 2, gpt5),
    ]
    assert retroactive.total_usd - cancelled.total_usd == sum(row[4] for row in listed)


def test_the_diff_says_beforehand_what_the_change_then_moves(root, cancelled, retroactive):
    assert retroactive.announced.moved_usd == retroactive.total_usd - cancelled.total_usd
    assert cancelled.announced.moved_usd == 0
    assert len(cancelled.announced.changes) == 1


def test_a_catalogue_upgrade_reprices_the_dates_it_touches(root, retroactive, upgraded, usd):
    assert upgraded.rebuilt_after(retroactive) == ["2026-11-15", "2026-11-17", "2026-11-19"]
    moved = -sum((usd(1000 + day, "0.125") for day in (15, 17, 19)), Decimal(0))
    assert upgraded.total_usd - retroactive.total_usd == moved == upgraded.announced.moved_usd
    assert sum(row[0] for row in changes(root, 4, "moved_usd")) == moved
    [(catalogue_version,)] = root.ask("select catalogue_version from price_book_versions where version_sequence = 4")
    assert catalogue_version == "0.2.4"


def test_older_books_stay_readable_and_reproduce_their_totals(
    root, announced_increase, cancelled, retroactive, upgraded
):
    listed = [line["price_book_version"] for line in versions(book_home(root.settings))]
    assert len(set(listed)) == 4
    used = root.ask(
        """
        select occurred_at, provider, model, tenant_id, input_tokens, uncached_input_tokens, text_output_tokens
        from fct_attempts
        """
    )
    totals = [_total(read_price_book(root.settings, version).to_pylist(), used) for version in listed]
    assert totals == [moment.total_usd for moment in (announced_increase, cancelled, retroactive, upgraded)]


def _total(rows: list[dict], used: list[tuple]) -> Decimal:
    total = Decimal(0)
    for at, provider, model, tenant, size, uncached, text in used:
        of_model = [row for row in rows if (row["provider"], row["model"]) == (provider, model)]
        row = row_at(of_model, at, size, tenant)
        if row["uncached_input_price_usd"] is not None:
            total += leaf_cost(uncached, row["uncached_input_price_usd"])
            total += leaf_cost(text, row["text_output_price_usd"])
    return total


def test_each_row_names_the_version_since_which_its_price_has_stood(root, upgraded):
    listed = [line["price_book_version"] for line in versions(book_home(root.settings))]
    named = dict(
        root.ask(
            """
            select cast(event_date as varchar), any_value(price_book_version)
            from fct_attempts
            where model = 'gpt-5'
            group by event_date
            """
        )
    )
    assert {day: listed.index(version) for day, version in named.items()} == {
        day: 2 if day in ("2026-11-06", "2026-11-08") else 0 for day in DAYS[1::2]
    }


def test_a_full_refresh_equals_the_increments(root, upgraded):
    root.run("--full-refresh", *WITHOUT_TESTS, *REPRICED)
    refreshed = root.tables()
    for name, rows in upgraded.tables.items():
        assert (name, refreshed[name]) == (name, rows)


def test_the_diff_is_readable_and_a_mistake_in_it_is_a_sentence(root, upgraded, capsys):
    print_price_diff(upgraded.announced, Console(width=160))
    shown = capsys.readouterr().out
    assert "openai/gpt-5-mini" in shown
    assert "0.25 / 2" in shown
    assert "Totals would move by -0.000381 USD." in shown


def test_a_price_book_of_a_later_release_is_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TOKENTRAIL_DATA", str(tmp_path))
    home = book_home(from_environment())
    home.mkdir(parents=True)
    (home / "versions.jsonl").write_text('{"price_book_version": "v", "format": 99}\n')
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "tokentrail.duckdb").touch()
    assert price_diff_command() == 2
    assert "written by a later release" in capsys.readouterr().err


def test_the_trial_leaves_nothing_behind(root, upgraded):
    assert not [*root.settings.state.glob("price-diff-*")]
    lines = (book_home(root.settings) / "versions.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == 4
