"""What a team may write into containment_map.csv and endpoint_owners.csv, and the error when it may not."""

from pathlib import Path

import pytest

from demo import TEAM as DEMO_TEAM
from orchestration.team.incidents import CONTAINMENT_MAP, ENDPOINT_OWNERS, SPIKE_TYPES
from orchestration.team.rows import TeamFile, TeamFileError, read_rows


def team(folder: Path, file: TeamFile, *lines: str) -> Path:
    """A team folder with these rows in one file."""
    (folder / file.file).write_text("\n".join([",".join(file.columns), *lines]) + "\n")
    return folder


def test_what_we_ship_says_what_to_do_about_every_spike_type(tmp_path):
    containment = read_rows(tmp_path, CONTAINMENT_MAP)
    assert {row.spike_type for row in containment} == set(SPIKE_TYPES)
    assert len({row.guardrail for row in containment}) == len(SPIKE_TYPES)


def test_the_owners_of_the_demo_are_sound():
    owners = read_rows(DEMO_TEAM, ENDPOINT_OWNERS)
    assert sum(row.runbook_reviewed_on is None for row in owners) == 1
    assert len({row.runbook_reviewed_on for row in owners}) > 5


def test_a_team_changes_what_to_do_about_one_spike_type_and_keeps_the_others(tmp_path):
    before = {row.spike_type: row for row in read_rows(tmp_path, CONTAINMENT_MAP)}
    after = read_rows(team(tmp_path, CONTAINMENT_MAP, "retry,Stop the client,A rule,ours"), CONTAINMENT_MAP)
    changed = {row.spike_type: row for row in after}
    assert changed.pop("retry").containment_action == "Stop the client"
    assert changed == {name: row for name, row in before.items() if name != "retry"}


@pytest.mark.parametrize(
    ("file", "lines", "sentence"),
    [
        (CONTAINMENT_MAP, ["gremlins,Feed them,Never after midnight,no"], "'gremlins' is not a spike type: write one of volume"),
        (CONTAINMENT_MAP, ["retry,Stop,A rule,no"] * 2, "containment_map.csv lines 2 and 3 are both retry: keep one of them."),
        (CONTAINMENT_MAP, ["retry,,A rule,no"], "containment_map.csv line 2: containment_action: String should have at least 1 character"),
        (CONTAINMENT_MAP, ["retry,Stop,,no"], "containment_map.csv line 2: guardrail: String should have at least 1 character"),
        (ENDPOINT_OWNERS, ["a,team-a,https://a.example,#a,2026-01-01", "a,team-b,,,"], "lines 2 and 3 are both a: keep one"),
        (ENDPOINT_OWNERS, ["a,team-a,https://a.example,#a,2026-02-30"], "line 2: runbook_reviewed_on: Input should be a valid date"),
        (ENDPOINT_OWNERS, ["a,team-a,javascript:alert(1),#a,"], "line 2: runbook_url: 'javascript:alert(1)' is not the address of a page"),
        (ENDPOINT_OWNERS, ["a,,,#a,"], "line 2: owner: String should have at least 1 character"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence_that_names_its_line(tmp_path, file, lines, sentence):
    with pytest.raises(TeamFileError) as mistake:
        read_rows(team(tmp_path, file, *lines), file)
    assert sentence in str(mistake.value)


def test_unknown_is_blank(tmp_path):
    [row] = read_rows(team(tmp_path, ENDPOINT_OWNERS, "new,team-a,,,"), ENDPOINT_OWNERS)
    assert (row.runbook_url, row.escalation_channel, row.runbook_reviewed_on) == (None, None, None)
