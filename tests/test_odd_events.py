"""What the loader accepts, the warehouse builds and publishes: thousands of odd events, with every test of dbt."""

import duckdb
import pytest

from orchestration.landing.manifests import files_with_missing_rows, manifest_rows_sql
from tests.odd_events import odd_events, odd_lines
from tests.pipeline import Pipeline, event
from tests.test_landing import csv_text

SEED, EVENTS = 15, 6_000
SOUND = 400  # plain events among them, so that days, baselines and marts have something to say


def land(pipeline: Pipeline) -> None:
    """Odd events in two formats, and sound ones."""
    sound = [event(f"sound-{n}", f"2026-11-{14 + n % 8:02d}T10:00:00Z") for n in range(SOUND)]
    pipeline.land("sound.jsonl", sound)
    pipeline.land("odd.jsonl", odd_lines(SEED, EVENTS), day="2026-11-21")
    table = csv_text(odd_events(SEED + 1, EVENTS // 10)).decode(errors="replace")
    pipeline.land("odd.csv", table, day="2026-11-22")


def test_no_line_is_lost_and_many_odd_ones_are_taken(accepted_events):
    assert files_with_missing_rows(accepted_events.settings) == []
    with duckdb.connect() as database:
        counts = f"""
            select sum(rows_in), sum(rows_loaded) from {manifest_rows_sql(accepted_events.settings)}
            where landing_file like '%/sound.%' or landing_file like '%/odd.%'
        """
        landed, loaded = database.sql(counts).fetchone()
    assert landed >= SOUND + EVENTS
    assert loaded > SOUND + EVENTS / 2
    why = "select distinct reason_code from rejected_events where landing_file like '%/odd.%'"
    reasons = {reason for (reason,) in accepted_events.ask(why)}
    assert reasons <= {"bad_value", "not_an_integer", "parts_exceed_total"}


def test_the_sound_events_cost_what_they_cost(accepted_events, usd):
    query = "select count(*), sum(cost_usd) from fct_attempts where request_id like 'sound-%'"
    assert accepted_events.ask(query) == [(SOUND, SOUND * (usd(1000, per_million=3) + usd(200, per_million=15)))]


@pytest.mark.parametrize("mart", ["endpoint", "prompt_version", "tenant", "user", "model"])
def test_the_marts_tie_to_the_fact(accepted_events, mart):
    totals = "sum(attempts), sum(cost_usd), sum(reported_cost_usd), sum(unpriced_attempts)"
    of_fact = "count(*), sum(cost_usd), sum(reported_cost_usd), count(*) filter (pricing_status = 'unpriced')"
    assert accepted_events.ask(f"select {totals} from cost_by_{mart}_daily") == accepted_events.ask(
        f"select {of_fact} from fct_attempts"
    )


def test_no_leaf_is_below_zero_and_no_figure_is_infinite(accepted_events):
    assert accepted_events.ask(
        "select count(*) from fct_attempts where uncached_input_tokens < 0 or text_output_tokens < 0"
    ) == [(0,)]
    assert accepted_events.ask("select count(*) from cost_by_model_daily where not isfinite(avg_latency_ms)") == [(0,)]
