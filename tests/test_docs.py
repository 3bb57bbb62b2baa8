"""The documentation says what is so: settings, commands, links, the cookbook's SQL and the examples of the event format."""

import json
import re
from dataclasses import fields
from pathlib import Path

import duckdb
import pytest
from jinja2 import Environment
from rich.console import Console

from demo.incidents import SPIKE_TYPES
from docs.cookbook.render import MARKERS, question_and_sql, questions
from orchestration.commands.report import print_report
from orchestration.landing.load import load_new_files
from orchestration.publishing.catalog import documented_marts
from orchestration.settings import PROJECT, Settings
from orchestration.team.alerts import ALERT_RULES
from orchestration.team.notifications import read_channels
from orchestration.team.rows import SHIPPED, TeamFileError, read_rows
from tests.pipeline import Pipeline, event

README = PROJECT / "README.md"
PAGES = [README, PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").glob("*.md"))]
SOURCES = PROJECT / "docs" / "sources.md"
OPERATE = PROJECT / "docs" / "operate.md"
ALERTS = PROJECT / "docs" / "alerts.md"
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_settings_table_names_every_setting_with_its_default_and_no_other():
    table = dict(re.findall(r"^\| `(TOKENTRAIL_\w+)` \| (?:`([^`]*)`)? *\|", OPERATE.read_text(), re.MULTILINE))
    assert table == {item.metadata["env"]: item.metadata["default"] for item in fields(Settings)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_setting_that_does_not_exist(page):
    named = set(re.findall(r"TOKENTRAIL_[A-Z_]+", page.read_text()))
    channels = {"TOKENTRAIL_CHANNEL_"} | {row.address_variable for row in read_channels(SHIPPED).values()}
    assert named <= {item.metadata["env"] for item in fields(Settings)} | channels


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z][\w-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    code = " ".join(
        [*re.findall(r"`([^`\n]+)`", page.read_text()), *(body for _, body in FENCE.findall(page.read_text()))]
    )
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) <= targets


@pytest.mark.parametrize("page", [PROJECT / "Makefile", *PAGES], ids=lambda page: page.name)
def test_make_takes_every_argument_that_is_named(page):
    [arguments] = re.findall(r"^ARGUMENTS := (.+)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    of_help = r"^[a-z-]+:.*## (.+)$"
    of_code = r"\bmake [a-z][a-z-]* ([^`\n]*)"
    commands = re.findall(of_help if page.name == "Makefile" else of_code, page.read_text(), re.MULTILINE)
    named = {name for command in commands for name in re.findall(r"\b([A-Z][A-Z_]*)=", command)}
    assert {name for name in named if not name.startswith("TOKENTRAIL_")} <= set(arguments.split())


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
    assert {name for names in rows for name in names.split(", ")} == {mart.name for mart in documented_marts()}


def test_every_question_is_on_the_page_as_its_file_says():
    rendered = {
        match["name"]: match["body"] for match in MARKERS.finditer((PROJECT / "docs" / "cookbook.md").read_text())
    }
    assert list(rendered) == [path.stem for path in questions()]
    for path in questions():
        question, sql = question_and_sql(path)
        assert f"### {question}\n\n```sql\n{sql}\n```\n\n|" in rendered[path.stem], (
            f"{path.name} changed: python docs/cookbook/render.py --data DIR writes it into docs/cookbook.md."
        )


def land(pipeline: Pipeline) -> None:
    """Something for every mart, and one alert: a model without a price."""
    events = [
        event("earlier", "2026-11-12T10:00:00Z", promptVersion="v0"),
        event("conflict", attempt=1, usageSource="estimate", inputTokens=900),
        event("conflict", attempt=1),
        event("unknown-model", provider="selfhosted", model="acme-internal-7b", inputTokens=1_000_000),
        *(event(f"day-{day}", f"2026-11-{day:02}T10:00:00Z") for day in range(1, 20)),
        event("again", attempt=1, status="error"),
        event("again", "2026-11-20T10:00:05Z", attempt=2),
        event("reported", costUsd=0.01, processing="batch", cacheReadTokens=500),
        event("refused", status="ok"),
    ]
    pipeline.land("docs.jsonl", events)


@pytest.mark.parametrize("path", questions(), ids=lambda path: path.stem)
def test_the_question_is_a_question_and_its_sql_runs(published_calls, path):
    """In a connection that has opened the file and done nothing else, as any client does."""
    question, sql = question_and_sql(path)
    assert question.endswith(("?", ")"))
    with duckdb.connect(str(published_calls.settings.published_marts.resolve()), read_only=True) as client:
        client.execute(sql)


def test_the_arithmetic_of_a_request_sums_to_its_cost(published_calls):
    _, sql = question_and_sql(next(path for path in questions() if "arithmetic" in path.stem))
    leaves = published_calls.ask(re.sub(r"'req-[\d-]+'", "'reported'", sql))
    assert sum(row[-2] for row in leaves) == leaves[0][-1] > 0


def test_the_marts_tie(published_calls):
    _, sql = question_and_sql(next(path for path in questions() if path.stem.endswith("do-the-marts-tie")))
    assert len({row[1:] for row in published_calls.ask(sql)}) == 1


def test_the_alert_is_in_its_marts_and_in_the_report_with_what_to_do(published_calls, capsys):
    [(alert, kind, action)] = published_calls.ask("select alert_id, spike_type, containment_action from alerts")
    assert kind == "unknown_model"
    for mart in ("alert_compare", "alert_drivers", "alert_focus"):
        assert published_calls.ask(f"select distinct alert_id from {mart}") == [(alert,)]
    print_report(published_calls.settings, Console(width=400, force_terminal=False))
    shown = capsys.readouterr().out.partition("Alerts, open ones first")[2].partition("Rejected lines")[0]
    assert re.search(rf"^2026-11-20 .* open .* unknown_model .* model acme-internal-7b .*{action}", shown, re.MULTILINE)


def test_every_spike_type_is_explained_with_an_incident_in_numbers():
    page = ALERTS.read_text().partition("## One incident of each spike type")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| (\w+), \d+ November \|", page, re.MULTILINE)) == set(SPIKE_TYPES)
    assert set(re.findall(r"^\*\*(\w+)\.\*\*", page, re.MULTILINE)) == set(SPIKE_TYPES)


def test_the_rows_for_tuning_and_muting_are_rules_that_can_be_used(tmp_path):
    rows = next(body for kind, body in FENCE.findall(ALERTS.read_text()) if kind == "csv")
    shipped = (SHIPPED / "alert_rules.csv").read_text()
    (tmp_path / "alert_rules.csv").write_text(shipped.splitlines()[0] + "\n" + rows)
    assert len(read_rows(tmp_path, ALERT_RULES)) == len((shipped + rows).splitlines()) - 1


def test_a_mistake_in_the_rules_is_what_the_page_says(tmp_path):
    shown = next(body for _, body in FENCE.findall(OPERATE.read_text()) if body.startswith("alert_rules.csv line 2"))
    header, *rows = (SHIPPED / "alert_rules.csv").read_text().splitlines()
    mistakes = [
        rows[0].replace(",2.5,", ",0,"),
        rows[1].replace("cost_drift", "cost_jump"),
        rows[2].replace(",0.1,,,", ",0.1,2026-12-08,2026-12-01,"),
    ]
    (tmp_path / "alert_rules.csv").write_text("\n".join([header, *mistakes, rows[3], rows[3]]))
    with pytest.raises(TeamFileError) as said:
        read_rows(tmp_path, ALERT_RULES)
    assert str(said.value).splitlines()[:4] == shown.splitlines()


INPUTS, OUTPUTS = ("uncached_input", "cached_input"), ("text_output",)


def test_the_decomposition_worked_through_is_what_the_macro_computes():
    """One cell of 10 requests with three token kinds, by the weights that the macro gives each factor."""
    text = (PROJECT / "dbt_project" / "macros" / "alerts" / "decomposition.sql").read_text()
    bracket = Environment(extensions=["jinja2.ext.do"]).from_string(text).module.shapley_bracket
    section = ALERTS.read_text().partition("A cell with 10 requests")[2].partition("One price for all tokens")[0]
    rows = [[part.strip() for part in line.strip("| ").split("|")] for line in section.splitlines() if "|" in line]
    cells = {row[0].partition(":")[0]: row for row in rows}
    tokens = {
        kind: [float(cells[kind][place].replace(",", "")) / 1000 for place in (1, 4)] for kind in INPUTS + OUTPUTS
    }
    sizes = [sum(tokens[kind][side] for kind in INPUTS) for side in (0, 1)]
    effects = dict.fromkeys(("input", "cache", "output", "price"), 0.0)
    for kind, (before, now) in tokens.items():
        prices = [float(cells[kind][place] or cells[kind][2]) for place in (2, 5)]  # borrowed where there are no tokens
        factors = {"n": (10, 10), "r": (1, 1), "t": (before, now), "p": prices}
        sides = [
            f"{value} as {name}_{side}"
            for name, values in factors.items()
            for side, value in zip(("baseline", "current"), values, strict=True)
        ]
        weights = f"{bracket(['n', 'r', 'p'])}, {bracket(['n', 'r', 't'])}"
        of_tokens, of_price = duckdb.sql(f"select {weights} from (select {', '.join(sides)})").fetchone()
        effects["price"] += (prices[1] - prices[0]) * of_price
        if kind in OUTPUTS:
            effects["output"] += (now - before) * of_tokens
            continue
        shares = before / sizes[0], now / sizes[1]
        effects["input"] += (sizes[1] - sizes[0]) * sum(shares) / 2 * of_tokens
        effects["cache"] += (shares[1] - shares[0]) * sum(sizes) / 2 * of_tokens
    assert {name: cells[name][-1] for name in effects} == {name: f"**{usd:.5f}**" for name, usd in effects.items()}
    assert f"**{sum(effects.values()):.3f}**" == cells["all"][-1]


def test_the_examples_of_the_event_format_load(pipeline):
    lines = [line for kind, body in FENCE.findall(SOURCES.read_text()) if kind == "json" for line in body.splitlines()]
    assert len(lines) >= 8
    assert all(json.loads(line) for line in lines)
    pipeline.land("examples.jsonl", "\n".join(lines) + "\n", day="2026-11-22")
    load = load_new_files(pipeline.settings, report=lambda text: None)
    assert (load.rows_in, load.rows_rejected) == (len(lines), 0)
