"""What a team may write into containment_map.csv and endpoint_owners.csv, and what it is told when it may not."""

from pathlib import Path

import pytest

from orchestration.team import checks
from orchestration.team.checks import check_seeds
from orchestration.team.columns import SEEDS, SeedError
from orchestration.team.incidents import SPIKE_TYPES, read_containment_map, read_endpoint_owners

CONTAINMENT, OWNERS = "containment_map.csv", "endpoint_owners.csv"
READ = {CONTAINMENT: read_containment_map, OWNERS: read_endpoint_owners}


def changed(tmp_path: Path, name: str, *lines: str, without: int | None = None) -> Path:
    """The file we ship with more lines, or without one (line 1 is the header)."""
    shipped = (SEEDS / name).read_text().splitlines()
    kept = [line for number, line in enumerate(shipped, 1) if number != without]
    path = tmp_path / name
    path.write_text("\n".join([*kept, *lines]) + "\n")
    return path


def test_what_we_ship_is_sound_and_says_what_to_do_about_every_spike_type():
    containment = read_containment_map()
    assert set(containment) == set(SPIKE_TYPES)
    assert len({row.guardrail for row in containment.values()}) == len(SPIKE_TYPES)
    owners = read_endpoint_owners()
    assert sum(row.runbook_reviewed_on is None for row in owners) == 1
    assert len({row.runbook_reviewed_on for row in owners}) > 5


@pytest.mark.parametrize(
    ("name", "lines", "without", "sentence"),
    [
        (CONTAINMENT, ["gremlins,Feed them,Never after midnight,no"], None, "'gremlins' is not a spike type: write one of volume"),
        (CONTAINMENT, [], 7, "containment_map.csv has no row for retry: add one, so that everybody knows what to do."),
        (CONTAINMENT, ["retry,Stop,A rule,no"], None, "containment_map.csv lines 7 and 10 are both retry: keep one of them."),
        (CONTAINMENT, ["retry,,A rule,no"], 7, "containment_map.csv line 9: containment_action: String should have at least 1 character"),
        (CONTAINMENT, ["retry,Stop,,no"], 7, "containment_map.csv line 9: guardrail: String should have at least 1 character"),
        (OWNERS, ["chat.reply,team-a,https://a.example,#a,2026-01-01"], None, "lines 2 and 26 are both chat.reply: keep one"),
        (OWNERS, ["new,team-a,https://a.example,#a,2026-02-30"], None, "line 26: runbook_reviewed_on: Input should be a valid date"),
        (OWNERS, ["new,team-a,javascript:alert(1),#a,"], None, "line 26: runbook_url: 'javascript:alert(1)' is not the address of a page"),
        (OWNERS, ["new,,,#a,"], None, "line 26: owner: String should have at least 1 character"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence_that_names_its_line(tmp_path, name, lines, without, sentence):
    with pytest.raises(SeedError) as mistake:
        READ[name](changed(tmp_path, name, *lines, without=without))
    assert sentence in str(mistake.value)


def test_unknown_is_blank(tmp_path):
    *_, row = read_endpoint_owners(changed(tmp_path, OWNERS, "new,team-a,,,"))
    assert (row.runbook_url, row.escalation_channel, row.runbook_reviewed_on) == (None, None, None)


def test_a_mistake_stops_a_run_before_it_builds(tmp_path, monkeypatch):
    path = changed(tmp_path, CONTAINMENT, without=7)
    monkeypatch.setattr(checks, "read_containment_map", lambda: read_containment_map(path))
    with pytest.raises(SeedError, match="no row for retry"):
        check_seeds()
