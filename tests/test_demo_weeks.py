"""What the marts say of the demo's 60 days: weeks against what the simulator knows to be true, questions against a count of rows."""

import csv
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import duckdb
import pandas as pd
import pytest

from demo.__main__ import main
from demo.world import MODELS
from docs.cookbook.render import question_and_sql, questions
from inbox.filters import DIMENSIONS
from orchestration.alerts.announcements import announce
from orchestration.alerts.ledger import read_announcements
from orchestration.commands.screen import SCREEN_WIDTH
from orchestration.incidents.events import known_events
from orchestration.incidents.postmortem import file_name, files_to_publish, postmortem
from orchestration.incidents.states import incidents
from orchestration.invoices.months import BUCKETS, last_month
from orchestration.notifications import deliver
from orchestration.plain import wrapped
from orchestration.settings import Settings
from orchestration.warehouse import open_marts
from tests.answers import ANSWERS, COLUMNS, QUESTIONS, World, world_of
from tests.pages import button_of, inside, opened, query
from tests.pipeline import AS_OF, WITHOUT_TESTS, Pipeline, pipeline_at
from tests.receiver import Receiver, listening

MORNING = datetime(2026, 11, 13, 6, 15, tzinfo=UTC)
COOKBOOK = {path.stem.partition("-")[2]: path for path in questions()}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where on-call and everybody read their messages."""
    with listening() as server, pytest.MonkeyPatch.context() as patch:
        for name in ("oncall", "everyone"):
            patch.setenv(f"TOKENTRAIL_CHANNEL_{name.upper()}", server.address(name))
        yield server


@pytest.fixture(scope="module")
def season(tmp_path_factory, receiver) -> tuple[Pipeline, list[dict]]:
    """The demo, and what on-call received when the first run of all was that of the morning after the retries began."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("season") / "data", threads=2)  # as large worlds are built
    assert main(["--data", str(pipeline.settings.data)]) == 0
    first = replace(pipeline, settings=replace(pipeline.settings, as_of=MORNING))
    first.build(*WITHOUT_TESTS, "--select", "+path:models/marts/alerts")
    for minutes in range(11):
        announce_and_deliver(first.settings, minutes=minutes)
    received = [message for path, _, message in receiver.arrived if path == "oncall"]
    deliver(replace(first.settings, as_of=MORNING + timedelta(days=1)))  # the digest
    pipeline.run(*WITHOUT_TESTS)
    return pipeline, received


@pytest.fixture(scope="module")
def demo(season) -> Pipeline:
    return season[0]


def announce_and_deliver(settings: Settings, **later: float) -> None:
    settings = replace(settings, as_of=settings.as_of + timedelta(**later))
    announce(settings)
    deliver(settings)


@pytest.fixture(scope="module")
def world(demo) -> World:
    with client(demo) as marts:
        return world_of(marts.execute(f"select {COLUMNS} from marts.fct_attempts").df(), AS_OF)


def client(demo: Pipeline) -> duckdb.DuckDBPyConnection:
    """Somebody who has opened the published file and done nothing else."""
    return duckdb.connect(str(demo.settings.published_marts.resolve()), read_only=True)


@pytest.fixture(scope="module")
def truth(demo) -> dict:
    return json.loads((demo.settings.data / "demo_truth.json").read_text())


def of_prod(demo: Pipeline, truth: dict, columns: str) -> list[tuple]:
    """Complete weeks of the problems that the truth knows."""
    rows = demo.inside(
        f"select problem_id, iso_week, {columns} from marts.weekly_recurrence "
        "where environment = 'prod' and data_mode = 'real' and is_complete order by all"
    )
    return [row for row in rows if row[0] in problem_ids(truth)]


def problem_ids(truth: dict) -> set[str]:
    return {row["problem_id"] for row in truth["recurrence"]}


def test_one_false_alarm_in_eight_weeks_is_all_that_nobody_made(demo, truth):
    """agent.browse on 13 October: a few large requests."""
    found = demo.inside(
        "select distinct problem_id from intermediate.int_alerts where environment = 'prod' and data_mode = 'real'"
    )
    assert len({problem_id for (problem_id,) in found} - problem_ids(truth)) == 1


def test_each_problem_is_in_each_week_what_it_is(demo, truth):
    rows = [
        tuple(row[name] for name in ("problem_id", "iso_week", "status", "occurrences", "days"))
        for row in truth["recurrence"]
    ]
    assert of_prod(demo, truth, "status, occurrences, days") == sorted(rows)
    assert {status for _, _, status, _, _ in rows} == {"new", "recurring", "regressed", "quiet", "resolved"}


def test_an_alert_says_in_which_hour_it_began_and_what_calls_fail_with(demo, truth):
    """Ten incidents; those of few calls an hour may be off by some hours."""
    rows = demo.ask(
        """select problem_id, onset_date, started_at, top_error_code, top_http_status, top_error_share
        from marts.alerts where environment = 'prod' and data_mode = 'real'"""
    )
    found = {(problem_id, f"{day}"): (at.replace(tzinfo=UTC), *error) for problem_id, day, at, *error in rows}
    began = {
        (each["problem_id"], each["onset_date"]): datetime.fromisoformat(each["start"]) for each in truth["incidents"]
    }
    off = [abs(found[key][0] - start) for key, start in began.items()]
    assert len(off) == 10
    assert sum(each <= timedelta(hours=1) for each in off) >= 7
    [storm] = [each for each in truth["incidents"] if each["spike_type"] == "retry"]
    started_at, code, http_status, share = found[storm["problem_id"], storm["onset_date"]]
    assert (started_at, code, http_status) == (datetime.fromisoformat(storm["start"]), "schema_mismatch", 422)
    assert 0.5 < share < 1
    assert [code for _, code, *_ in found.values()].count(None) == len(found) - 1


def test_what_it_cost_is_near_the_truth(demo, truth):
    """The truth is the cost that incidents added; the marts have what stood above a forecast, so a problem's week may be a third off."""
    found = {(problem_id, week): cost for problem_id, week, cost in of_prod(demo, truth, "cost_impact_usd")}
    true = {(row["problem_id"], row["iso_week"]): Decimal(str(row["extra_cost_usd"])) for row in truth["recurrence"]}
    assert {key for key, cost in found.items() if cost} == {key for key, cost in true.items() if cost}
    for key, cost in true.items():
        assert float(found[key]) == pytest.approx(float(cost), rel=1 / 3)
    assert float(sum(found.values())) == pytest.approx(float(sum(true.values())), rel=0.05)


def test_over_the_weeks_it_is_what_the_alerts_say_to_the_last_digit(demo):
    assert demo.inside("select sum(cost_impact_usd), sum(occurrences) from marts.weekly_recurrence") == demo.inside(
        "select sum(total_excess_usd), count(*) from intermediate.int_alerts"
    )


def test_the_incidents_know_their_alerts(demo):
    rows = demo.inside(
        "select incidents.incident_id, alerts.alert_id is not null, incidents.alerts from marts.incidents as incidents "
        "left join intermediate.int_alerts as alerts on incidents.alert_id = alerts.alert_id "
        "and incidents.problem_id = alerts.problem_id"
    )
    assert len(rows) == 4
    assert all(row[1:] == (True, 1) for row in rows)


# How opposite causes in one cell are divided is an estimate; together they are exact.
BY_ESTIMATE = ("failed", "estimated", "uncaptured", "unbilled")


def test_a_bill_differs_by_what_the_truth_says(demo, truth):
    """Nine labelled causes at three vendors, each in its bucket; where no quantity is said, together as unexplained."""
    known: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in truth["bills"]:
        of_bill = known.setdefault((row["vendor"], row["billing_month"]), dict.fromkeys(BUCKETS, Decimal(0)))
        of_bill[row["bucket"]] += Decimal(row["usd"])
    sums = ", ".join(f"sum({bucket}_usd)" for bucket in BUCKETS)
    rows = demo.ask(
        f"select vendor, billing_month::varchar, sum(difference_usd), {sums} from reconciliation_monthly where is_billed group by all"
    )
    assert {(vendor, month) for vendor, month, *_ in rows} == known.keys()
    assert len(known) == 6
    assert {bucket for of_bill in known.values() for bucket, usd in of_bill.items() if usd} == {
        *(
            "tax",
            "credit",
            "timing",
            "billed_twice",
            "unpriced",
            "failed",
            "estimated",
            "uncaptured",
            "rate",
            "unexplained",
        )
    }
    for vendor, month, difference, *parts in rows:
        found, expected = dict(zip(BUCKETS, parts, strict=True)), known[vendor, month]
        assert difference == sum(parts)
        for bucket in BUCKETS:
            if bucket not in BY_ESTIMATE or vendor != "openai":
                assert abs(found[bucket] - expected[bucket]) < Decimal("0.000001"), (vendor, month, bucket)
        of_both = (sum(each[bucket] for bucket in BY_ESTIMATE) for each in (found, expected))
        assert next(of_both) == pytest.approx(next(of_both), abs=Decimal("0.000001"))
        if month == "2026-10-01":
            for bucket, usd in expected.items():
                assert abs(found[bucket] - usd) <= (abs(usd) * Decimal("0.05") or Decimal("0.1")), (vendor, bucket)


def test_the_last_month_of_bills_is_ten_lines_of_a_screen(demo):
    """Each account with its difference, whose parts add up to it, and what to do next where it is not accepted."""
    with open_marts(demo.settings) as marts:
        lines = list(last_month(marts, demo.settings.as_of))
    assert len([piece for line in lines for piece in wrapped(f"  {line}", SCREEN_WIDTH)]) <= 10
    assert lines[0] == "October 2026: what vendors bill next to what calls cost."
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")][1:] == [
        "openai main",
        "anthropic main",
        "gcp main",
    ]
    assert sum(line.startswith("  Next: ") for line in lines) == 2
    for account, parts in pairwise(lines):
        if parts.startswith("  ") and not account.startswith("  "):
            difference, *_ = _dollars(account.split(": ")[2])
            cents = _dollars(parts)
            assert abs(sum(cents) - difference) <= Decimal("0.005") * (len(cents) + 1)


def _dollars(text: str) -> list[Decimal]:
    """Signed dollars of a text."""
    return [Decimal(f"{sign}{usd}".replace("−", "-")) for sign, usd in re.findall(r"([+−])\$(\d+\.\d\d)", text)]


def test_every_question_of_the_list_has_an_answer():
    """Analysts ask 25 in their first week: each is a file of the cookbook, and counted here."""
    assert sorted(QUESTIONS) == list(range(1, 26))
    assert {*QUESTIONS.values()} == {*ANSWERS} <= {*COOKBOOK}


def test_what_landed_says_at_once_what_the_marts_say_after_a_run(demo):
    settings = demo.settings
    columns = "incident_id, status, title, owner, contained_at, closed_at, coalesce(execution_missing, ''), coalesce(hardening_missing, '')"
    assert sorted(
        (
            *(each.incident_id, each.status, each.title, each.owner, each.contained_at, each.closed_at),
            *("; ".join(each.execution_missing), "; ".join(each.hardening_missing)),
        )
        for each in incidents(settings, known_events(settings)).values()
    ) == sorted(demo.ask(f"select {columns} from incidents"))


def _figure(note: str, line: str) -> Decimal:
    """The dollars of a line of a note's tables."""
    [found] = re.findall(rf"^\| {line}[^|]*\| \+?\$([\d.,]+) \|$", note, re.MULTILINE)
    return Decimal(found.replace(",", ""))


def test_a_postmortem_of_each_incident_says_what_the_truth_says(demo, truth):
    """Dates and driver are those of the truth file. Its dollars are what the incident added: a note has what stood above a forecast."""
    alerts = {
        (problem, day): alert for alert, problem, day in demo.ask("select alert_id, problem_id, onset_date from alerts")
    }
    total = Decimal(0)
    with open_marts(demo.settings) as marts:
        for known in truth["incidents"]:
            note = postmortem(marts, alert_id=alerts[known["problem_id"], date.fromisoformat(known["onset_date"])])
            driver = f"{known['driver_dimension']} {known['driver_value']}".replace("|", "\\|")
            first, last = known["onset_date"], known["end_date"]
            assert f"{known['spike_type']}, driven by {driver}, from {first} to {last} (" in note
            assert re.search(rf"^\| {first}( \d\d:\d\d)? \| onset \|$", note, re.MULTILINE)
            if known["spike_type"] == "retry":
                assert re.search(r"^\| [^|]+ \| message sent to oncall: .*agent\.act", note, re.MULTILINE)
            sums = re.findall(
                r"^\| [a-z]+ \|.*\| ([+−]?)\$([\d.]+) \|$",
                note.partition("## Why")[2].partition("| **sum**")[0],
                re.MULTILINE,
            )
            effects = sum(Decimal(usd) * (-1 if sign == "−" else 1) for sign, usd in sums)
            assert abs(effects - _figure(note, "first day, above the same weekdays before")) <= Decimal("0.005") * (
                len(sums) + 1
            )
            total += (cost := _figure(note, r"all \d+ days so far, above the forecast"))
            assert float(cost) == pytest.approx(known["extra_cost_usd"], rel=1 / 3, abs=0.75), known["incident"]
            for sql in re.findall(r"```sql\n(.*?);\n```", note, re.DOTALL):
                marts.execute(sql.replace("marts.", ""))
    assert float(total) == pytest.approx(sum(known["extra_cost_usd"] for known in truth["incidents"]), rel=0.05)


def test_a_postmortem_has_messages_about_many_alerts(demo):
    [(title, alert_ids)] = demo.ask("select title, alert_ids from notification_outbox where topic = 'alert/past'")
    with open_marts(demo.settings) as marts:
        for alert_id in alert_ids.split():
            note = postmortem(marts, alert_id=alert_id)
            assert re.search(rf"^\| [^|]+ \| message sent to everyone: {re.escape(title)} \|$", note, re.MULTILINE)


def test_the_note_of_a_closed_incident_stays_until_it_is_reopened(demo, tmp_path):
    settings = replace(demo.settings, data=tmp_path)
    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(demo.settings.published_marts.resolve(), copy)
    with duckdb.connect(str(copy)) as marts:
        before = files_to_publish(settings, marts)
        ids = dict(marts.execute("select incident_id, status from marts.incidents").fetchall())
        assert before.keys() == {"index.md", *(file_name(incident) for incident in ids)}
        assert files_to_publish(settings, marts) == before
        assert {path.name: path.read_text() for path in (demo.settings.published / "postmortems").iterdir()} == before
        marts.execute("update marts.incidents set cost_usd = 99.5, last_event_at = last_event_at")
        after = files_to_publish(settings, marts)
        changed = {name for name in before if after[name] != before[name]}
        assert changed == {file_name(incident) for incident, status in ids.items() if status != "closed"} != set()
        [closed] = [incident for incident, status in ids.items() if status == "closed"]
        marts.execute("update marts.incidents set status = 'open', closed_at = null where incident_id = ?", [closed])
        assert "$99.50" in files_to_publish(settings, marts)[file_name(closed)]


def test_on_call_reads_what_fails_since_when_and_what_to_do_once(season):
    """The run of that morning was repeated ten times."""
    _, received = season
    [message] = [each for each in received if "agent.act" in each["title"]]
    assert message["title"] == "Critical: retries at agent.act since 12 Nov 07:00 UTC, $8.76 instead of $4.03"
    assert "Failing: **schema_mismatch 422**, " in message["message"]
    [alert] = message["messages"][0]["alerts"]
    assert f"&endpoint=agent.act&alert={alert['alert_id']}" in message["message"]
    assert "Do first: **Add back-off and open the circuit breaker**." in message["message"]
    assert sum(Decimal(amount) for amount in alert["effects_usd"].values()) == Decimal(alert["delta_usd"])
    assert (
        len({each["title"] for each in received}) == len(received) == 2
    )  # and agent.browse, which has not been quiet for 3 days


def test_a_first_run_over_sixty_days_sends_one_digest_of_what_is_over(demo, receiver, tmp_path):
    settings = replace(demo.settings, data=tmp_path)
    settings.warehouse.symlink_to(demo.settings.warehouse)
    before = len(receiver.arrived)
    for hours in (0, 1, 24, 25):
        announce_and_deliver(settings, hours=hours)
    arrived = [(path, message["title"]) for path, _, message in receiver.arrived[before:]]
    assert Counter(path for path, _ in arrived) == {"oncall": 1, "everyone": 1}
    assert arrived[0][1].startswith("Critical: costly version v14.1 at support.draft")  # it is open
    kinds = Counter(line["kind"] for line in read_announcements(settings))
    loud = demo.inside("select count(*) from marts.alerts where severity <> 'info'")
    assert (kinds["new"], kinds["past"]) == (1, loud[0][0] - 1)


@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_a_question_has_the_answer_that_counting_rows_gives(demo, world, number):
    """As many rows, of the same names, with every figure that the count has: off by what rounding takes at most."""
    _, sql = question_and_sql(COOKBOOK[QUESTIONS[number]])
    expected = ANSWERS[QUESTIONS[number]](world)
    keys = [name for name in expected.index.names if name]
    with client(demo) as marts:
        rows = marts.execute(sql)
        names = [column[0] for column in rows.description]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    answered = {tuple(row[key] for key in keys): row for row in found}
    counted = {(key if isinstance(key, tuple) else (key,)) if keys else (): row for key, row in expected.iterrows()}
    assert len(found) == len(answered) > 0
    assert answered.keys() == counted.keys()
    for column in expected.columns:
        step = min(9, max(_places(row[column]) for row in found))  # floats hold no more of a large sum
        for key, row in counted.items():
            value = answered[key][column]
            assert (value is None) == pd.isna(row[column]), (key, column, value, row[column])
            assert value is None or abs(float(value) - row[column]) <= 0.501 * 10**-step, (
                key,
                column,
                value,
                row[column],
            )


def test_what_unpriced_calls_cost_lies_within_the_exposure(demo, world):
    """Month by month: the simulator knows the rates of the models that no price book has."""
    calls = world.calls[world.calls.pricing_status == "unpriced"]
    rates = {model.name: model for model in MODELS}
    costs = [
        row.cached_input_tokens * rates[row.model].cached_rate
        + (row.input_tokens - row.cached_input_tokens) * rates[row.model].input_rate
        + row.output_tokens * rates[row.model].output_rate
        for row in calls.itertuples()
    ]
    true = pd.Series(costs, calls.index).groupby(calls.event_date.map(lambda day: f"{day:%Y-%m}")).sum() / 1_000_000
    with client(demo) as marts:
        answer = marts.execute(question_and_sql(COOKBOOK["unpriced-share"])[1]).df().set_index("month")
    assert list(answer.index) == list(true.index)
    assert (answer.exposure_low_usd <= true).all()
    assert (true <= answer.exposure_high_usd).all()


def _places(value: Decimal | float | int | None) -> int:
    """Digits after the point."""
    return len(str(value).partition(".")[2]) if value is not None else 0


def test_the_button_of_each_alert_leads_to_its_driver_with_the_figures_of_alert_focus(demo):
    with opened(demo.settings) as inbox:
        alerts = demo.ask("select alert_id, drill_url from alerts")
        assert len(alerts) >= 10
        for alert, link in alerts:
            button = button_of(inbox.get(inside(link)).text)
            by = query(button)["by"]
            _, head, first, *_ = csv.reader(io.StringIO(inbox.get(f"{button}&format=csv").text))
            shown = dict(zip(head, first, strict=True))
            [(member, cost, usual, requests)] = demo.ask(
                "select coalesce(prompt_version, member), current_cost_usd, baseline_cost_usd, current_requests from alert_focus "
                "where alert_id = ? and dimension = ? and rank = 1",
                alert,
                by,
            )
            assert shown[DIMENSIONS[by]] == member, alert
            assert Decimal(shown["cost_usd"]) == cost, alert
            assert abs(Decimal(shown["usual_cost_usd"]) - usual) < Decimal("1e-9"), alert
            assert int(shown["requests"]) == requests, alert


def test_every_link_of_a_message_opens(demo):
    links = {link for (link,) in demo.ask("select drill_url from budget_status union select drill_url from alerts")}
    links |= {link for (link,) in demo.ask("select drill_url from notification_outbox") if link}
    with opened(demo.settings) as inbox:
        assert {link: status for link in links if (status := inbox.get(inside(link)).status_code) != 200} == {}
