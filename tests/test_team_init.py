"""`make init`: a commented starter, valid as it stands and when its examples are used, and what an older checkout had in the code."""

import re
import shutil
from pathlib import Path

import pytest

from demo import TEAM as DEMO_TEAM
from orchestration.commands.init import main
from orchestration.settings import PROJECT
from orchestration.team.folder import TEAM_FILES, read_folder
from orchestration.team.incidents import ENDPOINT_OWNERS
from orchestration.team.rows import SHIPPED
from orchestration.team.starting import STARTER


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """Runs the command over a team folder and a data root that are not there yet; returns the exit code and what it printed."""
    monkeypatch.setenv("TOKENTRAIL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TOKENTRAIL_TEAM", str(tmp_path / "team"))

    def command(from_checkout: Path | None = None) -> tuple[int, str]:
        monkeypatch.setenv("FROM", str(from_checkout or ""))
        code = main()
        said = capsys.readouterr()
        return code, said.out + said.err

    command.team = tmp_path / "team"
    return command


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout of the release before: its seeds were the shipped rows and those of the demo."""
    seeds, overrides = tmp_path / "old" / "dbt_project" / "seeds", tmp_path / "old" / "pricing" / "overrides"
    shutil.copytree(SHIPPED, seeds)
    shutil.copytree(DEMO_TEAM, seeds, dirs_exist_ok=True)
    overrides.mkdir(parents=True)
    (overrides / "README.md").write_text("about overrides")
    return tmp_path / "old"


def test_the_starter_says_something_about_every_file_and_decides_nothing(init):
    code, said = init()
    assert code == 0
    assert "budgets.csv" in said
    before = {name: len(found) for name, found in read_folder(init.team / "none").items()}
    assert {name: len(found) for name, found in read_folder(init.team).items()} == before
    for file in TEAM_FILES:
        comments = [line for line in (init.team / file.file).read_text().splitlines() if re.match('"?# ', line)]
        assert len(comments) >= 2, file.name


def test_its_examples_can_be_used(init):
    init()
    for file in TEAM_FILES:
        *others, example = (init.team / file.file).read_text().splitlines()
        (init.team / file.file).write_text("\n".join([*others, example.removeprefix("# ")]) + "\n")
    own = {name: [each for each in found if not each.is_shipped] for name, found in read_folder(init.team).items()}
    assert {name: len(found) for name, found in own.items()} == dict.fromkeys(own, 1)


def test_the_readme_of_the_starter_names_every_file():
    named = set(re.findall(r"`(\w+\.csv)`", (STARTER / "README.md").read_text()))
    assert named == {file.file for file in TEAM_FILES}


def test_nothing_is_overwritten(init):
    init()
    for path in (init.team / "budgets.csv", init.team / "README.md"):
        path.write_text("budget_id\n" if path.suffix == ".csv" else "ours")
    (init.team / "identity_map.csv").unlink()
    code, said = init()
    assert "Written: identity_map.csv." in said
    assert (init.team / "README.md").read_text() == "ours"
    assert code == 2
    assert "budgets.csv line 1: the column valid_from is missing: add it." in said


def test_what_was_edited_in_an_older_checkout_is_moved_and_nothing_else(init, checkout):
    seeds = checkout / "dbt_project" / "seeds"
    _edit(seeds / "budgets.csv", ",1300,", ",900,")
    _edit(seeds / "alert_rules.csv", "cost_drift,total,*,real,*,true,2.5", "cost_drift,total,*,real,*,true,3")
    (seeds / "identity_map.csv").write_text("user_id,tenant_id,reason\nu-1,ours,a bot\n")
    (checkout / "pricing" / "overrides" / "acme.yml").write_text("prices: []\n")
    code, said = init(checkout)
    assert code == 0
    assert "budgets.csv: 1 row moved; 3 left out, which are shipped or the demo's." in said
    assert "containment_map.csv: nothing to move; 9 left out" in said
    own = {
        name: [each.row for each in found if not each.is_shipped]
        for name, found in read_folder(init.team).items()
        if not all(each.is_shipped for each in found)
    }
    assert own.keys() == {"budgets", "alert_rules", "identity_map"}
    assert [(row.budget_id, row.limit_usd) for row in own["budgets"]] == [("workspace-month", 900)]
    assert [row.min_z for row in own["alert_rules"]] == [3]
    assert (init.team / "prices" / "acme.yml").read_text() == "prices: []\n"
    assert "about overrides" not in (init.team / "prices" / "README.md").read_text()


def test_moving_replaces_a_starter_that_nobody_touched_and_no_file_of_the_team(init, checkout):
    init()
    _edit(checkout / "dbt_project" / "seeds" / "budgets.csv", ",1300,", ",900,")
    _edit(checkout / "dbt_project" / "seeds" / "endpoint_owners.csv", "team-search", "team-find")
    own = ",".join(ENDPOINT_OWNERS.columns)
    (init.team / "endpoint_owners.csv").write_text(f"{own}\nours,us,,,\n")
    code, said = init(checkout)
    assert code == 0
    assert "budgets.csv: 1 row moved" in said
    assert f"endpoint_owners.csv: is there already; 4 rows of {checkout}" in said
    assert (init.team / "endpoint_owners.csv").read_text() == f"{own}\nours,us,,,\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "has no dbt_project/seeds: FROM is the checkout of an earlier release"),
        (b"budget_id\n\xff\n", "not UTF-8"),
    ],
)
def test_a_checkout_that_cannot_be_read_moves_nothing(init, checkout, content, sentence):
    seeds = checkout / "dbt_project" / "seeds"
    _edit(seeds / "alert_rules.csv", ",2.5,", ",3,")
    if content is None:
        shutil.rmtree(seeds)
    else:
        (seeds / "budgets.csv").write_bytes(content)
    code, said = init(checkout)
    assert code == 2
    assert sentence in said
    assert list(init.team.iterdir()) == []


def test_the_root_of_the_demo_gets_no_company(init, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENTRAIL_TEAM", "")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "team_folder").write_text(f"{DEMO_TEAM}\n")
    before = sorted(path.name for path in DEMO_TEAM.iterdir())
    code, said = init()
    assert code == 2
    assert "belongs to the demo. Give your company a root of its own" in said
    assert sorted(path.name for path in DEMO_TEAM.iterdir()) == before
    assert PROJECT in DEMO_TEAM.parents


def _edit(path: Path, text: str, other: str) -> None:
    content = path.read_text()
    assert text in content
    path.write_text(content.replace(text, other))
