"""The suites on real DuckDB and real Great Expectations: sound data passes, and a sentence says what is wrong."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from expectations.run import SUITES
from expectations.wording import LONGEST_TEXT, Count, markdown_table, plain
from orchestration.landing.load import load_new_files
from orchestration.quality.data_docs import site_of
from orchestration.quality.suites import build_data_docs, profile, validate
from orchestration.settings import PROJECT, Settings, from_environment
from pricing.units import LEAVES

AS_OF = datetime(2026, 11, 23, 6, 15, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path)


def settings_at(root: Path, **environment: str) -> Settings:
    return from_environment({"TOKENTRAIL_DATA": str(root), "TOKENTRAIL_AS_OF": AS_OF.isoformat(), **environment})


def load(settings: Settings, load_id: str, *rows: str, supersedes: str = "null") -> None:
    """A manifest with rows of (landing_file, event_date, rows_in, rows_loaded, rows_rejected, rejects_by_reason)."""
    path = settings.raw / "_loads" / f"{load_id}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.execute(
        f"""
        copy (
            select '{load_id}' as load_id, timestamp '2026-11-22 06:15:00' as loaded_at, landing_file,
                split_part(landing_file, '/', 1) as source,
                md5(landing_file) as content_hash, event_date::date as event_date,
                rows_in::bigint as rows_in, rows_loaded::bigint as rows_loaded, rows_rejected::bigint as rows_rejected,
                rejects_by_reason::map(varchar, bigint) as rejects_by_reason, {supersedes}::varchar[] as supersedes
            from (values {", ".join(rows)})
                as t (landing_file, event_date, rows_in, rows_loaded, rows_rejected, rejects_by_reason)
        ) to '{path}' (format parquet)
        """
    )


SOUND_LOAD = (
    "('events/dt=2026-11-22/app.jsonl', '2026-11-21', 60, 60, 0, map {})",
    "('events/dt=2026-11-22/app.jsonl', '2026-11-22', 39, 39, 0, map {})",
    "('events/dt=2026-11-22/app.jsonl', null, 1, 0, 1, map {'invalid_json': 1})",
)


def warehouse(settings: Settings, prices: str = "", unpriced: str = "", days: str = "", attempts: str = "") -> None:
    """marts with a sound price of gpt-5 and an unknown model, 100 real requests, and what else the test brings."""
    leaf_prices = ", ".join(f"{leaf.price_column} decimal(23, 18)" for leaf in LEAVES)
    settings.data.mkdir(parents=True, exist_ok=True)
    settings.warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            f"""
            create schema marts;
            create table marts.price_book (
                price_row_key varchar, price_book_version varchar default 'v1', provider varchar default 'openai',
                model varchar default 'gpt-5', resolution varchar default 'catalogue',
                valid_from timestamp, valid_to timestamp, day_second_from integer default 0,
                day_second_to integer default 86400, input_tokens_from bigint default 0, input_tokens_to bigint,
                other_prices varchar, source varchar default 'genai-prices 0.2.3', {leaf_prices}
            );
            insert into marts.price_book
                (price_row_key, uncached_input_price_usd, text_output_price_usd, billed_requests_price_usd)
                values ('sound', 0.00000125, 0.00001, 0);
            insert into marts.price_book (price_row_key, model, resolution)
                values ('nobody knows', 'acme-7b', 'unknown');
            create table marts.unpriced_models (
                provider varchar default 'selfhosted', model varchar, environment varchar default 'prod',
                data_mode varchar default 'real', reason varchar default 'unknown_model',
                first_seen_date date default '2026-10-02', last_seen_date date default '2026-11-22', requests bigint,
                input_tokens bigint, output_tokens bigint, exposure_usd decimal(38, 12), suggestion_1 varchar,
                status varchar default 'open', owner varchar default 'team-a', age_days integer default 2,
                sla_days integer default 3
            );
            create table marts.data_quality_daily
                (event_date date, data_mode varchar, requests bigint, unpriced_requests bigint, attempts bigint default 1);
            insert into marts.data_quality_daily (event_date, data_mode, requests, unpriced_requests)
                values {days or "('2026-11-21', 'real', 60, 0), ('2026-11-22', 'real', 40, 0)"};
            create table marts.fct_attempts (
                event_date date default '2026-11-22', data_mode varchar default 'real', provider varchar default 'openai',
                model varchar default 'gpt-5', pricing_status varchar default 'priced', missing_variant varchar,
                approximate_reason varchar, is_approximate boolean default false, cost_usd decimal(38, 12) default 0.5,
                source varchar default 'events', occurred_at timestamp default '2026-11-22 10:00', price_model_id varchar,
                status varchar default 'success', input_tokens bigint, output_tokens bigint, provider_request_id varchar,
                emitter varchar, metadata varchar
            );
            {prices};
            {unpriced};
            {attempts};
            """
        )


# --- every suite passes on sound data, and on none ---


def test_nothing_loaded_yet_passes(settings):
    for suite in SUITES:
        outcome = validate(settings, suite)
        assert (outcome.passed, outcome.severity, outcome.sentences, outcome.rows) == (True, "none", (), 0)


def test_a_warehouse_without_marts_passes(settings):
    duckdb.connect(str(settings.warehouse)).close()
    assert validate(settings, "price_book").passed
    assert validate(settings, "unpriced_models").passed


def test_sound_data_passes(settings):
    load(settings, "L1", *SOUND_LOAD)
    warehouse(settings)
    outcomes = [validate(settings, suite) for suite in SUITES]
    assert [(outcome.passed, outcome.severity, outcome.table) for outcome in outcomes] == [(True, "none", "-")] * len(
        SUITES
    )
    assert [outcome.rows for outcome in outcomes] == [4, 2, 0, 0, 0, 0, 0]


def test_an_unknown_suite_is_an_error_that_names_the_suites(settings):
    with pytest.raises(
        ValueError,
        match=r"no suite 'prices'.*load_profile, price_book, unpriced_models, price_coverage, calls_seen_twice, invoices, reconciliation",
    ):
        validate(settings, "prices")


# --- load_profile ---


BROKEN_LOADS = {
    "('short.jsonl', '2026-11-21', 10, 9, 0, map {})": (
        "1 landing file and day has lines that were neither loaded, rejected nor skipped: "
        "short.jsonl (2026-11-21): 10 in, 9 loaded, 0 rejected, 0 skipped."
    ),
    "('minus.jsonl', '2026-11-21', -2, -2, 0, map {})": (
        "1 row of the manifests has a negative count of lines: minus.jsonl (2026-11-21): -2."
    ),
    "('mute.jsonl', null, 3, 0, 3, map {'bad_value': 2})": (
        "1 landing file and day has reasons that do not add up to the rejected lines: "
        "mute.jsonl (no event date): 3 rejected, 1 without a reason."
    ),
    "('old.jsonl', '2014-12-31', 5, 5, 0, map {}), ('new.jsonl', '2101-01-01', 5, 5, 0, map {})": (
        "2 event dates lie outside 2015 to 2100 and should have been rejected: "
        "2101-01-01 in new.jsonl; 2014-12-31 in old.jsonl."
    ),
}


def test_broken_manifest_rows_are_errors(settings):
    load(settings, "L1", *SOUND_LOAD)
    load(settings, "L2", *BROKEN_LOADS, "('mute.jsonl', '2026-11-20', 1000, 1000, 0, map {})")
    outcome = validate(settings, "load_profile")
    assert (outcome.passed, outcome.severity, len(outcome.sentences)) == (False, "error", len(BROKEN_LOADS))
    for found, sentence in zip(outcome.sentences, BROKEN_LOADS.values(), strict=True):
        assert found.startswith(sentence)
    assert [file in outcome.table for file in ("short", "minus", "mute", "old", "new", "app")] == [True] * 5 + [False]


def test_the_first_and_the_last_date_pass_and_an_undocumented_reason_is_a_warning(settings):
    load(
        settings,
        "L1",
        "('a.jsonl', '2015-01-01', 500, 500, 0, map {})",
        "('a.jsonl', '2100-12-31', 500, 500, 0, map {})",
        "('a.jsonl', null, 3, 0, 3, map {'gremlins': 3})",
    )
    outcome = validate(settings, "load_profile")
    assert (outcome.passed, outcome.severity, len(outcome.sentences)) == (False, "warning", 1)
    assert outcome.sentences[0].startswith(
        "1 reject reason is not among the documented ones: gremlins in a.jsonl (3 lines)."
    )


@pytest.mark.parametrize(("rejected", "severity"), [(1, "none"), (2, "warning")])
def test_more_than_one_percent_rejects_in_a_file_is_a_warning(settings, rejected, severity):
    loaded = 100 - rejected
    load(
        settings,
        "L1",
        f"('app.jsonl', '2026-11-21', {loaded}, {loaded}, 0, map {{}})",
        f"('app.jsonl', null, {rejected}, 0, {rejected}, map {{'bad_value': {rejected}}})",
    )
    outcome = validate(settings, "load_profile")
    assert outcome.severity == severity
    assert severity == "none" or "1 landing file has more than 1 % of its lines rejected" in outcome.sentences[0]
    assert severity == "none" or "app.jsonl: 2 of 100 (2.0%)" in outcome.sentences[0]


def test_a_refused_event_of_an_incident_is_not_a_sender_that_changed_its_format(settings):
    load(settings, "L1", "('incidents/dt=2026-11-21/a.jsonl', null, 1, 0, 1, map {'bad_event_type': 1})")
    assert validate(settings, "load_profile").severity == "none"


def test_rejects_of_a_file_warn_for_a_week(tmp_path):
    load(settings_at(tmp_path), "L1", "('app.jsonl', null, 9, 0, 9, map {'bad_value': 9})")
    for as_of, severity in (("2026-11-29T23:59:59Z", "warning"), ("2026-11-30T00:00:00Z", "none")):
        assert validate(settings_at(tmp_path, TOKENTRAIL_AS_OF=as_of), "load_profile").severity == severity


def test_superseded_loads_are_not_counted_again(settings):
    load(settings, "L1", "('lost.jsonl', '2026-11-21', 10, 9, 0, map {})")
    load(settings, "L2", *SOUND_LOAD, supersedes="['L1']")
    assert set(profile(settings, "load_profile")["load_id"]) == {"L2"}
    assert validate(settings, "load_profile").passed


def test_what_the_loader_writes_is_accounted_for(settings):
    event = {"externalRequestId": "r1", "occurredAt": "2026-11-21T10:00:00Z", "provider": "openai", "model": "gpt-5"}
    folder = settings.data / "landing" / "events" / "dt=2026-11-22"
    folder.mkdir(parents=True)
    (folder / "app.jsonl").write_text(json.dumps(event | {"status": "success"}) + "\n{broken\n")
    load_new_files(settings, "events")
    (sentence,) = validate(settings, "load_profile").sentences
    assert "events/dt=2026-11-22/app.jsonl: 1 of 2 (50.0%)" in sentence


def test_the_suite_knows_the_documented_reasons():
    documented = set(re.findall(r"^\| `?([a-z0-9_]+)`? \|", _reasons_in_the_docs(), flags=re.MULTILINE)) - {
        "reason_code"
    }
    suite = json.loads((PROJECT / "expectations" / "load_profile.json").read_text())
    known = next(each["kwargs"] for each in suite["expectations"] if each["kwargs"]["column"] == "reason_code")
    assert set(known["value_set"]) == documented


def _reasons_in_the_docs() -> str:
    text = (PROJECT / "docs" / "sources.md").read_text()
    return text[text.index("| reason_code |") :].split("\n\n")[0]


# --- price_book ---


def price(model: str, columns: str, values: str) -> str:
    named, key = ("", "") if "price_row_key" in columns else ("price_row_key, ", f"'key of {model}', ")
    return f"insert into marts.price_book (model, {named}{columns}) values ('{model}', {key}{values});"


BROKEN_PRICES = [
    ("keyless", "price_row_key", "null", "1 price has no key: openai/keyless."),
    (
        "twin",
        "price_row_key",
        "'sound'",
        "2 prices share key and validity within a version of the price book: sound (openai/gpt-5, version v1); sound (openai/twin",
    ),
    ("silent", "resolution", "null", "1 price does not say where it comes from"),
    (
        "guess",
        "resolution",
        "'guess'",
        "1 price has a resolution that is not catalogue, override or unknown: openai/guess",
    ),
    ("minus", "text_output_price_usd", "-0.000001", "openai/minus -0.000001 USD per unit (source genai-prices 0.2.3)"),
    ("minus-audio", "other_prices", """'{"audio_seconds": "-0.0001"}'""", "openai/minus-audio -0.0001 USD per unit"),
    (
        "per-million",
        "text_output_price_usd",
        "15",
        "1 price row asks more than 0.01 USD per token: openai/per-million 15 USD",
    ),
    (
        "per-k",
        "billed_requests_price_usd",
        "10.01",
        "1 price row asks more than 10 USD per request or web search: openai/per-k 10.01",
    ),
    (
        "empty-span",
        "valid_from, valid_to",
        "'2026-03-01', '2026-03-01'",
        "1 price does not begin before ending: openai/empty-span from 2026-03-01 00:00:00 to 2026-03-01 00:00:00.",
    ),
    ("no-start", "day_second_from", "null", "from which second of the day to apply: openai/no-start."),
    ("no-end", "day_second_to", "null", "to which second of the day to apply: openai/no-end."),
    ("yesterday", "day_second_from", "-1", "outside the day's seconds 0 to 86,399: openai/yesterday from second -1."),
    ("tomorrow", "day_second_to", "86401", "outside the day's seconds 1 to 86,400: openai/tomorrow to second 86,401."),
    ("night", "day_second_from, day_second_to", "7200, 3600", "openai/night from second 7,200 to 3,600."),
    ("tier", "input_tokens_from, input_tokens_to", "200001, 200001", "openai/tier from 200,001 to 200,001 tokens."),
    (
        "mystery",
        "resolution, text_output_price_usd",
        "'unknown', 0",
        "1 unknown model has a price: openai/mystery (1 price).",
    ),
]


def test_broken_prices_are_errors(settings):
    warehouse(settings, prices="".join(price(*broken[:3]) for broken in BROKEN_PRICES))
    outcome = validate(settings, "price_book")
    assert (outcome.passed, outcome.severity) == (False, "error")
    assert len(outcome.sentences) == len(BROKEN_PRICES) - 1, "the two negative prices share a sentence"
    for _, _, _, sentence in BROKEN_PRICES:
        assert sum(sentence in found for found in outcome.sentences) == 1, sentence
    assert "acme-7b" not in outcome.table


def test_what_is_just_allowed_passes(settings):
    allowed = [
        ("dear", "text_output_price_usd", "0.01"),
        ("fee", "billed_requests_price_usd", "10"),
        ("free", "text_output_price_usd", "0"),
        ("instant", "valid_from, valid_to", "'2026-03-01', '2026-03-01 00:00:00.000001'"),
        ("open", "valid_from", "'2026-03-01'"),
        ("last second", "day_second_from, day_second_to", "86399, 86400"),
        ("newer", "price_book_version, price_row_key", "'v2', 'sound'"),
        ("returned", "price_row_key, valid_from", "'sound', '2026-09-01'"),
    ]
    warehouse(settings, prices="".join(price(*each) for each in allowed))
    assert validate(settings, "price_book").sentences == ()


# --- unpriced_models: models_missing_from_the_pricing_map ---


def unpriced(*rows: str) -> str:
    """Rows of the queue; the real requests without a price fall on the last day, where the share is taken."""
    columns = "model, requests, input_tokens, output_tokens, suggestion_1, data_mode, environment"
    return f"""
        insert into marts.unpriced_models ({columns}) values {", ".join(rows)};
        update marts.data_quality_daily
        set unpriced_requests = (select sum(requests) from marts.unpriced_models where data_mode = 'real')
        where data_mode = 'real' and event_date = '2026-11-22'
    """


def test_missing_models_are_a_warning_with_names_and_numbers(settings):
    warehouse(
        settings,
        unpriced=unpriced(
            "('acme-7b', 2, 1200000, 4000, 'acme/acme-8b, acme/acme-70b', 'real', 'prod')",
            "('acme-7b', 1, 331, null, 'acme/acme-8b, acme/acme-70b', 'real', 'staging')",
            "('acme-1b', 1, null, null, null, 'real', 'prod')",
        ),
    )
    outcome = validate(settings, "unpriced_models")
    assert (outcome.passed, outcome.severity, outcome.rows) == (False, "warning", 2)
    assert " ".join(outcome.sentences) == (
        "2 models are missing from the price book: 4 requests, 1,204,331 tokens since 2026-10-02 "
        "(4.0% of the real requests of the last 7 days): "
        "selfhosted/acme-7b (nearest: acme/acme-8b, acme/acme-70b); selfhosted/acme-1b (no similar name). "
        "Add them to prices/ in the team folder or correct the name that is sent."
    )
    lines = outcome.table.splitlines()
    assert lines[0] == (
        "| provider | model | owner | first_seen_date | age_days | requests | tokens | exposure_usd | suggestion |"
    )
    assert lines[2].startswith("| selfhosted | acme-7b | team-a | 2026-10-02 | 2 | 3 | 1,204,331 | - |")
    assert lines[3].startswith("| selfhosted | acme-1b | team-a | 2026-10-02 | 2 | 1 | - | - |"), (
        "unknown is never zero"
    )


def test_unknown_tokens_are_not_reported_as_none(settings):
    warehouse(settings, unpriced=unpriced("('acme-1b', 1, null, null, null, 'real', 'prod')"))
    assert (
        "1 model is missing from the price book: 1 request, unknown tokens"
        in (validate(settings, "unpriced_models").sentences[0])
    )


@pytest.mark.parametrize(
    ("requests", "share", "severity"),
    [(5, "0.05", "warning"), (6, "0.05", "error"), (29, "0.29", "warning")],  # 0.29 has no exact binary form
)
def test_the_threshold_is_crossed_above_it_not_at_it(tmp_path, requests, share, severity):
    settings = settings_at(tmp_path, TOKENTRAIL_UNPRICED_ERROR_SHARE=share)
    warehouse(settings, unpriced=unpriced(f"('acme-7b', {requests}, 1, 1, null, 'real', 'prod')"))
    outcome = validate(settings, "unpriced_models")
    assert outcome.severity == severity
    assert ("6.00% of the real requests of the last 7 days, more than the 5.00% of" in outcome.sentences[-1]) == (
        severity == "error"
    )


def test_test_and_demo_data_do_not_count(settings):
    warehouse(
        settings,
        unpriced=unpriced("('acme-7b', 90, 1, 1, null, 'test', 'prod')", "('acme-7b', 90, 1, 1, null, 'demo', 'prod')"),
        days="('2026-11-21', 'test', 90, 90), ('2026-11-21', 'real', 1, 0)",
    )
    assert validate(settings, "unpriced_models").passed


@pytest.mark.parametrize(("window", "severity"), [("7", "error"), ("30", "warning")])
def test_a_price_lost_today_is_an_error_on_a_long_history(tmp_path, window, severity):
    history = ", ".join(f"('2026-11-{day:02}', 'real', 100, 0)" for day in range(1, 22))
    settings = settings_at(tmp_path, TOKENTRAIL_UNPRICED_WINDOW_DAYS=window)
    warehouse(
        settings,
        unpriced=unpriced("('acme-7b', 40, 1, 1, null, 'real', 'prod')"),
        days=f"{history}, ('2026-11-22', 'real', 100, 0)",
    )  # 40 of 700 are 5.7 %, 40 of 2,200 are 1.8 %
    assert validate(settings, "unpriced_models").severity == severity


def test_old_gaps_are_a_warning_and_a_date_ahead_of_now_moves_no_window(settings):
    warehouse(
        settings,
        unpriced=unpriced("('acme-7b', 40, 1, 1, null, 'real', 'prod')"),
        days="('2026-10-02', 'real', 40, 40), ('2026-11-22', 'real', 1000, 0), ('2026-12-24', 'real', 1, 1)",
    )
    outcome = validate(settings, "unpriced_models")
    assert (outcome.severity, len(outcome.sentences)) == ("warning", 1)


def test_healed_models_do_not_count(settings):
    healed = (
        unpriced("('acme-7b', 0, null, null, null, 'real', 'prod')")
        + ";update marts.unpriced_models set status = 'healed'"
    )
    warehouse(settings, unpriced=healed)
    assert validate(settings, "unpriced_models").passed


@pytest.mark.parametrize(("age", "is_named"), [(3, False), (4, True)])
def test_models_over_their_days_are_named_with_their_owner(settings, age, is_named):
    late = (
        unpriced("('acme-7b', 1, 1, 1, null, 'real', 'prod')") + f";update marts.unpriced_models set age_days = {age}"
    )
    warehouse(settings, unpriced=late)
    sentences = validate(settings, "unpriced_models").sentences
    named = (
        "1 model is without a price for more than the 3 days of TOKENTRAIL_UNPRICED_SLA_DAYS: "
        "selfhosted/acme-7b (4 days, owner team-a)."
    )
    assert any(named in sentence for sentence in sentences) == is_named


# --- price_coverage ---


def test_an_approximate_cost_is_a_warning_with_names_and_reasons(settings):
    warehouse(
        settings,
        attempts="""
            insert into marts.fct_attempts
                (model, missing_variant, approximate_reason, is_approximate, event_date, data_mode) values
                ('gpt-5', 'processing=batch', 'missing_variant', true, '2026-11-22', 'real'),
                ('gpt-5', 'processing=batch', 'missing_variant', true, '2026-11-16', 'real'),
                ('gpt-5', 'processing=batch', 'missing_variant', true, '2026-11-15', 'real'),
                ('gpt-5', 'processing=batch', 'missing_variant', true, '2026-11-22', 'test'),
                ('gpt-5', 'processing=batch', null, false, '2026-11-22', 'real'),
                ('chat-latest', null, 'moving_name, partial_usage', true, '2026-11-22', 'real')
        """,
    )
    outcome = validate(settings, "price_coverage")
    assert (outcome.passed, outcome.severity, outcome.rows) == (False, "warning", 2)
    assert outcome.sentences[0].startswith(
        "2 models were priced approximately in the last 7 days: "
        "openai/gpt-5 asked for processing=batch (2 attempts, 1 USD); "
    )
    why = "openai/chat-latest is a name whose meaning changed and reported more in total than in parts (1 attempt, 0.5 USD)"
    assert why in outcome.sentences[0]


# --- calls_seen_twice ---


def test_sources_that_saw_the_same_calls_are_a_warning_with_what_to_do(settings):
    warehouse(
        settings,
        attempts="""
            insert into marts.fct_attempts
                (source, occurred_at, model, price_model_id, input_tokens, output_tokens, provider_request_id) values
                ('litellm', '2026-11-22 10:00:01', 'gpt-5', 'gpt-5', 1000, 200, 'c1'),
                ('otel', '2026-11-22 10:00:02', 'gpt-5-2025-08-07', 'gpt-5', 1000, 200, 'c1'),
                ('otel', '2026-11-22 10:00:40', 'gpt-5', 'gpt-5', 1000, 200, null),
                ('otel', '2026-11-22 10:01:02', 'gpt-5', 'gpt-5', 1000, 200, null),
                ('otel', '2026-11-22 10:00:02', 'gpt-5', 'gpt-5', 1001, 200, null),
                ('events', '2026-11-22 10:01:59', 'gpt-5', 'gpt-5', 1000, 200, 'e1'),
                ('events', '2026-11-22 10:00:03', 'gpt-5', 'gpt-5', null, null, 'e2')
        """,
    )
    outcome = validate(settings, "calls_seen_twice")
    assert (outcome.passed, outcome.severity, outcome.rows) == (False, "warning", 2)
    (sentence,) = outcome.sentences
    assert sentence.startswith(
        "2 pairs of sources or instrumentations may have counted calls of the last 7 days twice: "
        "events and otel (1 call, 0.5 USD, 0 with one id of the provider): they share no id of the provider, "
    )
    assert "litellm and otel (1 call, 0.5 USD, 1 with one id of the provider): add the lines " in sentence


def test_two_instrumentations_of_one_service_are_a_warning_that_names_the_setting(settings):
    """Not two services that call alike, and not a few calls that are alike by chance."""
    spans = [
        (emitter, service, minute, tokens)
        for emitter, service, calls in (
            ("langchain", "shop", range(3)),
            ("openai", "shop", range(9)),
            ("anthropic", "shop", (8, 20, 21, 22)),
            ("openai", "mail", range(20, 23)),
        )
        for minute in calls
        for tokens in [1000 + minute]
    ]
    rows = ", ".join(
        f"""('otel', '{emitter}', '{{"service_name":"{service}"}}', '2026-11-22 10:{minute:02}:00', {tokens}, 200)"""
        for emitter, service, minute, tokens in spans
    )
    warehouse(
        settings,
        attempts="insert into marts.fct_attempts (source, emitter, metadata, occurred_at, input_tokens, output_tokens) "
        f"values {rows}",
    )
    (sentence,) = validate(settings, "calls_seen_twice").sentences
    assert sentence.startswith(
        "1 pair of sources or instrumentations may have counted calls of the last 7 days twice: "
        "otel (langchain) and otel (openai) (3 calls, 1.5 USD, 0 with one id of the provider): "
        "list one of them under ignore_scopes in mappings/otel.yml of the team folder, if both instrument one process"
    )


# --- an unchanged profile is not judged again ---


def test_an_unchanged_profile_gives_the_stored_outcome(settings):
    warehouse(settings, unpriced=unpriced("('acme-7b', 5, 1, 1, null, 'real', 'prod')"))
    first, second = validate(settings, "unpriced_models"), validate(settings, "unpriced_models")
    assert (first.cached, second.cached) == (False, True)
    assert (first.sentences, first.table, first.severity) == (second.sentences, second.table, second.severity)


def test_a_changed_profile_or_threshold_is_judged_again(settings, tmp_path):
    warehouse(settings, unpriced=unpriced("('acme-7b', 5, 1, 1, null, 'real', 'prod')"))
    assert validate(settings, "unpriced_models").severity == "warning"
    stricter = settings_at(tmp_path, TOKENTRAIL_UNPRICED_ERROR_SHARE="0.04")
    assert validate(stricter, "unpriced_models").severity == "error"
    warehouse(settings)
    assert validate(stricter, "unpriced_models").passed


def test_a_broken_state_file_is_judged_again(settings):
    validate(settings, "unpriced_models")
    for content in ("{", "{}"):
        (settings.state / "expectations" / "unpriced_models.json").write_text(content)
        assert not validate(settings, "unpriced_models").cached


def test_great_expectations_is_not_imported_when_nothing_changed(settings):
    load(settings, "L1", *SOUND_LOAD)
    warehouse(
        settings, prices="insert into marts.price_book (price_row_key, valid_from) values ('dated', '2026-03-01')"
    )
    for suite in SUITES:
        validate(settings, suite)
    program = (
        "import sys; from orchestration.quality.suites import *; from orchestration.settings import from_environment;"
        "outcomes = [validate(from_environment(), suite) for suite in SUITES];"
        "assert all(outcome.cached for outcome in outcomes), outcomes;"
        "assert 'great_expectations' not in sys.modules"
    )
    environment = {"TOKENTRAIL_DATA": str(settings.data), "TOKENTRAIL_AS_OF": AS_OF.isoformat(), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PROJECT, env=environment)


# --- Data Docs ---


class Links(HTMLParser):
    """Where a page points to and what it loads."""

    def __init__(self, page: str):
        super().__init__()
        self.targets, self.anchors, self.scripts = set(), set(), 0
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.targets |= {named[name] for name in ("href", "src") if name in named}
        self.anchors |= {f"#{named['id']}"} if "id" in named else set()
        self.scripts += tag == "script"


def test_data_docs_need_nothing_else_and_their_links_resolve(settings):
    load(settings, "L1", *SOUND_LOAD, "('a.jsonl', '2026-11-21', 10, 9, 0, map {})")
    warehouse(settings, unpriced=unpriced("('acme-7b', 6, 1, 1, null, 'real', 'prod')"))
    for suite in SUITES:
        validate(settings, suite)
    index, _ = build_data_docs(settings)
    assert index == settings.state / "expectations" / "site" / "index.html", "publishing takes it from there"
    pages = {path.name: path.read_text() for path in index.parent.glob("*.html")}
    assert set(pages) == {
        "index.html",
        "load_profile.html",
        "price_book.html",
        "unpriced_models.html",
        "price_coverage.html",
        "invoices.html",
        "reconciliation.html",
        "calls_seen_twice.html",
    }
    for name, page in pages.items():
        links = Links(page)
        assert links.scripts == 0, name
        assert not re.findall(r"https?://|url\(", page), name
        for target in links.targets:
            assert target in links.anchors or (index.parent / target).is_file(), f"{name} points to {target}"
    assert 'Landed files and rejected lines: <span class="error">' in pages["index.html"]
    assert 'Price book: <span class="passed">' in pages["index.html"]
    assert "acme-7b" in pages["index.html"]
    assert "Every line of a landing file is loaded, rejected or skipped" in pages["load_profile.html"]
    assert '<h1>Landed files and rejected lines: <span class="error">' in pages["load_profile.html"]
    for noise in ("Actions", "Batch", "Validations /", "Table-Level"):
        assert noise not in pages["load_profile.html"], noise


def test_data_docs_are_written_only_when_a_result_changed(settings):
    validate(settings, "price_book")
    index, written = build_data_docs(settings)
    before = index.stat().st_mtime_ns
    validate(settings, "price_book")
    assert not written
    assert index.stat().st_mtime_ns == before
    warehouse(settings)
    validate(settings, "price_book")
    assert index.stat().st_mtime_ns > before


def test_names_from_senders_are_text_and_not_markup(settings):
    name = "<script>alert(1)</script>|$PARAMETER {rows} [x](http://evil)"
    warehouse(
        settings,
        prices=f"insert into marts.price_book (price_row_key, resolution) values ('b', '{name}')",
        unpriced=unpriced(f"('{name}', 1, 1, 1, null, 'real', 'prod')"),
    )
    outcome = validate(settings, "unpriced_models")
    assert name in outcome.sentences[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\|$PARAMETER {rows} \\[x\\](http://evil)" in outcome.table
    assert name in validate(settings, "price_book").sentences[0]
    for page in site_of(settings).glob("*.html"):
        assert "<script" not in page.read_text()
    assert "&lt;script&gt;alert(1)" in (site_of(settings) / "price_book.html").read_text()


def test_nothing_is_written_outside_the_data_root(settings, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    warehouse(settings)
    validate(settings, "price_book")
    assert list(home.iterdir()) == []
    assert {path.name for path in settings.data.iterdir()} == {"home", "warehouse.duckdb", "state"}


# --- wording ---


def test_a_count_agrees_with_what_it_counts():
    assert f"{Count(1):model is|models are}" == "1 model is"
    assert f"{Count(1204331):token|tokens}" == "1,204,331 tokens"
    assert f"{Count(1204):,}" == "1,204"


def test_a_table_shows_twenty_rows_and_says_how_many_more():
    table = markdown_table(["model"], [{"model": f"m{number}"} for number in range(22)])
    assert len(table.split("\n\n")[0].splitlines()) == 2 + 20
    assert table.endswith("and 2 rows more")


def test_text_is_one_bounded_line():
    assert plain("a\nb\x1b[31m") == "a b [31m"
    assert len(plain("x" * (LONGEST_TEXT + 1))) == LONGEST_TEXT


# --- reconciliation ---


def bills(settings: Settings) -> None:
    """One account for each finding, in October 2026: what an export has of days, and what the month says."""
    settings.data.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            """
            create schema marts;
            create schema intermediate;
            create table marts.invoice_exports as
            select 'openai' as vendor, account, date '2026-10-01' as first_billing_month, false as is_usage,
                'invoices/openai/' || account || '/dt=2026-11-03/costs.json' as landing_file, date '2026-11-03' as arrival_date
            from (values ('fine'), ('hole'), ('late'), ('slow'), ('off'), ('open'), ('twice'), ('monthly')) as t (account);
            create table intermediate.int_invoice_scopes as
            select 'openai' as vendor, account, date '2026-10-01' as billing_month, account = 'monthly' as is_monthly,
                day as period_start, false as is_usage, null as superseded_by_export_id
            from (values ('fine'), ('hole'), ('monthly')) as t (account),
                (select unnest(generate_series(timestamp '2026-10-01', timestamp '2026-10-31', interval 1 day)) as day) as days
            where account = 'fine' or (account = 'hole' and day(day) not in (4, 9)) or (account = 'monthly' and day(day) = 1)
            union all
            select 'openai', 'monthly', date '2026-10-01', false, day, false, null
            from (values (timestamp '2026-10-02'), (timestamp '2026-10-30')) as t (day);
            create table marts.reconciliation_daily as
            select 'openai' as vendor, account, date '2026-10-01' as billing_month, day as charge_date, status,
                status <> 'late' as is_billed, variance::decimal(38, 12) as usage_variance_usd, timing::decimal(38, 12) as timing_usd,
                1::decimal(38, 12) as account_tolerance_usd, provisional as provisional_lines, 0 as lines_without_rate,
                'It is so.' as reason, 'Do it.' as next_action
            from (values
                ('slow', date '2026-10-31', 'late', null, null, 0),
                -- two days that make up for one another, one that is of the next by the vendor's clock, and one that is not final
                ('fine', date '2026-10-03', 'within', 0.5, 0, 0), ('fine', date '2026-10-03', 'outside', 4, 0, 0),
                ('fine', date '2026-10-04', 'outside', -4.25, 0, 0), ('fine', date '2026-10-05', 'outside', 3, 2.5, 0),
                ('fine', date '2026-10-06', 'provisional', 9, 0, 1), ('off', date '2026-10-03', 'outside', 9.25, 0, 0)
            ) as t (account, day, status, variance, timing, provisional);
            create table marts.reconciliation_monthly as
            select 'openai' as vendor, account, month as billing_month, status as account_status, is_billed,
                12.5::decimal(38, 12) as ours_usd, 20 as lines, 3 as provisional_lines, twice::decimal(38, 12) as billed_twice_usd,
                9.25::decimal(38, 12) as account_variance_usd, 2::decimal(38, 12) as account_tolerance_usd,
                'It is so.' as reason, 'Do it.' as next_action, 9.25::decimal(38, 12) as usage_variance_usd
            from (values
                ('fine', date '2026-10-01', 'within', true, 0), ('hole', date '2026-10-01', 'within', true, 0),
                ('late', date '2026-10-01', 'late', false, 0), ('slow', date '2026-10-01', 'late', true, 0),
                ('off', date '2026-10-01', 'outside', true, 0), ('open', date '2026-10-01', 'provisional', true, 0),
                ('twice', date '2026-10-01', 'within', true, 4), ('monthly', date '2026-10-01', 'within', true, 0),
                ('late', date '2026-09-01', 'late', false, 0), ('never landed', date '2026-10-01', 'late', false, 0)
            ) as t (account, month, status, is_billed, twice);
            """
        )


def test_bills_that_lack_days_come_late_or_differ_are_found_account_by_account(settings):
    """Nothing about months before the first export, and about accounts of which none has landed."""
    bills(settings)
    found = profile(settings, "reconciliation")
    assert [tuple(row) for row in found[["account", "finding", "subject", "detail"]].sort_values("account").to_numpy()] == [
        ("fine", "days_outside", "2026-10",
         "has 2 days outside: 2026-10-03 differs by 4.50 USD, and 1.00 USD are accepted. Most of it: It is so. Do it."),
        ("hole", "missing_days", "2026-10", "lacks 2 days, 2026-10-04 to 2026-10-09"),
        ("late", "invoice_late", "2026-10", "is in no export, and its calls cost 12.50 USD"),
        ("off", "outside_tolerance", "2026-10",
         "differs by 9.25 USD, and 2.00 USD are accepted. Most of it: It is so. Do it."),
        ("open", "provisional", "2026-10", "differs by 9.25 USD, and 3 of its 20 lines may still change"),
        ("slow", "missing_days", "2026-10", "lacks 1 day, 2026-10-31"),
        ("twice", "billed_twice", "2026-10", "has 4.00 USD on lines that it has more than once"),
    ]  # fmt: skip
    outcome = validate(settings, "reconciliation")
    failures = dict(zip(outcome.checks, outcome.severities, strict=True))
    assert failures == {
        "no_day_of_a_vendor_is_missing": "warning", "invoices_arrive_in_time": "warning",
        "variance_is_within_tolerance": "error", "days_are_within_tolerance": "warning", "bills_are_final": "warning",
        "nothing_is_billed_twice": "warning",
    }  # fmt: skip
    assert (
        "openai slow 2026-10 lacks 1 day, 2026-10-31 (the last export is landing/invoices/openai/slow/"
        in outcome.sentences[0]
    )
