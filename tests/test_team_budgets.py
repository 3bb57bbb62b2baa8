"""What a team may write into budgets.csv and budget_adjustments.csv, and the error when it may not."""

import csv
from pathlib import Path

import pytest

from demo import TEAM as DEMO_TEAM
from orchestration.team.budgets import BUDGETS, Budget
from orchestration.team.folder import read_folder
from orchestration.team.rows import TeamFileError, read_rows

ROW = dict.fromkeys(Budget.model_fields, "") | {
    "budget_id": "search-month", "environments": "prod", "endpoint_tag": "search.answer", "period": "month",
    "time_zone": "Europe/Berlin", "limit_usd": "100", "valid_from": "2026-01-01", "owner": "search", "reason": "planned",
}  # fmt: skip


def team(folder: Path, *rows: dict) -> Path:
    """A team folder with these budgets."""
    with (folder / "budgets.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROW))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_we_ship_no_budget_and_those_of_the_demo_are_sound(tmp_path):
    assert read_rows(tmp_path, BUDGETS) == []
    assert {budget.period for budget in read_rows(DEMO_TEAM, BUDGETS)} == {"week", "month"}


def test_a_limit_may_follow_another(tmp_path):
    first, then = ROW | {"valid_to": "2026-06-15"}, ROW | {"valid_from": "2026-06-15", "limit_usd": "200"}
    assert [budget.limit_usd for budget in read_rows(team(tmp_path, first, then), BUDGETS)] == [100, 200]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"period": "year"}], "budgets.csv line 2: period: Input should be 'day', 'week', 'month' or 'quarter' (found 'year')."),
        ([{"time_zone": "Berlin"}], "budgets.csv line 2: time_zone: 'Berlin' is not an IANA time zone such as Europe/Berlin."),
        ([{"limit_usd": "-1"}], "budgets.csv line 2: limit_usd: Input should be greater than or equal to 0 (found '-1')."),
        ([{"limit_usd": "1.123456789"}], "line 2: limit_usd: Decimal input should have no more than 8 decimal places"),
        ([{"quiet_hours": "1e999"}], "line 2: quiet_hours: Input should be less than or equal to 100000000"),
        ([{"warning_ratio": "80"}], "line 2: warning_ratio: Input should be less than or equal to 1 (found '80')."),
        ([{"environments": "prod,staging"}], "line 2: environments: String should match pattern"),
        ([{"data_modes": "live"}], "line 2: data_modes: String should match pattern"),
        ([{"valid_from": "2026-01-01T10:07"}], "line 2: valid_from: 2026-01-01 10:07:00 is not a local quarter-hour: write 2026-11-01, or"),
        ([{"valid_to": "2025-12-31"}], "line 2: valid_to 2025-12-31 00:00:00 is not after valid_from 2026-01-01 00:00:00"),
        ([{"owner": ""}], "line 2: owner: String should have at least 1 character"),
        ([{"channel": "pigeon"}], "line 2: channel 'pigeon' is not in notification_channels.csv: write one of oncall, "),
        ([{}, {}], "budgets.csv lines 2 and 3 are both search-month, 2026-01-01 00:00:00: keep one of them."),
        ([{}, {"valid_from": "2026-06-01"}], "lines 2 and 3, search-month: both hold at 2026-06-01 00:00:00: set valid_to of the first to"),
        ([{"valid_to": "2026-05-01"}, {"valid_from": "2026-06-01"}], "search-month: no limit holds from 2026-05-01 00:00:00 to 2026-06-01"),
        (
            [{"valid_to": "2026-06-01"}, {"valid_from": "2026-06-01", "period": "week", "tenant_id": "acme"}],
            "lines 2 and 3, search-month: tenant_id, period differ: another scope or period needs its own budget_id.",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence_that_names_its_line(tmp_path, rows, sentence):
    with pytest.raises(TeamFileError) as mistake:
        read_folder(team(tmp_path, *[ROW | row for row in rows]))
    assert sentence in str(mistake.value)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "search-week,2026-11-01,-5,refund,cfo",
            "line 2: budget_id 'search-week' is not in budgets.csv: write one of search-month.",
        ),
        ("search-month,2026-11-01,much,refund,cfo", "line 2: amount_usd: 'much' is not a number: write it as 1234.5"),
        ("search-month,2026-11-01,-5,refund,", "line 2: approved_by: String should have at least 1 character"),
    ],
)
def test_an_adjustment_needs_a_budget_an_amount_and_a_name(tmp_path, line, sentence):
    header = "budget_id,effective_at,amount_usd,reason,approved_by"
    (tmp_path / "budget_adjustments.csv").write_text(f"{header}\n{line}\n")
    with pytest.raises(TeamFileError) as mistake:
        read_folder(team(tmp_path, ROW))
    assert sentence in str(mistake.value)
