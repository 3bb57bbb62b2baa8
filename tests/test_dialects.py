"""The demo's world as native events, as LiteLLM's log and as spans: equal costs, but for what the docs say is lost."""

import json

import duckdb
import pytest

from demo.dialects import translated
from orchestration.landing.manifests import manifest_rows_sql
from orchestration.quality.suites import profile
from tests.dialects import DOCS, NAMES, TABLE, Landed, comparable_days, landed, table
from tests.pipeline import WITHOUT_TESTS, event, pipeline_at


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> dict[str, Landed]:
    """The world in every dialect."""
    return landed(tmp_path_factory.mktemp("dialects"))


@pytest.mark.parametrize("dialect", NAMES)
def test_costs_of_a_day_are_those_of_the_native_events(worlds, dialect):
    native, other = comparable_days(worlds["native"], worlds[dialect])
    assert other == native
    calls = sum(measures[1] for measures in native.values())
    assert calls > 0.5 * len(worlds["native"].calls), "too few of them are compared"


@pytest.mark.parametrize("dialect", NAMES)
def test_a_dialect_makes_up_no_call(worlds, dialect):
    assert worlds[dialect].calls.keys() <= worlds["native"].calls.keys()
    manifests = manifest_rows_sql(worlds[dialect].pipeline.settings)
    with duckdb.connect() as database:
        assert database.execute(f"select sum(rows_rejected) from {manifests}").fetchone() == (0,)


def test_two_sources_that_see_one_call_are_one_attempt_once_the_team_says_so(tmp_path):
    pipeline = pipeline_at(tmp_path / "data")
    day = "2026-11-20T10:00:0"
    seen = {"endpointTag": None, "promptVersion": None, "tenantId": None, "userId": None, "providerRequestId": "msg_1"}
    pipeline.land("app.jsonl", [event("r-1", f"{day}0Z", **seen)])
    record = event("r-1", f"{day}1Z", providerRequestId="msg_1", costUsd=0.006, outputTokens=200)
    (line,) = translated("litellm", [json.dumps(record).encode()])
    folder = pipeline.settings.data / "landing" / "litellm" / "dt=2026-11-20"
    folder.mkdir(parents=True)
    (folder / "log.jsonl").write_bytes(line)
    attempts = "select source, tenant_id, endpoint_tag, input_tokens from marts.fct_attempts order by all"
    pipeline.build(*WITHOUT_TESTS, "--select", "+fct_attempts")
    unattributed = ("events", "(unattributed)", "(unattributed)", 1000)
    assert pipeline.inside(attempts) == [unattributed, ("litellm", "acme", "chat.reply", 1000)]
    (found,) = profile(pipeline.settings, "calls_seen_twice").to_dict("records")
    assert (found["source"], found["other_source"], found["attempts"], found["same_ids"]) == ("events", "litellm", 1, 1)
    scope = "events,events,1,sees the same calls\nlitellm,events,0,sees the same calls\n"
    seed = pipeline.settings.team / "source_precedence.csv"
    seed.write_text("source,identity_scope,precedence,reason\n" + scope)
    pipeline.build(*WITHOUT_TESTS, "--select", "+fct_attempts")
    assert pipeline.inside(attempts) == [("events", "acme", "chat.reply", 1000)]
    assert profile(pipeline.settings, "calls_seen_twice").empty


def test_the_docs_say_what_each_dialect_loses(worlds):
    assert TABLE.search(DOCS.read_text()).group() == table(worlds), "run `python -m tests.dialects`"
