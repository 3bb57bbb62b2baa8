"""The demo's world as native events, as LiteLLM's log and as spans: equal costs, but for what the docs say is lost."""

import duckdb
import pytest

from orchestration.landing import manifest_rows_sql
from tests.dialects import DOCS, NAMES, TABLE, Landed, comparable_days, landed, table


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


def test_the_docs_say_what_each_dialect_loses(worlds):
    assert TABLE.search(DOCS.read_text()).group() == table(worlds), "run `python -m tests.dialects`"
