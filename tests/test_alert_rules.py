"""What a team may write into alert_rules.csv, and what it is told when it may not."""

from pathlib import Path

import pytest

from orchestration.team.alerts import read_alert_rules
from orchestration.team.columns import SEEDS, SeedError

HEADER, *ROWS = (SEEDS / "alert_rules.csv").read_text().splitlines()
TOTAL = ROWS[0]


def written(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "alert_rules.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_the_rules_we_ship_are_sound():
    assert len(read_alert_rules()) == len(ROWS)


def test_a_specific_row_may_leave_values_to_the_general_one(tmp_path):
    quiet = "cost_drift,total,staging,real,*,,6,,,,,,,,,staging is noisy"
    general, specific = read_alert_rules(written(tmp_path, TOTAL, quiet))
    assert (general.min_z, specific.min_z, specific.min_ratio) == (2.5, 6, None)


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
        (TOTAL, "lines 2 and 3 hold for the same scope: keep one of them."),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence_that_names_its_line(tmp_path, row, sentence):
    with pytest.raises(SeedError) as mistake:
        read_alert_rules(written(tmp_path, TOTAL, row))
    assert sentence in str(mistake.value)


def test_every_kind_has_limits_for_every_scope(tmp_path):
    with pytest.raises(SeedError, match="new_model by model has no row for environment"):
        read_alert_rules(written(tmp_path, TOTAL, "new_model,model,prod,real,*,true,3,3,0.1,1,1,0.2,,,,only here"))
