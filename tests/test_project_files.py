"""What a stranger looks for first is there and says the same everywhere: version, license, CI, hooks, `make help`."""

import re
import subprocess
import tomllib

import pytest
import yaml

from orchestration.settings import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
VERSION = PYPROJECT["project"]["version"]


def test_the_dbt_project_has_the_version_of_pyproject():
    assert yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text())["version"] == VERSION


def test_the_changelog_begins_with_what_is_not_released_and_ends_no_later_than_the_version():
    first, *released = re.findall(r"^## \[?([\w.]+)\]?", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == "Unreleased"
    assert released[:1] in ([], [VERSION])


def test_the_license_is_the_whole_text_that_pyproject_names():
    text = (PROJECT / "LICENSE").read_text()
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert re.findall(r"^   (\d)\. ", text, re.MULTILINE) == list("123456789")
    assert text.rstrip().endswith("limitations under the License.")


def test_github_runs_what_lands_on_main():
    jobs = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands == [".ci/run", "make coverage"]


def test_a_commit_is_linted_by_the_lint_of_ci():
    [repository] = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
    assert "make lint" in (PROJECT / ".ci" / "run").read_text()


def test_make_alone_lists_every_target_with_what_it_does():
    targets = re.findall(r"^([a-z][\w-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    listed = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^make ([\w-]+) +\w", listed, re.MULTILINE) == targets


QUESTIONS = re.findall(r"^\| ([A-Z][^|]+\?) \| ([^|]+) \|$", (PROJECT / "CONTRIBUTING.md").read_text(), re.MULTILINE)


def test_contributing_answers_the_ten_questions():
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize(("question", "path"), QUESTIONS)
def test_a_rule_is_found_by_names_in_at_most_three_hops(question, path):
    files = re.findall(r"`([\w./]+/[\w./]+)`", path)
    assert 1 <= len(files) <= 3
    assert [file for file in files if not (PROJECT / file).is_file()] == []
    names = re.findall(r"`(\w+)`", path)
    text = "".join((PROJECT / file).read_text() for file in files)
    assert [name for name in names if name not in text] == []
