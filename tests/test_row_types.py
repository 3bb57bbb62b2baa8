"""Rows that Python reads from the marts have the columns and types of the marts' contracts: mypy takes our word for it."""

from typing import get_args, get_type_hints

import pytest
import yaml

from orchestration.alerts import facts
from orchestration.budgets import announcements
from orchestration.settings import PROJECT
from orchestration.weekly import figures

MARTS = {path.stem: path for path in (PROJECT / "dbt_project" / "models" / "marts").rglob("*.yml")}
READ_AS = {"boolean": bool, "bigint": int, "integer": int}  # all else is text: ISO dates, amounts in all their digits
ROWS = [
    (facts.Alert, "alerts", set()),
    (facts.Driver, "alert_drivers", set()),
    (announcements.Status, "budget_status", set()),
    (announcements.Change, "budget_transitions", {"occurrence"}),
    (figures.Summary, "weekly_summary", set()),
    (figures.Driver, "weekly_drivers", set()),
    (figures.Finding, "weekly_findings", set()),
    (figures.Recurrence, "weekly_recurrence", {"weeks"}),
    (figures.Incident, "weekly_incidents", set()),
]


@pytest.mark.parametrize(("row", "mart", "added"), ROWS, ids=[mart for _, mart, _ in ROWS])
def test_a_row_has_the_columns_and_types_of_its_mart(row, mart, added):
    [model] = yaml.safe_load(MARTS[mart].read_text())["models"]
    contract = {column["name"]: READ_AS.get(column["data_type"], str) for column in model["columns"]}
    hints = {name: hint for name, hint in get_type_hints(row).items() if name not in added}
    read = {name: next(iter(get_args(hint)), hint) for name, hint in hints.items()}
    assert read == {name: contract.get(name) for name in read}
