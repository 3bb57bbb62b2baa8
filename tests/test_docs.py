"""The documentation says what is so: settings, commands, links, the cookbook's SQL and the examples of the event format."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from docs.cookbook.render import MARKERS, question_and_sql, questions
from orchestration.landing import load_new_files
from orchestration.settings import PROJECT, Settings
from tests.pipeline import Pipeline, event, pipeline_at

README = PROJECT / "README.md"
PAGES = [README, *sorted((PROJECT / "docs").glob("*.md"))]
SOURCES = PROJECT / "docs" / "sources.md"
OPERATE = PROJECT / "docs" / "operate.md"
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_settings_table_names_every_setting_with_its_default_and_no_other():
    table = dict(re.findall(r"^\| `(TOKENTRAIL_\w+)` \| (?:`([^`]*)`)? *\|", OPERATE.read_text(), re.MULTILINE))
    assert table == {item.metadata["env"]: item.metadata["default"] for item in fields(Settings)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_setting_that_does_not_exist(page):
    named = set(re.findall(r"TOKENTRAIL_[A-Z_]+", page.read_text()))
    assert named <= {item.metadata["env"] for item in fields(Settings)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z][\w-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    code = " ".join(
        [*re.findall(r"`([^`\n]+)`", page.read_text()), *(body for _, body in FENCE.findall(page.read_text()))]
    )
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(_without_code(page.read_text())) if not _resolves(page, link)]
    assert not missing


def _resolves(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, punctuation gone, a hyphen for each space."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _without_code(text: str) -> str:
    return FENCE.sub("", text)


def test_the_readme_shows_the_tree_as_it_is():
    tree = next(body for _, body in FENCE.findall(README.read_text()) if body.startswith("orchestration/"))
    folders, top = [], ""
    for line in tree.splitlines():
        name = re.match(r"(\s*)([\w/]+/)", line)
        top = "" if not name[1] else top
        folders.append(top + name[2])
        top = top or name[2]
    assert [folder for folder in folders if not (PROJECT / folder).is_dir()] == []


def test_every_mart_is_on_the_page_and_the_page_names_no_other():
    section = (PROJECT / "docs" / "marts.md").read_text().split("## The marts\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([\w, ]+) \|", section, re.MULTILINE)[1:]
    models = {path.stem for path in (PROJECT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    assert {name for names in rows for name in names.split(", ")} == models


def test_every_question_is_on_the_page_as_its_file_says():
    rendered = {match["name"]: match["body"] for match in MARKERS.finditer((PROJECT / "docs" / "marts.md").read_text())}
    assert list(rendered) == [path.stem for path in questions()]
    for path in questions():
        question, sql = question_and_sql(path)
        assert f"#### {question}\n\n```sql\n{sql}\n```\n\n|" in rendered[path.stem], (
            f"{path.name} changed: python docs/cookbook/render.py --data DIR writes it into docs/marts.md."
        )


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Pipeline:
    """A small warehouse with something in every mart."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("docs") / "data")
    events = [
        event("plain"),
        event("earlier", "2026-11-12T10:00:00Z", promptVersion="v0"),
        event("retried", attempt=1, status="error"),
        event("retried", "2026-11-20T10:00:05Z", attempt=2),
        event("conflict", attempt=1, usageSource="estimate", inputTokens=900),
        event("conflict", attempt=1),
        event("unknown-model", provider="selfhosted", model="acme-internal-7b"),
        event("reported", costUsd=0.01, processing="batch", cacheReadTokens=500),
        event("refused", status="ok"),
    ]
    pipeline.land("events.jsonl", events)
    pipeline.run()
    return pipeline


@pytest.mark.parametrize("path", questions(), ids=lambda path: path.stem)
def test_the_question_is_a_question_and_its_sql_runs(published, path):
    question, sql = question_and_sql(path)
    assert question.endswith(("?", ")"))
    published.ask(sql)


def test_the_arithmetic_of_a_request_sums_to_its_cost(published):
    _, sql = question_and_sql(next(path for path in questions() if "arithmetic" in path.stem))
    leaves = published.ask(re.sub(r"'req-[\d-]+'", "'reported'", sql))
    assert sum(row[-2] for row in leaves) == leaves[0][-1] > 0


def test_the_marts_tie(published):
    _, sql = question_and_sql(next(path for path in questions() if path.stem.endswith("do-the-marts-tie")))
    assert len({row[1:] for row in published.ask(sql)}) == 1


def test_the_examples_of_the_event_format_load(pipeline):
    lines = [line for kind, body in FENCE.findall(SOURCES.read_text()) if kind == "json" for line in body.splitlines()]
    assert len(lines) >= 8
    assert all(json.loads(line) for line in lines)
    pipeline.land("examples.jsonl", "\n".join(lines) + "\n", day="2026-11-22")
    load = load_new_files(pipeline.settings, report=lambda text: None)
    assert (load.rows_in, load.rows_rejected) == (len(lines), 0)


def test_the_reasons_for_rejects_are_those_that_the_checks_know():
    documented = set(
        re.findall(
            r"^\| ([a-z]+_[a-z_0-9]+) \|", SOURCES.read_text().split("## Lines that are refused")[1], re.MULTILINE
        )
    )
    suite = json.loads((PROJECT / "expectations" / "load_profile.json").read_text())
    [known] = [
        item["kwargs"]["value_set"] for item in suite["expectations"] if item["kwargs"].get("column") == "reason_code"
    ]
    assert documented - {"reason_code"} == set(known)
