"""What senders and people type is shown as it is: no terminal, chat or shell obeys a name, an id or an argument."""

import json
import os
import re
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from orchestration.commands.explain import explain, main
from orchestration.commands.launch import backfill_config, weekly_config
from orchestration.commands.report import print_report
from orchestration.commands.screen import print_screen
from orchestration.landing.text import tidy
from orchestration.plain import ArgumentError, for_chat, for_title, plain_console, visible
from orchestration.settings import PROJECT, from_environment
from orchestration.tables import print_table
from orchestration.warehouse import open_marts
from orchestration.weekly import WeekError
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

NAMES = (  # to a terminal, a chat or rich
    "[/x]",
    "[/nope]",
    "[link=http://evil.example]acme[/link]",
    "[bold",
    "acme\\",
    ":bomb:",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;owned\x07",
    "\u202eevil",
    "\u2066a\u2069b",
    "zero\u200bwidth\ufeff",
    "\x9b31mred",
    "two\nlines\r\tand a tab",
    "\u2028separator",
)
COMMANDS = (  # to a shell, to make or to a parser of arguments
    "$(touch pwned)",
    "`touch pwned`",
    "$(shell touch pwned)",
    'a"; touch pwned; "',
    "it's $HOME $$",
    "--help",
    "#x %",
    "a  b;c",
)
HOSTILE = (*NAMES, *COMMANDS)
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Pipeline:
    """Marts full of hostile names, in every place that is printed; one refused line for each."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("plain") / "data")
    names = ("endpointTag", "promptVersion", "tenantId", "userId", "featureTag", "errorCode")
    events = [
        event(text, model=f"unknown {text}", inputTokens=90_000_000, **dict.fromkeys(names, text))
        for text in HOSTILE
    ]  # fmt: skip
    refused = [event(f"refused-{number}", status=text) for number, text in enumerate(HOSTILE)]
    pipeline.land("events.jsonl", [*events, *refused, *(event(f"{text} again") for text in HOSTILE)])
    pipeline.run(*WITHOUT_TESTS)
    return pipeline


def printed(published: Pipeline, console: Console) -> str:
    print_report(published.settings, console)
    return console.file.getvalue()


def test_the_report_prints_names_that_are_markup_or_control_codes(published):
    assert published.ask("select count(*) from rejected_events where reason_code = 'bad_status'")[0][0] >= len(HOSTILE)
    text = printed(published, plain_console(400, StringIO()))
    assert not OBEYED.search(text)
    for shown in ("[link=http://evil.example]acme[/link]", "[2J\\x1b[31mred", ":bomb:"):
        assert shown in text, shown


def test_the_screen_prints_them_too(published):
    console = plain_console(110, StringIO())
    print_screen(published.settings, console)
    assert not OBEYED.search(console.file.getvalue())
    assert len(console.file.getvalue().splitlines()) <= 45


def test_a_table_needs_no_console_that_was_set_up_for_it():
    console = Console(file=StringIO(), width=80)
    print_table(console, "Names", ["name"], [(text,) for text in HOSTILE])
    assert "[/x]" in console.file.getvalue()
    assert not OBEYED.search(console.file.getvalue())


def test_every_request_id_can_be_explained(published):
    with open_marts(published.settings) as marts:
        for (request,) in marts.execute("select distinct request_id from fct_attempts").fetchall():
            text = explain(marts, request)
            assert visible(request) in "".join(text.split("\n"))
            assert not OBEYED.search(text)


@pytest.mark.parametrize("text", [*COMMANDS, "\x1b[2J\x1b[31mred", "two\nlines\r\tand a tab", "acme\\"])
def test_make_hands_an_id_on_as_it_stands(published, tmp_path, text):
    """The id as make would print it; nothing in it is run, by make or by a shell."""
    done = make("explain", tmp_path, REQUEST=text, TOKENTRAIL_DATA=str(published.settings.data))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "".join(visible(tidy(text)).split()) in "".join(done.stdout.split())
    assert not OBEYED.search(done.stdout)
    assert not [*tmp_path.iterdir(), *PROJECT.glob("pwned*")]


def make(target: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """`make` as a person types it, with the virtual environment taken as complete."""
    typed = [f"{name}={value}" for name, value in variables.items()]
    command = ["make", "-C", str(PROJECT), "-o", "environment", "--no-print-directory", target, *typed]
    environment = os.environ | {"TMPDIR": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


@pytest.mark.parametrize(
    ("target", "variables", "sentence"),
    [
        ("explain", {}, "REQUEST is empty: write make explain REQUEST=<request id>"),
        ("explain", {"REQUEST": "[/y]\x1b[2J"}, "No published attempt has the request id [/y]\\x1b[2J."),
        ("acknowledge", {"TOPIC": ""}, "TOPIC is empty"),
        ("acknowledge", {"TOPIC": "$(touch pwned)"}, "No message has the topic '$(touch pwned)'."),
        ("incident", {"DO": "open --alert 'x"}, "DO cannot be read as a command (No closing quotation)"),
        ("incident", {"DO": "open --alert $(touch,pwned)"}, "marts.alerts has no alert '$(touch,pwned)'"),
        ("incident", {"DO": "note i \x1b[2J --nonsense"}, "unrecognized arguments: --nonsense"),
        ("weekly", {"WEEK": "last"}, "WEEK is 'last': give an ISO week that exists, such as 2026-W47."),
        ("weekly", {"WEEK": "2026-W47\"}'"}, "give an ISO week that exists"),
        ("backfill", {"FROM": "2026-11-31", "TO": "2026-12-01"}, "FROM is '2026-11-31': give a date that exists"),
        ("backfill", {"FULL_REFRESH": "perhaps"}, "FULL_REFRESH is 'perhaps': write true or false."),
    ],
)
def test_an_argument_that_cannot_be_used_is_a_sentence(published, tmp_path, target, variables, sentence):
    done = make(target, tmp_path, **variables, TOKENTRAIL_DATA=str(published.settings.data))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not OBEYED.search(done.stderr)
    assert not [*tmp_path.iterdir(), *PROJECT.glob("pwned*")]


def test_an_id_that_is_not_utf8_is_a_sentence(published, monkeypatch, capsys):
    monkeypatch.setenv("TOKENTRAIL_DATA", str(published.settings.data))
    assert main(["caf\udce9"]) == 2
    assert "REQUEST is caf\\udce9, which is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "last", "full_refresh"),
    [("2026-11-01", "", ""), ("", "2026-11-01", ""), ("2026-11-02", "2026-11-01", ""), ("2014-12-31", "2026-01-01", ""),
     ("20261101", "20261102", ""), ("2026-W45-1", "2026-11-03", ""), ("", "", "ja")],
)  # fmt: skip
def test_a_backfill_that_cannot_be_is_refused_before_it_starts(first, last, full_refresh):
    with pytest.raises(ArgumentError, match=r": give|: write"):
        backfill_config(first, last, full_refresh)


def test_a_backfill_has_dates_or_everything():
    days = {"from": "2026-11-01", "to": "2026-11-01", "full_refresh": False}
    assert backfill_config("2026-11-01", "2026-11-01", "") == days
    assert backfill_config("", "", "TRUE") == {"from": "", "to": "", "full_refresh": True}


def test_a_week_that_is_not_complete_is_refused_before_it_starts():
    complete = {"TOKENTRAIL_AS_OF": "2026-11-23T06:00:00Z"}  # a Monday, six hours of lateness after the Sunday of W47
    assert weekly_config(from_environment(complete), "2026-W47") == {"week": "2026-W47"}
    with pytest.raises(WeekError, match="which is not complete before 2026-11-23 06:00 UTC"):
        weekly_config(from_environment({"TOKENTRAIL_AS_OF": "2026-11-23T05:59:59Z"}), "2026-W47")


def test_hidden_characters_are_written_out_and_writing_stays():
    assert visible("a\x1b[31m\u202eb\u200b\ud800\n") == "a\\x1b[31m\\u202eb\\u200b\\ud800\\n"
    assert visible("Zürich 東京\u3000½ 🙂") == "Zürich 東京\u3000½ 🙂"
    assert visible("one\ntwo\x00", keep="\n") == "one\ntwo\\x00"


def test_a_name_in_a_message_calls_nobody_and_links_nowhere():
    name = "<!channel> @everyone [x](javascript:1) https://evil.example `rm`\n# head \x1b[2J"
    for text in (for_chat(name), for_title(name)):
        assert not re.search(r"<|@everyone|\[|\]|https://|`|\n|\x1b", text)
    assert for_chat("a" * 300, most=10) == "a" * 9 + "…"
    assert json.loads(json.dumps(for_title("Budget search: exceeded, 12.00 of 10.00 USD"))).startswith(
        "Budget search: "
    )
