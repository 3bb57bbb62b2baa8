"""What a team may write into alert_rules.csv, and the error when it may not."""

from pathlib import Path

import pytest

from orchestration.team.alerts import ALERT_RULES, AlertRule
from orchestration.team.rows import SHIPPED, TeamFileError, read_rows

HEADER, *ROWS = (SHIPPED / "alert_rules.csv").read_text().splitlines()
TOTAL = ROWS[0]


def rules(folder: Path, *rows: str, header: str = HEADER) -> list[AlertRule]:
    """The rules of a team with these rows."""
    (folder / "alert_rules.csv").write_text("\n".join([header, *rows]) + "\n")
    return read_rows(folder, ALERT_RULES)


def test_the_rules_we_ship_are_sound(tmp_path):
    assert len(read_rows(tmp_path, ALERT_RULES)) == len(ROWS)


def test_a_specific_row_may_leave_values_to_the_general_one(tmp_path):
    *shipped, specific = rules(tmp_path, "cost_drift,total,staging,real,*,,6,,,,,,,,,staging is noisy")
    assert shipped == read_rows(tmp_path / "none", ALERT_RULES)
    assert (shipped[0].min_z, specific.min_z, specific.min_ratio) == (2.5, 6, None)


def test_a_row_of_a_team_replaces_the_shipped_row_of_its_scope(tmp_path):
    *others, changed = rules(tmp_path, TOTAL.replace(",2.5,", ",4,"))
    assert (changed.scope_dimension, changed.min_z) == ("total", 4)
    assert others == read_rows(tmp_path / "none", ALERT_RULES)[1:]


def test_a_file_from_before_a_column_existed_has_its_default(tmp_path):
    """min_ratio is the shipped row's, and blank where no shipped row has the scope."""
    older = HEADER.replace("min_ratio,", "")
    *_, changed, own = rules(
        tmp_path,
        "cost_drift,total,*,real,*,true,4,8,0.0125,0.25,0.25,,,0.05,calmer",
        "cost_drift,total,staging,real,*,,6,,,,,,,,calmer still",
        header=older,
    )
    assert (changed.min_z, changed.min_ratio) == (4, 1.15)
    assert (own.min_z, own.min_ratio) == (6, None)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (TOTAL.replace("cost_drift", "cost_jump"), "line 3: alert_type: 'cost_jump' is not an alert type: write one of cost_drift, "),
        (TOTAL.replace(",total,", ",planet,"), "line 3: cost_drift does not watch 'planet': write one of endpoint, "),
        (TOTAL.replace("true,2.5,", "true,0,"), "line 3: min_z: Input should be greater than 0 (found '0')."),
        (TOTAL.replace("0.0125", "15"), "line 3: min_share_of_spend: Input should be less than or equal to 1 (found '15')."),
        (TOTAL.replace("total,*", "total,"), "line 3: environment: it is empty: write * for any."),
        (TOTAL.replace(",,,0.05", ",2026-11-02,2026-11-02,0.05"), "is not after muted_from 2026-11-02: give the first day that"),
        (TOTAL.replace("true", "perhaps"), "line 3: is_on: 'perhaps' is neither true nor false"),
        (TOTAL, "lines 2 and 3 are both cost_drift, total, *, real, *: keep one of them."),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence_that_names_its_line(tmp_path, row, sentence):
    with pytest.raises(TeamFileError) as mistake:
        rules(tmp_path, TOTAL, row)
    assert sentence in str(mistake.value)


def test_every_kind_has_limits_for_every_scope(tmp_path):
    with pytest.raises(
        TeamFileError, match=r"cost_drift by total has no row for environment \* .* gives min_z, min_usd"
    ):
        rules(tmp_path, TOTAL.replace(",2.5,", ",,").replace("0.25,1.15", ",1.15"))
