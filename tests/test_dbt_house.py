"""The layout of the dbt project, held against dbt's own manifest: subjects, one direction, and what a fingerprint covers."""

import json
import re
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
import yaml

from orchestration import dbt
from orchestration.dbt import DBT_PROJECT, dbt_project, run_dbt
from orchestration.settings import Settings, from_environment
from orchestration.team.rows import SHIPPED
from orchestration.team.tables import write_team_tables
from tests.pipeline import pipeline_at

SUBJECTS = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())["vars"]["subjects"]
FACTS = {"fct_attempts", "fct_requests"}
# A dimension sums the daily mart of its members, which is far smaller than the fact.
OWN_MARTS = {
    f"dim_{member}s": f"cost_by_{member}_daily" for member in ("endpoint", "model", "prompt_version", "tenant")
}
CODE_FINGERPRINTS = """
    {%- if execute -%}
        {%- set found = {} -%}
        {%- for node in graph.nodes.values() if node.resource_type == "model" -%}
            {%- do found.update({node.name: code_fingerprint(node)}) -%}
        {%- endfor -%}
        {{ tojson(found) }}
    {%- endif -%}
"""
# One caller is enough for the incremental mechanism and for what hides a dialect: both are in macros/core.
ONE_CALLER_LINES = 200


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """An empty data root."""
    return from_environment({"TOKENTRAIL_DATA": str(tmp_path_factory.mktemp("house"))})


@pytest.fixture(scope="module")
def manifest(settings) -> dict:
    """The parsed project."""
    return json.loads(Path(dbt_project(settings).manifest_path).read_text())


@pytest.fixture(scope="module")
def models(manifest) -> dict[str, dict]:
    """By unique id: every model of the project."""
    return {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}


@pytest.fixture(scope="module")
def macros(manifest) -> dict[str, dict]:
    """By unique id: the project's own macros."""
    return {key: macro for key, macro in manifest["macros"].items() if macro["package_name"] == "tokentrail"}


def compiled(settings: Settings, template: str) -> dict:
    """What a Jinja expression of JSON says while dbt runs."""
    printed = run_dbt(settings, "compile", "--quiet", "--inline", template)
    return json.loads(printed)


def layer(model: dict) -> str:
    """staging, intermediate or marts."""
    return model["fqn"][1]


def subject(model: dict) -> str:
    """The folder below the layer."""
    return model["fqn"][2]


def folder(macro: dict) -> str:
    """core or a subject."""
    return Path(macro["original_file_path"]).parts[1]


def reached(macros: dict[str, dict], called: Iterable[str]) -> set[str]:
    """The project's macros that `called` call, directly or not."""
    found: set[str] = set()
    pending = [name for name in called if name in macros]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(other for other in macros[name]["depends_on"]["macros"] if other in macros)
    return found


def upstream(nodes: dict[str, dict], key: str) -> set[str]:
    """A model and every model and seed that it reads, directly or not."""

    @cache
    def of(key: str) -> frozenset[str]:
        parents = [parent for parent in nodes[key]["depends_on"].get("nodes", []) if parent in nodes]
        return frozenset({key}).union(*(of(parent) for parent in parents))

    return set(of(key))


def test_every_model_is_in_the_folder_of_a_subject(models):
    assert not [model["original_file_path"] for model in models.values() if subject(model) not in SUBJECTS]


def test_every_macro_is_in_core_or_in_a_subject(macros):
    folders = {folder(macro) for macro in macros.values() if macro["original_file_path"].startswith("macros/")}
    assert folders <= {"core", *SUBJECTS}


def test_a_model_reads_its_own_subject_and_those_before_it(models):
    later = [
        f"{model['name']} ({subject(model)}) reads {models[parent]['name']} ({subject(models[parent])})"
        for model in models.values()
        for parent in model["depends_on"]["nodes"]
        if parent in models and SUBJECTS.index(subject(models[parent])) > SUBJECTS.index(subject(model))
    ]
    assert not later


def test_layers_point_one_way(models):
    """Staging reads sources; intermediate reads staging, intermediate and the facts; marts read intermediate and the facts."""
    may_read = {"staging": set(), "intermediate": {"staging", "intermediate"}, "marts": {"staging", "intermediate"}}
    wrong = [
        f"{model['name']} reads {models[parent]['name']}"
        for model in models.values()
        for parent in model["depends_on"]["nodes"]
        if parent in models
        and layer(models[parent]) not in may_read[layer(model)]
        and models[parent]["name"] not in FACTS
        and OWN_MARTS.get(model["name"]) != models[parent]["name"]
    ]
    assert not wrong


def test_a_fingerprint_covers_every_macro_that_its_model_reaches(manifest, models, macros, settings):
    """What macros_by_subject() finds in the code of macros, against the calls that dbt itself knows of."""
    subjects = compiled(settings, "{{ tojson(macros_by_subject()) if execute else '' }}")
    hashed_of = {key: set(found["reaches"]) for found in subjects.values() for key in found["names"]}
    outside = {}
    for key, model in models.items():
        called = {
            macro
            for parent in upstream(manifest["nodes"], key)
            for macro in manifest["nodes"][parent]["depends_on"]["macros"]
        }
        hashed = {"core"}.union(*(hashed_of.get(macro, ()) for macro in called))
        outside[model["name"]] = {folder(macros[macro]) for macro in reached(macros, called)} - hashed
    assert not {name: folders for name, folders in outside.items() if folders}


def test_an_edit_of_a_weekly_sentence_rebuilds_weekly_models_only(models, tmp_path, monkeypatch):
    """What dates are kept by is a hash of code: it stays for every model of another subject."""
    project = shutil.copytree(DBT_PROJECT, tmp_path / "dbt_project")
    monkeypatch.setattr(dbt, "DBT_PROJECT", project)
    settings = pipeline_at(tmp_path / "data").settings
    (settings.state / "spill").mkdir(parents=True)
    subject_of = {model["name"]: subject(model) for model in models.values()}
    kept_by_date = {model["name"] for model in models.values() if model["config"]["meta"].get("days")}
    before = compiled(settings, CODE_FINGERPRINTS)
    words = project / "macros" / "weekly" / "words.sql"
    assert "' less'" in words.read_text()
    words.write_text(words.read_text().replace("' less'", "' fewer'"))
    after = compiled(settings, CODE_FINGERPRINTS)
    changed = {name for name in after if after[name] != before[name]}
    assert {subject_of[name] for name in changed} == {"weekly"}
    assert changed & kept_by_date == {"int_weekly_drivers", "int_weekly_leaves", "int_weekly_effects"}


REACHED = {  # by file of the team: a row, and the subjects that it is in
    "endpoint_owners.csv": ("chat.reply,me,,,", {"team", "quality", "unpriced", "alerts", "incidents", "weekly"}),
    "budgets.csv": (
        "all,prod,,,,,,,,month,UTC,9,,,2026-01-01,,,,,,,,,me,,,,,,why",
        {"team", "quality", "budgets", "weekly"},
    ),
    "environment_map.csv": ("qa,staging,", set(SUBJECTS) - {"notifications"}),
}


def test_a_change_of_a_file_of_the_team_rebuilds_what_it_reaches_and_nothing_else(models, tmp_path):
    settings = pipeline_at(tmp_path / "data", company=None).settings
    (settings.state / "spill").mkdir(parents=True)
    write_team_tables(settings)
    before = compiled(settings, CODE_FINGERPRINTS)
    subject_of = {model["name"]: subject(model) for model in models.values()}
    for file, (row, subjects) in REACHED.items():
        header = (SHIPPED / file).read_text().splitlines()[0]
        (settings.team / file).write_text(f"# ours\n{header}\n{row}\n")
        write_team_tables(settings)
        after = compiled(settings, CODE_FINGERPRINTS)
        assert {subject_of[name] for name in after if after[name] != before[name]} == subjects, file
        (settings.team / file).unlink()


def test_a_macro_has_two_callers(models, macros):
    """A macro of a subject with one caller is a part of that model, written where nobody looks for it."""
    callers: dict[str, set[str]] = {}
    for model in models.values():
        for key in reached(macros, model["depends_on"]["macros"]):
            callers.setdefault(key, set()).add(model["name"])
    single = {
        key: len(macros[key]["macro_sql"].splitlines())
        for key, names in callers.items()
        if len(names) == 1 and folder(macros[key]) != "core"
    }
    assert sum(single.values()) < ONE_CALLER_LINES, single


def test_every_alert_parameter_has_a_unit_and_a_reason_and_is_used():
    """The text alone: an unknown name stops dbt, a forgotten one would stay for ever."""
    text = (DBT_PROJECT / "macros" / "alerts" / "parameters.sql").read_text()
    entry = r'"(\w+)": \{\s*"value": [\d.]+,\s*"unit": "[^"]+",\s*"why": "[^"]+",?\s*\}'
    named = re.findall(entry, text)
    used = {
        name
        for folder in ("models", "macros")
        for path in (DBT_PROJECT / folder).rglob("*.sql")
        for name in re.findall(r'alert_parameter\("(\w+)"\)', path.read_text())
    }
    assert len(named) == text.count('"value":') == len(set(named))
    assert set(named) == used
