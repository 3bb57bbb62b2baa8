"""The team's folder: what it may hold, which folder a data root keeps to, and the tables that dbt reads."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from demo import TEAM as DEMO_TEAM
from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.team.folder import TEAM_FILES, read_folder, remember_team
from orchestration.team.rows import SHIPPED, TeamFileError
from orchestration.team.tables import tables_folder, write_team_tables

NAMES = [file.name for file in TEAM_FILES]


@pytest.fixture
def team(tmp_path) -> Path:
    """An empty team folder."""
    (tmp_path / "team").mkdir()
    return tmp_path / "team"


@pytest.fixture
def settings(tmp_path, team) -> Settings:
    """Settings of an empty data root with it."""
    return with_team(tmp_path, team)


def with_team(tmp_path: Path, team: Path | str) -> Settings:
    return from_environment({"TOKENTRAIL_DATA": str(tmp_path / "data"), "TOKENTRAIL_TEAM": str(team)})


# What is in it


def test_every_file_has_defaults_or_an_empty_list_and_dbt_reads_a_table_of_it():
    assert sorted(path.stem for path in SHIPPED.iterdir()) == sorted(NAMES)
    for file in TEAM_FILES:
        with (SHIPPED / file.file).open(newline="") as shipped:
            assert next(csv.reader(shipped)) == file.columns
    sources = yaml.safe_load((PROJECT / "dbt_project" / "models" / "staging" / "sources.yml").read_text())["sources"]
    [declared] = [source["tables"] for source in sources if source["name"] == "team"]
    assert sorted(table["name"] for table in declared) == sorted([*NAMES, "names"])


@pytest.mark.parametrize("folder", [Path("/none"), DEMO_TEAM])
def test_the_defaults_are_sound_and_so_is_the_team_of_the_demo(folder):
    assert read_folder(folder).keys() == set(NAMES)


def test_without_a_folder_there_are_rules_and_no_budget(tmp_path):
    rows = {name: len(found) for name, found in read_folder(tmp_path / "none").items()}
    assert rows["alert_rules"] > 10
    assert [rows[name] for name in ("budgets", "budget_adjustments", "endpoint_owners", "identity_map")] == [0] * 4


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("budget.csv", "budget.csv is not a file that Tokentrail reads: did you mean budgets.csv?"),
        ("Budgets.CSV", "Budgets.CSV is not a file that Tokentrail reads: did you mean budgets.csv?"),
        ("budgets.xlsx", "budgets.xlsx is not a file that Tokentrail reads: did you mean budgets.csv?"),
        ("wishes.csv", "wishes.csv is not a file that Tokentrail reads: the files are environment_map.csv, "),
        ("acme.yml", "acme.yml is not read here: prices belong into prices/acme.yml, mappings into mappings/acme.yml."),
        ("prices/acme.csv", "prices/acme.csv is not read: prices are files that end in .yml."),
    ],
)
def test_a_file_that_nobody_would_read_is_a_sentence(team, name, sentence):
    (team / name).parent.mkdir(exist_ok=True)
    (team / name).write_text("")
    with pytest.raises(TeamFileError) as mistake:
        read_folder(team)
    assert str(mistake.value).startswith(sentence)


def test_what_a_repository_needs_is_left_alone(team):
    for name in ("README.md", ".gitignore", "CODEOWNERS", ".budgets.csv.swp", "prices/README.md"):
        (team / name).parent.mkdir(exist_ok=True)
        (team / name).write_text("ours")
    (team / ".git").mkdir()
    read_folder(team)


def test_all_mistakes_of_all_files_are_said_at_once(team):
    (team / "endpoint_owners.csv").write_text("endpoint_tag,owner\na,\n")
    (team / "identity_map.csv").write_text("user_id,tenant_id\nu-1,acme\nu-1,globex\n")
    with pytest.raises(TeamFileError) as mistake:
        read_folder(team)
    assert str(mistake.value).splitlines() == [
        "identity_map.csv lines 2 and 3 are both u-1: keep one of them.",
        "endpoint_owners.csv line 2: owner: String should have at least 1 character (found '').",
    ]


# The tables


def test_a_table_has_the_rows_of_both_and_declared_types(settings):
    (settings.team / "containment_map.csv").write_text(
        "spike_type,containment_action,guardrail,reason\nretry,Stop,A rule,ours\n"
    )
    written = {table.name: table for table in write_team_tables(settings)}
    assert (written["containment_map"].rows, written["containment_map"].shipped_rows) == (1, 8)
    types = {field.name: str(field.type) for field in pq.read_schema(tables_folder(settings) / "budgets.parquet")}
    assert {types[name] for name in ("limit_usd", "valid_from", "is_spend_alert_on", "burn_ratio", "period")} == {
        "decimal128(26, 8)",
        "timestamp[us]",
        "bool",
        "double",
        "string",
    }


def test_only_what_changed_is_written(settings):
    def changed() -> list[str]:
        return [table.name for table in write_team_tables(settings) if table.is_changed]

    assert changed() == NAMES
    assert changed() == []
    (settings.team / "identity_map.csv").write_text("user_id,tenant_id\nu-1,acme\n")
    assert changed() == ["identity_map"]
    (settings.team / "identity_map.csv").write_text("# ours\nuser_id,tenant_id,reason\n\nu-1,acme,\n")
    assert changed() == []


def test_a_mistake_leaves_every_table_as_it_was(settings):
    write_team_tables(settings)
    (settings.team / "identity_map.csv").write_text("user_id,tenant_id\nu-1,acme\n")
    (settings.team / "budgets.csv").write_text("budget_id\nx\n")
    with pytest.raises(TeamFileError, match=r"budgets\.csv line 1: the column environments is missing"):
        write_team_tables(settings)
    assert pq.read_metadata(tables_folder(settings) / "identity_map.parquet").num_rows == 0


# Environments


def environments(team: Path, *rows: str) -> dict[str, str]:
    """How names are kept, with these rows of the team."""
    (team / "environment_map.csv").write_text("\n".join(["sent_as,environment", *rows]) + "\n")
    return {each.row.sent_as: each.row.environment for each in read_folder(team)["environment_map"]}


def test_names_that_people_use_for_production_are_prod(team):
    kept = environments(team)
    assert (kept["production"], kept["live"], kept["stg"], kept["development"]) == ("prod", "prod", "staging", "dev")


def test_a_team_maps_its_own_names_and_keeps_one_that_we_would_map(team):
    kept = environments(team, "QA,Staging", "live,live")
    assert (kept["qa"], kept["live"], kept["production"]) == ("staging", "live", "prod")


def test_who_renames_prod_takes_its_other_names_along(team):
    kept = environments(team, "prod,production", "production,production")
    assert {kept[name] for name in ("prod", "production", "prd", "live")} == {"production"}


def test_names_in_a_circle_are_a_sentence(team):
    with pytest.raises(TeamFileError) as mistake:
        environments(team, "prod,production", "qa,prod")
    assert str(mistake.value) == (
        "environment_map.csv line 2: prod is kept as production, which leads back to prod: "
        "add a row `production,production`."
    )


def test_what_a_team_says_about_an_environment_is_about_its_kept_name(settings):
    """Two rules of one environment under two names contradict each other; a budget may name it twice."""
    shutil.copy(DEMO_TEAM / "budgets.csv", settings.team)
    _edit(settings.team / "budgets.csv", "workspace-month,prod,", "workspace-month,Production live staging,")
    rules = settings.team / "alert_rules.csv"
    rules.write_text("alert_type,scope_dimension,environment,data_mode,scope_value,min_z,reason\n")
    rules.write_text(rules.read_text() + "cost_drift,total,production,real,*,4,ours\n")
    write_team_tables(settings)
    stored = {
        row["name"]: row["kind"]
        for row in pq.read_table(tables_folder(settings) / "names.parquet").to_pylist()
        if row["line_number"] == 2
    }
    assert stored == {"prod": "environment", "staging": "environment"}
    rules.write_text(rules.read_text() + "cost_drift,total,prd,real,*,5,ours\n")
    with pytest.raises(TeamFileError, match=r"lines 2 and 3 are both cost_drift, total, prod, real, \*: keep one"):
        write_team_tables(settings)


def test_names_that_usage_should_have_are_a_table_with_their_place(settings):
    shutil.copy(DEMO_TEAM / "budgets.csv", settings.team)
    rules = ["cost_drift,endpoint x model,*,real,chat.reply | gpt-5,4,ours", "cost_drift,user,*,test,u-1,4,ours"]
    header = "alert_type,scope_dimension,environment,data_mode,scope_value,min_z,reason"
    (settings.team / "alert_rules.csv").write_text("\n".join([header, *rules]) + "\n")
    write_team_tables(settings)
    names = [tuple(row.values()) for row in pq.read_table(tables_folder(settings) / "names.parquet").to_pylist()]
    assert {
        ("alert_rules.csv", 2, "cost_drift, endpoint x model, *, real, chat.reply | gpt-5", "scope_value", kind, name)
        for kind, name in (("endpoint", "chat.reply"), ("model", "gpt-5"))
    } <= set(names)
    assert ("alert_rules.csv", 3, "cost_drift, user, *, test, u-1", "scope_value", "user", "u-1") in names
    assert {row[3:] for row in names if row[:2] == ("budgets.csv", 5)} == {
        ("environments", "environment", "prod"),
        ("tenant_id", "tenant", "oscorp"),
    }


# Which folder it is


def test_a_data_root_keeps_to_the_folder_of_its_first_run(tmp_path, settings):
    remember_team(settings)
    assert from_environment({"TOKENTRAIL_DATA": str(settings.data)}).team == settings.team
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=r"belongs to the team folder '.*/team'\. .* delete .*/data/team_folder\.$"):
        with_team(tmp_path, tmp_path / "other")
    settings.team_memory.unlink()
    assert with_team(tmp_path, tmp_path / "other").team == tmp_path / "other"


def test_a_link_to_a_newer_copy_is_the_same_folder(tmp_path, team):
    (tmp_path / "newer").mkdir()
    link = tmp_path / "current"
    link.symlink_to(team)
    settings = with_team(tmp_path, link)
    remember_team(settings)
    link.unlink()
    link.symlink_to(tmp_path / "newer")
    assert with_team(tmp_path, link).team.resolve() == tmp_path / "newer"
    assert from_environment({"TOKENTRAIL_DATA": str(settings.data)}).team == link


def test_nothing_set_and_nothing_remembered_is_the_folder_of_the_checkout(tmp_path):
    settings = from_environment({"TOKENTRAIL_DATA": str(tmp_path / "data")})
    assert settings.team == PROJECT / "team"
    remember_team(replace(settings, team=tmp_path / "none"))
    assert not settings.team_memory.exists()


def test_a_remembered_folder_that_is_gone_is_a_sentence(settings):
    remember_team(settings)
    shutil.rmtree(settings.team)
    with pytest.raises(ValueError, match=r"^The team folder .* is not there: put it back, or delete"):
        from_environment({"TOKENTRAIL_DATA": str(settings.data)})


@pytest.mark.parametrize("place", [".", "orchestration/team", "demo", "docs/x", "/"])
def test_a_team_folder_where_other_files_live_is_a_sentence(tmp_path, place):
    with pytest.raises(ValueError, match=r"^TOKENTRAIL_TEAM is .*, which holds other files: give a folder of its own"):
        with_team(tmp_path, place)


def test_a_team_folder_that_does_not_exist_is_a_sentence_and_that_of_the_demo_can_be_used(tmp_path):
    with pytest.raises(
        ValueError, match=r"^TOKENTRAIL_TEAM is .*/none', which is not a folder: `make init` makes it\.$"
    ):
        with_team(tmp_path, tmp_path / "none")
    assert with_team(tmp_path, "demo/team").team == DEMO_TEAM


def _edit(path: Path, text: str, other: str) -> None:
    content = path.read_text()
    assert text in content
    path.write_text(content.replace(text, other))
