"""The suite's dbt makes what dbt makes, and says what dbt says."""

import duckdb
import pytest

from orchestration import dbt
from orchestration.dbt import BUILD, run_dbt
from tests.conftest import COLD_DBT
from tests.pipeline import Pipeline, event

# Views, tables, tables kept by date, contracts, tests of every kind.
SOME = (
    "--indirect-selection",
    "cautious",
    "--select",
    *(f"+path:models/marts/{subject}" for subject in ("attribution", "prices")),
)
A_TEST = ("build", "--quiet", "--no-write-json", "--select", "cost_is_the_sum_of_its_parts")


def test_the_same_dbt_in_less_time(pipeline, monkeypatch):
    pipeline.land("calls.jsonl", [event("one"), event("two", model="nobody-knows", userId=None)])
    pipeline.build(*SOME)
    warm, warm_says = what_is_in(pipeline), what_a_broken_promise_says(pipeline)
    for path in pipeline.settings.data.glob("warehouse.duckdb*"):
        path.unlink()
    monkeypatch.setattr(dbt, "DBT", COLD_DBT)
    run_dbt(pipeline.settings, *BUILD, "--quiet", "--no-write-json", *SOME)
    assert len(warm) > 30
    assert what_is_in(pipeline) == warm
    assert (
        ended(what_a_broken_promise_says(pipeline)) == ended(warm_says) == ["Got 1 result, configured to fail if != 0"]
    )


def what_is_in(pipeline: Pipeline) -> dict[str, list[tuple]]:
    """By table or view: its columns with their types, and its rows, but for when they were built."""
    with duckdb.connect(str(pipeline.settings.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(
            "select schema_name || '.' || table_name, list((column_name, data_type) order by column_index) "
            "from duckdb_columns() where not internal group by 1"
        ).fetchall()
        return {
            table: [
                *columns,
                *warehouse.execute(f"select columns(c -> c <> 'built_at') from {table} order by all").fetchall(),
            ]
            for table, columns in found
        }


def what_a_broken_promise_says(pipeline: Pipeline) -> str:
    with duckdb.connect(str(pipeline.settings.warehouse)) as warehouse:
        warehouse.execute("update marts.fct_attempts set cost_usd = cost_usd + 1")
    with pytest.raises(RuntimeError) as failed:
        run_dbt(pipeline.settings, *A_TEST)
    return str(failed.value)


def ended(text: str) -> list[str]:
    """What failed, without the time of day, which only the start of a process puts there."""
    return [line[line.index("Got") :] for line in text.splitlines() if "configured to fail" in line]
