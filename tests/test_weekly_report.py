"""The weekly report: the same bytes until a figure changes, then what changed; a page that needs nothing but a browser."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestration.ledger import RENAMED_FIELDS, log_file
from orchestration.notifications import read_outbox
from orchestration.publishing.publications import new_publication, replace_file
from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.warehouse import open_marts
from orchestration.weekly import Outcome, WeekError, files_to_publish, spend_that_does_not_tie, week_start
from orchestration.weekly import report as make_editions
from orchestration.weekly.changes import changes
from orchestration.weekly.editions import read_editions, reports_folder
from orchestration.weekly.figures import iso_week, read_figures
from orchestration.weekly.render import CHAT_CHARACTERS, EFFECTS
from orchestration.wording import change, minutes, percent, short_usd, usd
from tests.weekly_marts import WEEK, Marts, build, changed, made_up_week, summary

MONDAY = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
LOADS = {"src", "href", "srcset", "data", "poster", "background", "action", "xlink:href", "formaction", "cite"}


class Page(HTMLParser):
    """What a browser would see: text, tags, and every address in an attribute."""

    def __init__(self, html: str):
        super().__init__()
        self.text, self.tags, self.addresses, self.amounts = [], Counter(), [], []
        self._column = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.addresses += [(tag, name, value) for name, value in attributes if name in LOADS]

    def handle_data(self, data):
        self.text.append(data)

    def __contains__(self, words: str) -> bool:
        return words in " ".join(" ".join(self.text).split())


@pytest.fixture
def settings(tmp_path) -> Settings:
    return at(from_environment({"TOKENTRAIL_DATA": str(tmp_path)}), MONDAY)


@pytest.fixture(scope="module")
def marts() -> Marts:
    return made_up_week()


def at(settings: Settings, instant: datetime) -> Settings:
    return replace(settings, as_of=instant)


@dataclass(frozen=True)
class Reported:
    """What a run reported, and the files that went into its publication."""

    outcome: Outcome
    files_written: list[str]

    def __getattr__(self, name: str):
        return getattr(self.outcome, name)


def report(settings: Settings, week: str = "") -> Reported:
    outcome, files = make_editions(settings, week), files_to_publish(settings)
    if files:
        with new_publication(settings) as folder:
            for name, text in files.items():
                replace_file(folder / "weekly" / name, text)
    return Reported(outcome, list(files))


def files(settings: Settings) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (settings.published / "weekly").iterdir()}


def page_of(settings: Settings, week: str = WEEK) -> str:
    return (settings.published / "weekly" / f"{week}.html").read_text()


def reported(settings: Settings, marts: Marts) -> Page:
    build(settings.data, marts)
    report(settings)
    return Page(page_of(settings))


def in_prod(row: dict) -> bool:
    return row["environment"] == "prod" and row["iso_week"] == WEEK


def test_a_repetition_writes_nothing_and_deleted_files_come_back_as_they_were(settings, marts):
    build(settings.data, marts)
    first = report(settings)
    assert (first.week, first.new_editions) == (WEEK, [f"{WEEK} edition 1"])
    before, ledger = files(settings), log_file(reports_folder(settings)).read_bytes()
    assert before.keys() == {f"{WEEK}.html", f"{WEEK}.md"}
    again = report(at(settings, MONDAY + timedelta(days=1)))
    assert (again.new_editions, again.files_written) == ([], [])
    for path in (settings.published / "weekly").iterdir():
        path.unlink()
    assert len(report(at(settings, MONDAY + timedelta(days=30))).files_written) == 2
    assert files(settings) == before
    assert log_file(reports_folder(settings)).read_bytes() == ledger


def test_editions_of_the_first_release_are_read_under_the_names_of_today(settings, marts):
    reported(settings, marts)
    before, written = files(settings), log_file(reports_folder(settings))
    text = written.read_text()
    for old, new in RENAMED_FIELDS["weekly_reports"].items():
        assert f'"{new}":' in text
        text = text.replace(f'"{new}":', f'"{old}":')
    written.write_text(text)
    again = report(at(settings, MONDAY + timedelta(days=1)))
    assert (again.new_editions, files(settings)) == ([], before)


def test_a_run_as_of_an_earlier_instant_reports_nothing(settings, marts):
    reported(settings, marts)
    report(at(settings, MONDAY + timedelta(days=2)))  # finds nothing new, and has reported
    before, messages = files(settings), read_outbox(settings)
    build(settings.data, changed(marts, "weekly_summary", in_prod, spend_usd=Decimal(1)))
    earlier = report(at(settings, MONDAY + timedelta(days=1)))
    assert (earlier.new_editions, earlier.files_written, earlier.queued) == ([], [], Counter())
    assert "weekly_reports in the ledger already has reports as of 2026-11-25" in earlier.sentence
    assert (files(settings), read_outbox(settings)) == (before, messages)
    assert report(at(settings, MONDAY + timedelta(days=2))).new_editions == [f"{WEEK} edition 2"]


def test_the_spend_of_a_week_that_was_never_reported_is_not_compared(settings, marts):
    build(settings.data, marts)
    assert spend_that_does_not_tie(settings) == []


def test_another_process_draws_the_same_bytes(settings, marts):
    reported(settings, marts)
    before = files(settings)
    for path in (settings.published / "weekly").iterdir():
        path.unlink()
    code = (
        "from orchestration.settings import from_environment; from tests.test_weekly_report import report; "
        "report(from_environment())"
    )
    environment = {
        "TOKENTRAIL_DATA": str(settings.data),
        "TOKENTRAIL_AS_OF": MONDAY.isoformat(),
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
    }
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, check=True)
    assert files(settings) == before


def test_another_figure_is_another_edition_that_says_what_changed(settings, marts):
    reported(settings, marts)
    later = changed(marts, "weekly_summary", in_prod, spend_usd=Decimal("13951.617305120884"), unpriced_attempts=12_000)
    later = changed(later, "weekly_recurrence", lambda row: row["problem_id"] == "f2" and in_prod(row), owner="team-x")
    later = changed(later, "weekly_incidents", lambda row: row["incident_id"] == "INC-2040", status="closed")
    settings = at(settings, MONDAY + timedelta(days=2))
    page = reported(settings, later)
    for words in (
        "Changed since edition 1 of 23 Nov 2026, 06:00 UTC",
        "prod: spend $13,942.62 $13,951.62",
        "prod: calls without a price 18,204 12,000",
        "token at chat.answer (prod): owner team-chat team-x",
        "incident INC-2040: status contained closed",
        "1 as known on 23 Nov 2026, 06:00 UTC; 2 as known on 25 Nov 2026, 06:00 UTC",
    ):
        assert words in page
    chat = (settings.published / "weekly" / f"{WEEK}.md").read_text()
    assert "- prod: spend: $13,942.62 → $13,951.62" in chat
    messages = {(row["kind"], row["event_key"], row["channel"]): row["severity"] for row in read_outbox(settings)}
    assert messages == {
        (kind, f"weekly/{WEEK}/{edition}", channel): "warning"
        for kind, edition in (("weekly", 1), ("correction", 2))
        for channel in ("finance", "everyone")
    }
    assert report(settings).new_editions == []


def test_a_week_goes_back_to_what_it_was_as_a_third_edition(settings, marts):
    reported(settings, marts)
    reported(settings, changed(marts, "weekly_summary", in_prod, alerts=10))
    page = reported(settings, marts)
    assert "Changed since edition 2" in page
    assert "prod: alerts 10 9" in page


@pytest.mark.parametrize(
    ("table", "where", "values", "says"),
    [
        ("weekly_summary", in_prod, {"spend_usd": Decimal("13942.617305120885")},
         ("prod: spend", "13942.617305120884 USD", "13942.617305120885 USD")),
        ("weekly_summary", in_prod, {"change_ratio": None}, ("prod: change in percent", "21.6\xa0%", "unknown")),
        ("weekly_summary", lambda row: row["iso_week"] == "2026-W44", {"spend_usd": Decimal(1)},
         ("prod: spend of 2026-W44", "$10,790.66", "$1.00")),
        ("weekly_drivers", lambda row: row["member"] == "northwind", {"change_usd": Decimal(-3)},
         ("prod, tenant northwind: change", "+$512.44", "−$3.00")),
        ("weekly_drivers", lambda row: row["member"] == "northwind", {"member": "southwind"},
         ("prod, tenant southwind: among the top drivers", "not in the report", "$2,204.57")),
        ("weekly_findings", lambda row: row["kind"] == "budget", {"sentence": "Budget x holds."},
         ("finding (budget)", "Budget assistant-month: spend alert since 2026-11-18, $8,100.00 of $10,000.00. (warning)",
          "Budget x holds. (warning)")),
        ("weekly_recurrence", lambda row: row["problem_id"] == "f2" and row["iso_week"] == "2026-W45", {"status": "quiet"},
         ("token at chat.answer (prod): status in 2026-W45", "recurring", "quiet")),
        ("weekly_incidents", lambda row: row["incident_id"] == "INC-2040", {"minutes_to_resolve": 3000},
         ("incident INC-2040: time to resolve", "none", "2\xa0d 2\xa0h")),
        ("cost_by_endpoint_daily", lambda row: row["event_date"].isoformat() == "2026-11-10" and row["endpoint_tag"] == "agent.act",
         {"cost_usd": Decimal(99)}, ("prod: spend of 10 Nov 2026", "$1,961.09", "$100.00")),
    ],
)  # fmt: skip
def test_a_change_is_named_by_what_it_is_about(settings, marts, table, where, values, says):
    listed = [(each.what, each.before, each.after) for each in changes(*figures(settings, marts, table, where, values))]
    assert says in listed
    assert all(before != after for _, before, after in listed)


def figures(settings, marts, table, where, values) -> list[dict]:
    both = []
    for version in (marts, changed(marts, table, where, **values)):
        build(settings.data, version)
        with open_marts(settings, settings.warehouse) as connection:
            both.append(read_figures(connection, WEEK))
    return both


def test_what_is_not_printed_makes_no_edition(settings, marts):
    reported(settings, marts)
    same = changed(marts, "weekly_recurrence", in_prod, alert_ids="others")
    same = changed(same, "weekly_summary", in_prod, change_ratio=0.21574500000001 + 1e-12, narrative="other words")
    ratio = next(row for row in marts["weekly_summary"] if in_prod(row))["change_ratio"]
    same = changed(same, "weekly_summary", in_prod, change_ratio=ratio + 1e-12)
    build(settings.data, same)
    assert report(settings).new_editions == []


def test_a_kill_between_ledger_and_files_loses_nothing(settings, marts, monkeypatch):
    build(settings.data, marts)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.weekly.editions.enqueue", killed)
        with pytest.raises(KeyboardInterrupt):
            report(settings)
    assert not (settings.published / "weekly").exists()
    outcome = report(at(settings, MONDAY + timedelta(hours=1)))
    assert (outcome.new_editions, len(outcome.files_written)) == ([], 2)
    assert outcome.queued["waiting"] + outcome.queued["suppressed"] == 2
    assert "as known on 23 Nov 2026, 06:00 UTC" in Page(page_of(settings))


def test_a_torn_line_of_the_ledger_was_never_written(settings, marts):
    reported(settings, marts)
    before = files(settings)
    log = log_file(reports_folder(settings))
    log.write_bytes(log.read_bytes()[:-500])
    assert report(settings).new_editions == [f"{WEEK} edition 1"]
    assert files(settings) == before


def test_money_in_the_ledger_has_all_its_digits_and_no_float(settings, marts):
    reported(settings, marts)

    def leaves(value):
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from leaves(item)
        else:
            yield value

    (line,) = read_editions(settings)[WEEK]
    assert {type(leaf) for leaf in leaves(line["figures"])} <= {str, int, bool, type(None)}
    assert line["figures"]["environments"][0]["summary"]["spend_usd"] == "13942.617305120884"


def test_the_page_needs_nothing_but_a_browser(settings, marts):
    page = reported(settings, marts)
    html = page_of(settings)
    assert len(html.encode()) < 300_000
    assert {tag for tag, _, _ in page.addresses} <= {"a"}
    assert not re.search(r"@import|url\(|<link|<iframe|<img|<object|<embed|<base|fetch\(|XMLHttpRequest", html)
    assert not page.tags.keys() & {"link", "img", "iframe", "object", "embed", "image", "use", "audio", "video"}
    links = {value for _, _, value in page.addresses}
    alerts = {f"http://localhost:8080/alert?alert=f{number}" for number in range(1, 9)}
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == links == {"https://runbooks.example.com/agent-act"} | alerts
    assert "default-src 'none'" in html.replace("&#39;", "'")
    assert page.tags["svg"] == 6  # three charts, each for a screen and for a telephone
    assert html.count('role="img" aria-label="') == 6


def test_the_script_is_the_one_that_the_policy_lets_run(settings, marts):
    import base64
    import hashlib

    reported(settings, marts)
    html = page_of(settings)
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.replace("&#39;", "'").replace("&#43;", "+")


def test_a_name_is_shown_as_text_whatever_it_is(settings, marts):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    hostile = changed(marts, "weekly_drivers", lambda row: row["dimension"] == "tenant", member=evil)
    hostile = changed(hostile, "weekly_findings", in_prod, sentence=evil, kind=evil)
    hostile = changed(hostile, "weekly_incidents", in_prod, title=evil, status=evil, root_cause=evil, owner=evil)
    hostile = changed(
        *(hostile, "weekly_recurrence", in_prod),
        **dict.fromkeys(("problem", "owner", "status", "severity", "next_action", "failed_guardrail"), evil),
        **dict.fromkeys(("runbook_url", "drill_url"), "javascript:alert(1)"),
    )
    hostile = changed(hostile, "weekly_recurrence", lambda row: row["environment"] == "staging", drill_url=None)
    hostile = changed(hostile, "weekly_summary", lambda row: row["environment"] == "prod", environment=evil)
    for table in ("weekly_drivers", "weekly_findings", "cost_by_endpoint_daily"):
        hostile = changed(hostile, table, lambda row: row["environment"] == "prod", environment=evil)
    reported(settings, marts)
    page = reported(settings, hostile)
    assert evil in page
    assert (page.tags["script"], page.tags["img"], page.addresses) == (1, 0, [])
    chat = (settings.published / "weekly" / f"{WEEK}.md").read_text()
    assert "<" not in chat
    assert "&lt;script&gt;" in chat


def test_a_name_mentions_nobody_in_chat_and_is_not_a_link(settings, marts):
    hostile = changed(
        marts, "weekly_recurrence", in_prod, owner="<!channel> @everyone [free](http://evil.example)\n# h"
    )
    reported(settings, hostile)
    chat = (settings.published / "weekly" / f"{WEEK}.md").read_text()
    assert "<!channel>" not in chat
    assert "@everyone" not in chat
    assert "](" not in chat
    assert "\n# h" not in chat


def test_the_labels_of_the_bridge_and_the_exact_amounts_add_up(settings, marts):
    reported(settings, marts)
    html = page_of(settings)
    (bridge,) = set(re.findall(r'aria-label="(From \$[^"]*)"', html))
    before, after = (Decimal(text.replace(",", "")) for text in re.findall(r"\$([\d,.]+\d)(?: to|:)", bridge)[:2])
    effects = re.findall(r"\w+ ([+−]?)\$([\d,]+\.\d\d)", bridge.split(": ")[1])
    moved = sum(Decimal(f"{'-' if sign == '−' else ''}{text.replace(',', '')}") for sign, text in effects)
    assert len(effects) == len(EFFECTS)
    assert abs(before + moved - after) <= Decimal("0.03")  # seven amounts, each rounded
    for sign, text in effects:
        assert f">{sign}${text}</text>" in html
    row = re.search(r'<tr><th scope="row">prod.*?</tr>', html, re.DOTALL)[0]
    spend, previous, total, *parts = map(Decimal, re.findall(r'title="(-?[\d.]+) USD"', row))
    assert len(parts) == len(EFFECTS)
    assert previous + sum(parts) == spend == previous + total


def test_a_first_week_has_no_week_before_and_says_so(settings, marts):
    alone = {"weekly_summary": [summary(week_start(WEEK), "prod", "12.345")]}
    page = reported(settings, alone)
    assert "prod spent $12.35 on LLM calls; there is no week before to compare it with." in page
    assert "no week before to compare with, so there is no bridge" in page
    assert "No alert began in this week, nor in the seven before it." in page
    assert "No incident was open in this week." in page
    assert "No budget left the state ok." in page
    assert page.tags["svg"] == 2  # the weeks; no day is known
    assert "+$" not in page


def test_a_spend_without_a_price_is_unknown_and_not_zero(settings, marts):
    values = dict.fromkeys(("spend_usd", "change_usd", "change_ratio", *EFFECTS))
    page = reported(settings, changed(marts, "weekly_summary", in_prod, **values, exposure_usd=None))
    assert "What prod spent is unknown: none of its calls has a price." in page  # staging spent more, and is not first
    only = {"weekly_summary": [summary(week_start(WEEK), "prod", None, unpriced_attempts=3)]}
    page = reported(settings, only)
    assert "What prod spent is unknown: none of its calls has a price." in page
    assert "leaves out 3 calls without a price, likely $0.00" in page
    assert "By environment: prod unknown" in page
    assert page.tags["svg"] == 0
    assert "unknown in prod" in (settings.published / "weekly" / f"{WEEK}.md").read_text()


def test_a_week_without_alerts_shows_what_the_weeks_before_had(settings, marts):
    quiet = {name: [row for row in rows if name != "weekly_incidents"] for name, rows in marts.items()}
    rows = [
        row for row in quiet["weekly_recurrence"] if row["iso_week"] != WEEK or row["status"] in {"quiet", "resolved"}
    ]
    page = reported(settings, quiet | {"weekly_recurrence": rows})
    assert "No alert began." in page
    assert "deploy at search.rewrite" in page
    assert "retry at agent.act" not in "".join(page.text).split("What came back")[1].split("Incidents")[0]


def test_only_problems_of_the_last_eight_weeks_are_shown(settings, marts):
    monday = week_start(WEEK)
    old = next(row for row in marts["weekly_recurrence"] if row["problem_id"] == "f7" and row["iso_week"] == WEEK)
    for weeks, shown in ((7, True), (8, False)):
        start = monday - timedelta(weeks=weeks)
        began = old | {"week_start": start, "iso_week": iso_week(start), "status": "new", "occurrences": 1}
        rows = [row | {"problem_id": "old", "problem": "an old problem"} for row in (old, began)]
        reported(settings, marts | {"weekly_recurrence": [*marts["weekly_recurrence"], *rows]})
        grids = "".join(re.findall(r'<table class="grid">.*?</table>', page_of(settings), re.DOTALL))
        assert (weeks, "an old problem" in grids) == (weeks, shown)


def test_nothing_built_or_no_complete_week_is_not_a_failure(settings, marts):
    assert report(settings).sentence == "Nothing to report yet: no ISO week with real usage is complete."
    build(settings.data, changed(marts, "weekly_summary", lambda _: True, is_complete=False))
    assert report(settings).week is None
    build(settings.data, changed(marts, "weekly_summary", lambda _: True, data_mode="test"))
    assert report(settings).week is None
    assert not (settings.published / "weekly").exists()
    assert spend_that_does_not_tie(settings) == []


def test_marts_that_were_built_before_there_were_weeks_are_not_a_failure(settings, marts, monkeypatch):
    monkeypatch.setattr("tests.weekly_marts.COLUMNS", {"cost_by_endpoint_daily": "event_date date"})
    build(settings.data, {})
    assert report(settings).week is None


@pytest.mark.parametrize(
    ("week", "sentence"),
    [
        ("47", "WEEK is '47': give an ISO week that exists, such as 2026-W47."),
        ("2026-W7", "WEEK is '2026-W7': give an ISO week that exists, such as 2026-W47."),
        ("2025-W53", "WEEK is '2025-W53': give an ISO week that exists, such as 2026-W47."),
        ("2026-W00", "WEEK is '2026-W00': give an ISO week that exists, such as 2026-W47."),
        ("2026-W47\n", "WEEK is '2026-W47\\n': give an ISO week that exists, such as 2026-W47."),
        ("../2026-W47", "WEEK is '../2026-W47': give an ISO week that exists, such as 2026-W47."),
        ("2020-W01", "WEEK is '2020-W01', and the marts have no real usage in it: marts.weekly_summary lists the weeks that have."),
        ("2026-W48", ("WEEK is '2026-W48', which is not complete before 2026-11-30 06:00 UTC (the end of its Sunday and "
                      "TOKENTRAIL_LATENESS_HOURS, 6): a run after that reports it.")),
    ],
)  # fmt: skip
def test_a_week_that_cannot_be_reported_is_a_sentence(settings, marts, week, sentence):
    running = summary(week_start("2026-W48"), "prod", "3.5", is_complete=False, days_with_usage=1)
    build(settings.data, marts | {"weekly_summary": [*marts["weekly_summary"], running]})
    with pytest.raises(WeekError) as error:
        report(settings, week)
    assert str(error.value) == sentence
    assert report(settings).week == WEEK  # the running one is not looked at


def test_a_named_week_before_anything_is_built_is_a_sentence(settings):
    with pytest.raises(WeekError, match=r"nothing is built yet: `make run` says why\.$"):
        report(settings, WEEK)


@pytest.mark.parametrize(("week", "dates"), [
    ("2026-W53", "28 December 2026 to 3 January 2027"),
    ("2027-W01", "4 to 10 January 2027"),
    ("2026-W40", "28 September to 4 October 2026"),
])  # fmt: skip
def test_weeks_across_the_end_of_a_year(settings, week, dates):
    build(settings.data, made_up_week(week))
    report(at(settings, datetime(2027, 1, 11, 6, tzinfo=UTC)))
    html = page_of(settings, week)
    assert f"<h1>{dates}</h1>" in html
    grid = re.search(r'<table class="grid">.*?</thead>', html, re.DOTALL)[0]
    named = re.findall(r"W\d\d", grid)
    if week == "2027-W01":
        assert named == ["W47", "W48", "W49", "W50", "W51", "W52", "W53", "W01"]
    assert (len(named), named[-1]) == (8, week[-3:])


def test_an_older_week_is_corrected_when_its_figures_change_and_no_other_is_made_up(settings):
    before, this = made_up_week("2026-W46"), made_up_week()
    build(settings.data, before)
    report(at(settings, MONDAY - timedelta(weeks=1)))
    both = {name: before[name] + [row for row in this[name] if row.get("iso_week") == WEEK] for name in before}
    build(settings.data, both)
    assert report(settings).new_editions == [f"{WEEK} edition 1"]
    late = changed(
        both, "weekly_summary", lambda row: row["iso_week"] == "2026-W46" and row["environment"] == "prod", alerts=12
    )
    build(settings.data, late)
    assert report(settings).new_editions == ["2026-W46 edition 2"]
    assert report(settings, "2026-W44").new_editions == ["2026-W44 edition 1"]  # asked for by name
    assert report(settings).new_editions == []


def test_what_is_too_much_is_counted_and_named(settings, marts):
    row = next(row for row in marts["weekly_recurrence"] if row["problem_id"] == "f2" and row["iso_week"] == WEEK)
    many = [row | {"problem_id": f"x{place}", "problem": f"problem {place} " + "x" * 300} for place in range(400)]
    page = reported(settings, marts | {"weekly_recurrence": [*marts["weekly_recurrence"], *many]})
    assert "348 more rows in marts.weekly_recurrence, not printed here." in page
    assert len(page_of(settings)) < 1_000_000
    assert len((settings.published / "weekly" / f"{WEEK}.md").read_text()) <= CHAT_CHARACTERS


def test_the_chat_message_has_what_came_back_who_owns_it_and_where_the_report_is(settings, marts):
    reported(settings, marts)
    chat = (settings.published / "weekly" / f"{WEEK}.md").read_text()
    assert chat.startswith("# LLM cost 2026-W47: $13,942.62 in prod, +$2,474.24 (+21.6 %)\n")
    first = chat.split("**Do this on Monday**\n")[1]
    assert first.startswith(
        "- (critical) retry at agent.act (regressed, $1,122.34): Find out why the circuit breaker did not open"
    )
    assert "; owner team-agents http://localhost:8080/alert?alert=f1\n" in first
    items = [line for line in first.splitlines() if line.startswith("- ") and "; owner " in line]
    assert all("http://localhost:8080/alert?alert=" in line for line in items), "each problem leads to its alert"
    assert "\nWithout a guardrail: " in chat
    assert chat.endswith("Full report: http://localhost:8080/weekly/2026-W47.html\n")
    message = next(row for row in read_outbox(settings) if row["channel"] == "everyone")
    assert chat == f"# {message['title']}\n\n{message['body']}\n\nFull report: {message['drill_url']}\n"


def budget(name: str, environment: str = "prod", state: str = "exceeded") -> dict:
    row = {"rank": 20, "kind": "budget", "severity": "critical" if state == "exceeded" else "warning"}
    sentence = f"Budget {name}: {state} since 2026-11-18, $120.00 of $100.00."
    about = {"iso_week": WEEK, "week_start": week_start(WEEK), "environment": environment, "data_mode": "real"}
    return about | row | {"amount_usd": Decimal(20), "sentence": sentence}


def test_no_budget_is_cut_from_the_message_however_much_else_there_is(settings, marts):
    names = [f"team-{number:02}-month" for number in range(60)]
    row = next(row for row in marts["weekly_recurrence"] if row["problem_id"] == "f2" and row["iso_week"] == WEEK)
    many = [row | {"problem_id": f"x{place}", "problem": f"problem {place} " + "x" * 300} for place in range(40)]
    budgets = [budget(name, state="exceeded" if place % 2 else "warning") for place, name in enumerate(names)]
    full = {
        "weekly_recurrence": [*marts["weekly_recurrence"], *many],
        "weekly_findings": [*marts["weekly_findings"], *budgets],
    }
    page = reported(settings, marts | full)
    chat = (settings.published / "weekly" / f"{WEEK}.md").read_text()
    assert len(chat) <= CHAT_CHARACTERS
    assert [name for name in names if name not in chat or f"Budget {name}:" not in page] == []


def test_a_budget_over_several_environments_is_one_sentence_and_all_of_them_no_environment(settings, marts):
    everything = summary(week_start(WEEK), "(all)", None, budgets_exceeded=1)
    budgets = [budget("company", "(all)"), budget("tests", "staging"), budget("tests", "dev")]
    page = reported(
        settings,
        marts
        | {
            "weekly_summary": [*marts["weekly_summary"], everything],
            "weekly_findings": [*marts["weekly_findings"], *budgets],
        },
    )
    text = " ".join(" ".join(page.text).split())
    assert (text.count("Budget company:"), text.count("Budget tests:")) == (1, 1)
    assert "(all)" not in text
    lines = (settings.published / "weekly" / f"{WEEK}.md").read_text().splitlines()
    sentences = [line for line in lines if line.startswith("- ")]
    assert len(sentences) == len(set(sentences))


def test_production_comes_first_whatever_it_costs_and_who_is_gone_is_left_out(settings, marts):
    monday = week_start(WEEK)
    nothing = {"change_usd": Decimal(0), "previous_spend_usd": Decimal(0), "days_with_usage": 0}
    rows = [
        *(row for row in marts["weekly_summary"] if row["iso_week"] != WEEK),
        summary(monday, "prod", "5", attempts=3),
        summary(monday, "batch", "900", attempts=3),
        summary(monday, "gone", "0", **nothing),
        summary(monday, "stopped", "0", **nothing | {"change_usd": Decimal(-7), "previous_spend_usd": Decimal(7)}),
    ]
    dropped = {
        "environment": "stopped",
        "kind": "spend",
        "sentence": "No call was made: $7.00 less than the week before.",
    }
    found = budget("x") | dropped | {"severity": "warning", "amount_usd": Decimal(0)}
    page = reported(settings, marts | {"weekly_summary": rows, "weekly_findings": [found]})
    assert "prod spent $5.00 on LLM calls" in page
    assert "By environment: prod $5.00, batch $900.00, stopped $0.00 (−$7.00)" in page
    assert (
        "stopped No call was made: $7.00 less than the week before. Find out whether it was stopped on purpose." in page
    )
    assert "gone" not in "".join(page.text)


@pytest.mark.parametrize(
    ("table", "values", "says"),
    [
        ("weekly_summary", {"spend_usd": Decimal("13951.617305120884"), "unpriced_attempts": 12_000},
         "spend of prod is $13,951.62, +$9.00: 6,204 calls got a price."),
        ("weekly_summary", {"spend_usd": Decimal("13943.617305120884"), "attempts": 1_961_548},
         "spend of prod is $13,943.62, +$1.00: 100 calls arrived late."),
        ("weekly_summary", {"spend_usd": Decimal("13932.617305120884")},
         "spend of prod is $13,932.62, −$10.00: the same calls have another price or other token counts."),
        ("weekly_recurrence", {"owner": "team-x"}, "No spend changed; problems did."),
        ("weekly_incidents", {"root_cause": "found"}, "No spend changed; incidents did, after what people recorded about incidents."),
    ],
)  # fmt: skip
def test_a_correction_says_first_what_changed_and_why(settings, marts, table, values, says):
    reported(settings, marts)
    where = in_prod if table == "weekly_summary" else lambda row: row["iso_week"] == WEEK
    page = reported(settings, changed(marts, table, where, **values))
    assert f"Edition 2: {says} prod spent" in page
    chat = (settings.published / "weekly" / f"{WEEK}.md").read_text().splitlines()
    assert chat[2] == f"Edition 2: {says}"


def test_the_value_of_a_day_is_written_on_its_own_bar(settings, marts):
    """Also where the bar of the week before is higher: a label at the top of that one was read as its value."""
    monday, drawn = week_start(WEEK), {}
    for before in (4000, 400):
        where = lambda row: row["event_date"] == monday - timedelta(days=7) and row["endpoint_tag"] == "agent.act"  # noqa: E731
        reported(settings, changed(marts, "cost_by_endpoint_daily", where, cost_usd=Decimal(before)))
        chart = re.findall(r'<svg class="chart wide".*?</svg>', page_of(settings), re.DOTALL)[1]
        tops = [float(y) for y in re.findall(r"translate\([\d.]+,([\d.]+)\)[^>]*>\$2.26k<", chart)]
        drawn[before] = (tops, max(float(y) for y in re.findall(r"translate\([\d.]+,([\d.]+)\)[^>]*>\$", chart)))
    assert drawn[4000][0][0] > drawn[400][0][0]  # lower on the page, with its own bar, when the other one is higher


@pytest.mark.parametrize("lacks", ["had usage on 4 days only", "lacks usage of 2 days"])
def test_a_change_from_an_incomplete_week_has_no_percentage(settings, marts, lacks):
    sentence = f"Spend was $13,942.62, $2,474.24 more (21.6 %) than the week before, which {lacks}."
    found = changed(
        marts, "weekly_findings", lambda row: row["kind"] == "spend" and row["environment"] == "prod", sentence=sentence
    )
    page = reported(settings, found)
    assert f"prod spent $13,942.62 on LLM calls, $2,474.24 more than the week before, which {lacks}." in page
    chat = (settings.published / "weekly" / f"{WEEK}.md").read_text()
    assert chat.startswith("# LLM cost 2026-W47: $13,942.62 in prod, +$2,474.24 from an incomplete week\n")


def test_a_week_that_lacks_calls_says_at_least(settings, marts):
    silent = changed(marts, "weekly_summary", lambda row: row["iso_week"] == WEEK and in_prod(row), silent_days=2)
    assert "prod spent at least $13,942.62 on LLM calls" in reported(settings, silent)


def test_a_calm_week_is_an_info(settings, marts):
    calm = {"weekly_summary": [row for row in marts["weekly_summary"] if row["environment"] == "prod"]}
    reported(settings, calm)
    statuses = {row["channel"]: (row["severity"], row["status"]) for row in read_outbox(settings)}
    assert statuses == {"finance": ("info", "suppressed"), "everyone": ("info", "waiting")}


def test_a_report_that_the_daily_marts_do_not_add_up_to_is_named(settings, marts):
    reported(settings, marts)
    assert spend_that_does_not_tie(settings) == []
    build(
        settings.data,
        changed(marts, "cost_by_endpoint_daily", lambda row: row["environment"] == "dev", cost_usd=Decimal(61)),
    )
    assert spend_that_does_not_tie(settings) == [
        "2026-W47, dev: the report says 61.402200118900 USD, cost_by_endpoint_daily adds up to 61.000000000000."
    ]


def test_an_edition_of_an_older_release_without_a_column_is_still_rendered(settings, marts):
    reported(settings, marts)
    log = log_file(reports_folder(settings))
    line = json.loads(log.read_text())
    for row in line["figures"]["recurrence"]:
        del row["escalation_channel"]
    del line["figures"]["environments"][0]["summary"]["problem_cost_usd"]
    log.write_text(json.dumps(line) + "\n")
    settings.warehouse.unlink()
    assert report(settings).files_written == [f"{WEEK}.html"]
    assert "Cost of problems, prod: unknown" in Page(page_of(settings))


@pytest.mark.parametrize(("amount", "words"), [
    ("1234.565", "$1,234.57"), ("1234.564999999999", "$1,234.56"), ("-0.005", "−$0.01"), ("0.004999999999", "<$0.01"),
    ("0", "$0.00"), ("0.000000000000", "$0.00"), ("1234567890.005", "$1,234,567,890.01"),
])  # fmt: skip
def test_money_is_rounded_half_up_and_a_little_is_not_nothing(amount, words):
    assert usd(amount) == words


def test_other_figures_as_people_read_them():
    assert [change(text) for text in ("2.5", "-2.5", "0")] == ["+$2.50", "−$2.50", "$0.00"]
    assert [short_usd(text) for text in ("0.25", "9.994", "12.34", "999.4", "999.6", "12345", "99960", "1234567")] == [
        "$0.25", "$9.99", "$12.3", "$999", "$1.00k", "$12.3k", "$100k", "$1.23m",
    ]  # fmt: skip
    assert [percent(text) for text in ("0.2157", "-0.0004", "0.0000001", "0", "25.5", "inf")] == [
        "21.6\xa0%", "−under 0.1\xa0%", "under 0.1\xa0%", "0.0\xa0%", "2,550\xa0%", "unknown",
    ]  # fmt: skip
    assert [minutes(value) for value in (0, 59, 60, 4810)] == [
        "0\xa0min", "59\xa0min", "1\xa0h", "3\xa0d 8\xa0h 10\xa0min",
    ]  # fmt: skip


def test_the_charts_are_drawn_without_being_loaded_at_start():
    code = "import sys, orchestration.weekly; sys.exit('vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_the_templates_are_where_the_code_looks_for_them():
    folder = Path(sys.modules["orchestration.weekly.render"].__file__).parent / "templates"
    assert {path.name for path in folder.iterdir()} == {"weekly.css", "weekly.html.j2", "weekly.js", "weekly.md.j2"}
