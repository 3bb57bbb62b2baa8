"""The price book in the ledger: append-only, idle runs write nothing, a row keeps the version that recorded it."""

import json
from datetime import datetime
from decimal import Decimal

import duckdb
import pytest

from orchestration.commands.price_diff import main as price_diff_command
from orchestration.prices.book import (
    book_home,
    read_price_book,
    seen_price_keys,
    update_price_book,
    versions,
)
from orchestration.settings import Settings, from_environment
from pricing.overrides import OverrideError
from pricing.rows import PriceKey
from pricing.versions import FORMAT, SCHEMA

GPT5, SONNET, NOBODY = PriceKey("openai", "gpt-5"), PriceKey("anthropic", "claude-sonnet-4-5"), PriceKey("acme", "tiny")

OVERRIDE = """
prices:
  - provider: acme
    model: tiny
    from: 2026-03-01
    per_million_tokens: {input_tokens: 1, output_tokens: 2}
    source: order form 4711
    approved_by: finance@example.com
    recorded_at: 2026-02-27
"""


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings of an empty data root and an empty team folder."""
    (tmp_path / "team" / "prices").mkdir(parents=True)
    return from_environment({"TOKENTRAIL_DATA": str(tmp_path / "data"), "TOKENTRAIL_TEAM": str(tmp_path / "team")})


def see(settings: Settings, load_id: str, *keys: PriceKey, supersedes: list[str] | None = None) -> None:
    """A manifest as the loader writes it, with the columns that the price book reads."""
    folder = settings.raw / "_loads"
    folder.mkdir(parents=True, exist_ok=True)
    struct = ", ".join(f"{name} VARCHAR" for name in PriceKey._fields)
    row = [load_id, [key._asdict() for key in keys], supersedes]
    with duckdb.connect() as engine:
        engine.execute(f"create table m (load_id VARCHAR, price_keys STRUCT({struct})[], supersedes VARCHAR[])")
        engine.execute("insert into m values (?, ?, ?)", row)
        engine.execute(f"copy m to '{folder / load_id}.parquet' (format parquet)")


def state(settings: Settings) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns
        for path in settings.ledger.rglob("*")
        if path.is_file() and path.name != "_lock"
    }


def rows(settings: Settings, version: str | None = None) -> dict[str, dict]:
    return {(row["price_row_key"], row["valid_from"]): row for row in read_price_book(settings, version).to_pylist()}


def test_keys_come_from_the_manifests_once(settings):
    assert seen_price_keys(settings) == []
    batch = PriceKey("openai", "gpt-5", "batch", price_context='{"speed":"fast"}')
    see(settings, "a", GPT5, SONNET)
    see(settings, "b", GPT5, batch)
    in_real_time = batch._replace(processing=None)  # tells what the batch saved, whether it was seen or not
    assert seen_price_keys(settings) == [SONNET, GPT5, in_real_time, batch]


def test_loads_that_a_compaction_repeats_are_ignored(settings):
    see(settings, "a", GPT5)
    see(settings, "b", SONNET)
    see(settings, "c", SONNET, supersedes=["a", "b"])
    assert seen_price_keys(settings) == [SONNET]


def test_a_fresh_ledger_has_a_schema_for_readers(settings):
    book = update_price_book(settings)
    assert (book.rows, book.new_keys, book.unknown) == (0, 0, ())
    found = duckdb.sql(f"select * from read_parquet('{settings.ledger}/price_book/*/*.parquet')")
    assert found.columns == SCHEMA.names
    assert found.types[SCHEMA.names.index("reasoning_price_usd")] == "DECIMAL(23,18)"
    assert found.types[SCHEMA.names.index("valid_from")] == "TIMESTAMP"
    assert read_price_book(settings).num_rows == 0


def test_before_the_first_update_there_are_no_rows(settings):
    assert read_price_book(settings).schema == SCHEMA
    with pytest.raises(ValueError, match="has no price book version 'nope': it has none"):
        read_price_book(settings, "nope")


def test_every_key_seen_has_rows_and_decimals_stay_decimals(settings):
    see(settings, "a", GPT5, NOBODY)
    book = update_price_book(settings)
    found = rows(settings).values()
    assert {(row["provider"], row["model"]) for row in found} == {("openai", "gpt-5"), ("acme", "tiny")}
    assert book.unknown == (("acme", "tiny"),)
    assert book.summary()["unknown_models"] == ["acme/tiny"]
    gpt5 = next(row for row in found if row["provider"] == "openai")
    assert gpt5["uncached_input_price_usd"] == Decimal("0.00000125")
    assert json.loads(gpt5["other_prices"])["input_tool_tokens"] == "0.00000125"
    assert (gpt5["source"], gpt5["price_book_version"]) == ("genai-prices 0.2.3", book.version)


def test_an_idle_run_writes_nothing(settings):
    see(settings, "a", GPT5)
    first = update_price_book(settings)
    before = state(settings)
    second = update_price_book(settings)
    assert state(settings) == before
    assert (second.version, second.rows, second.new_keys) == (first.version, first.rows, 0)


def test_a_new_model_appends_a_part_to_the_same_version(settings):
    see(settings, "a", GPT5)
    first = update_price_book(settings)
    before = state(settings)
    see(settings, "b", GPT5, SONNET)
    second = update_price_book(settings)
    assert (second.version, second.new_keys) == (first.version, 1)
    assert before.items() <= state(settings).items()
    assert len(state(settings)) == len(before) + 1


def test_an_override_makes_a_version_and_old_rows_keep_theirs(settings):
    see(settings, "a", GPT5, NOBODY)
    catalogue_only = update_price_book(settings)
    before, old = state(settings), rows(settings)
    (settings.overrides / "acme.yml").write_text(OVERRIDE)
    agreed = update_price_book(settings)
    new = rows(settings)
    assert agreed.version != catalogue_only.version
    assert agreed.unknown == (("acme", "tiny"),)  # until March
    since = {(row["provider"], row["valid_from"]): row for row in new.values()}
    march = datetime.fromisoformat("2026-03-01")
    unknown_until_march, priced = since["acme", None], since["acme", march]
    assert (unknown_until_march["price_book_version"], unknown_until_march["valid_to"]) == (
        catalogue_only.version,
        march,
    )
    assert priced["price_book_version"] == agreed.version
    assert all(
        row["price_book_version"] == catalogue_only.version for (name, _), row in since.items() if name == "openai"
    )
    assert all(new[key]["recorded_at"] == old[key]["recorded_at"] for key in old.keys() & new.keys())
    assert rows(settings, catalogue_only.version) == old
    parts = {path: changed for path, changed in before.items() if path.endswith(".parquet")}
    assert parts.items() <= state(settings).items()


def test_taking_an_override_back_returns_to_the_first_version(settings):
    see(settings, "a", NOBODY)
    first = update_price_book(settings)
    (settings.overrides / "acme.yml").write_text(OVERRIDE)
    second = update_price_book(settings)
    (settings.overrides / "acme.yml").unlink()
    see(settings, "b", GPT5)
    third = update_price_book(settings)
    assert [line["price_book_version"] for line in versions(book_home(settings))] == [
        first.version,
        second.version,
        first.version,
    ]
    assert (third.version, third.new_keys) == (first.version, 1)


def test_wrong_overrides_leave_the_book_as_it_was(settings):
    see(settings, "a", GPT5)
    update_price_book(settings)
    before = state(settings)
    (settings.overrides / "acme.yml").write_text(OVERRIDE.replace("tiny", ""))
    with pytest.raises(OverrideError):
        update_price_book(settings)
    assert state(settings) == before


def test_half_a_line_is_ignored(settings):
    see(settings, "a", GPT5)
    book = update_price_book(settings)
    with (settings.ledger / "price_book" / "versions.jsonl").open("a") as file:
        file.write('{"price_book_version": "abc", "recor')
    assert [line["price_book_version"] for line in versions(book_home(settings))] == [book.version]
    assert update_price_book(settings).version == book.version


def test_a_crash_before_the_version_is_listed_leaves_nothing_behind(settings):
    see(settings, "a", GPT5)
    book = update_price_book(settings)
    part = next((settings.ledger / "price_book" / book.version).glob("*.parquet"))
    (settings.ledger / "price_book" / "versions.jsonl").unlink()
    part.with_name("part-000001.parquet").write_bytes(part.read_bytes())
    again = update_price_book(settings)
    assert (again.version, again.rows, again.new_keys) == (book.version, book.rows, 1)


def test_a_version_of_before_there_were_formats_is_read_as_the_first(settings):
    see(settings, "a", GPT5)
    book = update_price_book(settings)
    path = book_home(settings) / "versions.jsonl"
    entry = json.loads(path.read_text())
    assert entry.pop("format") == FORMAT
    path.write_text(json.dumps(entry) + "\n")
    before = state(settings)
    assert update_price_book(settings).version == book.version
    assert read_price_book(settings).num_rows == book.rows
    assert state(settings) == before


def test_a_version_of_a_later_format_is_refused_with_what_to_do(settings):
    see(settings, "a", GPT5)
    book = update_price_book(settings)
    path = book_home(settings) / "versions.jsonl"
    path.write_text(path.read_text() + json.dumps({"price_book_version": "abc", "format": FORMAT + 1}) + "\n")
    before = state(settings)
    for read in (update_price_book, read_price_book, lambda settings: read_price_book(settings, book.version)):
        with pytest.raises(ValueError, match=r"versions\.jsonl, line 2: price book version abc .* later release"):
            read(settings)
    assert state(settings) == before


def test_a_price_diff_over_a_book_of_a_later_format_ends_in_a_sentence(settings, monkeypatch, capsys):
    see(settings, "a", GPT5)
    update_price_book(settings)
    path = book_home(settings) / "versions.jsonl"
    path.write_text(path.read_text() + json.dumps({"price_book_version": "abc", "format": FORMAT + 1}) + "\n")
    monkeypatch.setenv("TOKENTRAIL_DATA", str(settings.data))
    assert price_diff_command() == 2
    assert "Install that release again" in capsys.readouterr().err
