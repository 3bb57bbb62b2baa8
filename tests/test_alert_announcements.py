"""What is announced about alerts, over marts that are written down here: once, to whom it concerns, and what became of it."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.alerts.announcements import MOST_AT_ONCE, STORM, announce, why_nothing_is_announced
from orchestration.alerts.ledger import announcements_folder, read_announcements
from orchestration.ledger import log_file
from orchestration.notifications import acknowledge, read_outbox
from orchestration.notifications.outbox import load
from orchestration.settings import PROJECT, Settings, from_environment

MARTS = PROJECT / "dbt_project" / "models" / "marts"
MORNING = datetime(2026, 11, 13, 6, 15, tzinfo=UTC)
ALERT = {
    "alert_id": "a1",
    "problem_id": "p1",
    "alert_type": "cost_drift",
    "environment": "prod",
    "data_mode": "real",
    "scope_dimension": "endpoint",
    "scope_value": "agent.act",
    "severity": "critical",
    "status": "open",
    "alert_date": date(2026, 11, 12),
    "last_date": date(2026, 11, 12),
    "days": 1,
    "window_start": "2026-11-12",
    "window_end": "2026-11-13",
    "observed": Decimal("8.76"),
    "delta_usd": Decimal("4.74"),
    "delta_is_understated": False,
    "total_excess_usd": Decimal("4.81"),
    "spike_type": "retry",
    "top_driver_dimension": "endpoint",
    "top_driver_value": "agent.act",
    "containment_action": "Add back-off and open the circuit breaker",
    "endpoint_tag": "agent.act",
    "owner": "team-agents",
    "runbook_url": "https://runbooks.example.com/agents/agent.act",
    "escalation_channel": "#oncall-agents",
    "drill_url": "http://localhost:8080/alert?from=2026-11-12&to=2026-11-13&alert=a1",
}
EFFECTS = {"retry": "4.93", "volume": "0.12", "output": "-0.31", "mix": "0.001", "unpriced": "0"}


@dataclass
class Marts:
    """The tables that announcements read, as the contracts have them."""

    settings: Settings
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: int = 3

    def put(self, alert_id: str = "a1", **columns: Any) -> None:
        """An alert, or other columns of one that is there."""
        fresh = ALERT | {"alert_id": alert_id, "problem_id": alert_id.replace("a", "p")}
        self.alerts[alert_id] = self.alerts.get(alert_id, fresh) | columns

    def run(self, at: datetime = MORNING) -> Counter:
        """Builds the tables and announces."""
        self.settings.warehouse.unlink(missing_ok=True)
        with duckdb.connect(str(self.settings.warehouse)) as connection:
            connection.begin()  # each row on its own would be a write to the disk
            connection.execute("create schema marts")
            for name in ("alerts", "alert_compare", "alert_drivers"):
                _create(connection, "alerts", name)
            _create(connection, "attribution", "fct_attempts")
            for row in self.alerts.values():
                _insert(connection, "alerts", row)
                for effect, amount in EFFECTS.items():
                    _insert(
                        connection,
                        "alert_compare",
                        {"alert_id": row["alert_id"], "effect": effect, "effect_usd": amount},
                    )
                # a part of the retry effect: rows of a token kind are not added to those of all calls
                _insert(
                    connection,
                    "alert_compare",
                    {
                        "alert_id": row["alert_id"],
                        "token_kind": "text_output",
                        "metric": "attempts",
                        "current": 99,
                        "effect": "retry",
                        "effect_usd": "4.00",
                    },
                )
                _insert(connection, "alert_compare", {"alert_id": row["alert_id"], "metric": "attempts", "current": 3})
            for number in range(self.calls):
                _insert(connection, "fct_attempts", {"attempt_key": str(number), "event_date": date(2026, 11, 12), "environment": "prod",
                        "data_mode": "real", "endpoint_tag": "agent.act"})  # fmt: skip
            connection.commit()
        return announce(replace(self.settings, as_of=at))

    def messages(self) -> list[dict]:
        """The outbox, oldest first."""
        return read_outbox(self.settings)

    def to(self, channel: str) -> list[str]:
        """Titles on a channel that were not suppressed."""
        return [row["title"] for row in self.messages() if row["channel"] == channel and row["status"] != "suppressed"]


def _create(connection: duckdb.DuckDBPyConnection, subject: str, name: str) -> None:
    connection.execute(f"create table marts.{name} ({_contract(subject, name)})")


@cache
def _contract(subject: str, name: str) -> str:
    [model] = yaml.safe_load((MARTS / subject / f"{name}.yml").read_text())["models"]
    return ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in model["columns"])


def _insert(connection: duckdb.DuckDBPyConnection, name: str, row: dict[str, Any]) -> None:
    columns = ", ".join(f'"{column}"' for column in row)
    connection.execute(
        f"insert into marts.{name} ({columns}) values ({', '.join('?' for _ in row)})", list(row.values())
    )


@pytest.fixture
def marts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Marts:
    (tmp_path / "team").mkdir()
    for name in ("ONCALL", "EVERYONE", "FINANCE"):
        monkeypatch.delenv(f"TOKENTRAIL_CHANNEL_{name}", raising=False)
    settings = from_environment({"TOKENTRAIL_DATA": str(tmp_path / "data"), "TOKENTRAIL_TEAM": str(tmp_path / "team")})
    settings.data.mkdir(exist_ok=True)
    return Marts(settings)


def kinds(marts: Marts) -> list[str]:
    return [line["kind"] for line in read_announcements(marts.settings)]


def days(count: float) -> timedelta:
    return timedelta(days=count)


def severities(marts: Marts) -> dict[str, list[str]]:
    """By channel, the severities of messages that were not suppressed."""
    found: dict[str, list[str]] = {}
    for row in marts.messages():
        if row["status"] != "suppressed":
            found.setdefault(row["channel"], []).append(row["severity"])
    return found


# The words


def test_the_first_message_says_all_that_on_call_needs(marts):
    marts.put(
        top_error_code="schema_mismatch",
        top_error_share=0.83,
        top_http_status=422,
        started_at="2026-11-12 09:00",
    )
    marts.run()
    [oncall] = [row for row in marts.messages() if row["channel"] == "oncall"]
    assert oncall["title"] == "Critical: retries at agent.act since 12 Nov 09:00 UTC, $8.76 instead of $4.02"
    assert oncall["body"].splitlines() == [
        "**+$4.74** on 12 Nov, 2.2 times the usual.",
        "Failing: **schema_mismatch 422**, 83.0\xa0% of failed calls.",
        "Do first: **Add back-off and open the circuit breaker**.",
        "Why: retry +$4.93, output −$0.31.",
        "Owner: team-agents, #oncall-agents.",
        "Runbook: https://runbooks.example.com/agents/agent.act",
        "Acknowledge: make acknowledge TOPIC=alert/a1",
        'Incident: make incident DO="open --alert a1"',
    ]
    assert oncall["drill_url"] == ALERT["drill_url"]
    assert acknowledge(marts.settings, "alert/a1", "me") == 2


def test_machines_get_dollars_in_plain_digits(marts):
    marts.put(total_excess_usd=0)
    marts.run()
    [about, *_] = (about for message in load(marts.settings).messages.values() for about in message.alerts)
    assert (about["effects_usd"]["unpriced"], about["total_excess_usd"]) == ("0.000000000000", "0.000000000000")
    assert about["effects_usd"]["retry"] == "4.930000000000"


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"spike_type": "token", "token_direction": "output"}, "longer answers at agent.act"),
        ({"spike_type": "token"}, "more tokens per call at agent.act"),
        (
            {"spike_type": "abuse", "top_driver_dimension": "user", "top_driver_value": "u-1098"},
            "heavy use of agent.act by user u-1098",
        ),
        (
            {
                "spike_type": "deploy",
                "top_driver_dimension": "endpoint x prompt_version",
                "top_driver_value": "agent.act | v3",
            },
            "costly version v3 at agent.act",
        ),
        ({"environment": "staging"}, "retries at agent.act in staging"),
        ({"observed": Decimal(1), "delta_usd": Decimal(1)}, "retries at agent.act on 12 Nov, $1.00 instead of nothing"),
    ],
)
def test_the_first_line_names_the_kind_of_rise(marts, columns, says):
    marts.put(**columns)
    marts.run()
    assert f"Critical: {says}" in marts.to("oncall")[0]


def test_a_name_is_neither_markup_nor_a_call_to_everyone(marts):
    marts.put(endpoint_tag="<!channel> [x](http://e.vil)", top_driver_value="@everyone `rm`", owner="*<@U1>*")
    marts.run()
    [message] = [row for row in marts.messages() if row["channel"] == "oncall"]
    assert not {"<", "[", "`"} & {*message["title"], *message["body"].replace("**", "")}
    assert "@everyone" not in message["body"]
    assert "http://e" not in message["title"] + message["body"]


# To whom


def test_ten_runs_say_it_once(marts):
    marts.put()
    marts.put("a2", severity="warning", spike_type="volume")
    assert marts.run() == {"new": 2, "waiting": 3}
    for hour in range(1, 11):
        assert set(marts.run(MORNING + timedelta(hours=hour))) <= {"known"}
    assert (kinds(marts), len(marts.messages())) == (["new", "new"], 3)


def test_critical_goes_out_at_once_and_a_warning_waits_for_the_digest(marts):
    marts.put()
    marts.put("a2", severity="warning", spike_type="volume")
    marts.put("a3", severity="info", spike_type="token")
    marts.run()
    assert severities(marts) == {"oncall": ["critical"], "everyone": ["critical", "warning"]}


def test_an_owner_with_a_channel_is_notified_of_both_there(marts):
    (marts.settings.team / "notification_channels.csv").write_text(
        "channel,address_variable,min_severity,digest,time_zone,cooldown_minutes,reason\n"
        "#oncall-agents,TOKENTRAIL_CHANNEL_AGENTS,warning,immediate,UTC,60,the team\n"
    )
    marts.put()
    marts.put("a2", severity="warning", spike_type="volume")
    marts.put("a3", spike_type="token", escalation_channel=None)
    marts.run()
    assert severities(marts) == {
        "#oncall-agents": ["critical", "warning"],
        "oncall": ["critical"],
        "everyone": ["critical", "warning", "critical"],
    }


@pytest.mark.parametrize("status", ["muted", "planned"])
def test_what_is_muted_or_planned_wakes_nobody(marts, status):
    marts.put(status=status)
    assert marts.run() == {}
    marts.put(status="open")
    assert marts.run()["new"] == 1
    marts.put(status=status)
    assert marts.run()["closed"] == 1
    assert (marts.messages()[-1]["ends"], marts.messages()[-1]["severity"]) == (True, "info")


def test_a_run_as_of_an_earlier_instant_says_nothing(marts):
    marts.put()
    marts.run()
    lines = read_announcements(marts.settings)
    marts.alerts.clear()
    assert marts.run(MORNING - timedelta(hours=1)) == Counter()
    assert why_nothing_is_announced(replace(marts.settings, as_of=MORNING - timedelta(hours=1)))
    assert read_announcements(marts.settings) == lines


def test_a_kill_before_the_outbox_loses_nothing(marts):
    marts.put()
    marts.run()
    log = log_file(marts.settings.ledger / "outbox")
    log.unlink()
    assert marts.run(MORNING + timedelta(hours=1)) == {"waiting": 2}
    file = log_file(announcements_folder(marts.settings))
    file.write_bytes(file.read_bytes() + b'{"kind": "new", "ale')
    assert marts.run(MORNING + timedelta(hours=2)) == {"known": 2}


# What became of it


def test_who_heard_of_it_hears_that_it_is_over_and_nobody_else(marts):
    marts.put()
    marts.put("a2", severity="warning", spike_type="volume")
    marts.run()
    for alert_id in ("a1", "a2"):
        marts.put(
            alert_id, status="closed", close_reason="quiet", last_date=date(2026, 11, 13), days=2, total_excess_usd=10
        )
    marts.run(MORNING + days(4))
    assert marts.to("oncall")[1:] == ["Over: retries at agent.act, 12 to 13 Nov, +$10.00"]
    assert len(marts.to("everyone")) == 4
    assert "No sign of it on 3 complete days." in marts.messages()[-1]["body"]
    assert [row["ends"] for row in marts.messages() if row["topic"] == "alert/a1"] == [False, False, True, True]


def test_worse_is_said_to_on_call(marts):
    marts.put(severity="warning")
    marts.run()
    marts.put(severity="critical")
    marts.run(MORNING + days(1))
    assert kinds(marts) == ["new", "worsened"]
    assert marts.to("oncall") == ["Worse, critical: retries at agent.act on 12 Nov, $8.76 instead of $4.02"]
    assert "Announced 13 Nov 06:15 UTC as warning retry, endpoint agent.act, +$4.74." in marts.messages()[-1]["body"]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"days": 2, "total_excess_usd": Decimal("19.23")}, None),
        ({"days": 2, "total_excess_usd": Decimal("19.24")}, "worsened"),
        ({"delta_usd": Decimal("7.10")}, None),
        ({"delta_usd": Decimal("7.11")}, "changed"),
        ({"delta_usd": Decimal("2.38")}, None),
        ({"delta_usd": Decimal("2.37")}, "changed"),
        ({"severity": "warning"}, "changed"),
        ({"spike_type": "token"}, "changed"),
        ({"top_driver_dimension": "endpoint x model", "top_driver_value": "agent.act | gpt-5.2"}, None),
        ({"top_driver_dimension": "model", "top_driver_value": "gpt-5.2"}, "changed"),
        ({"status": "extended", "last_date": date(2026, 11, 13), "days": 2, "total_excess_usd": 12}, None),
    ],
)
def test_another_message_needs_another_figure(marts, columns, kind):
    marts.put()
    marts.run()
    marts.put(**columns)
    marts.run(MORNING + days(1))
    assert kinds(marts) == ["new", *filter(None, [kind])]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({}, "confirmed"),
        ({"delta_usd": Decimal(40)}, "confirmed"),  # the rest of the day adds to it
        ({"delta_usd": Decimal("2.37")}, "changed"),
        ({"severity": "warning"}, "changed"),
    ],
)
def test_the_complete_day_confirms_or_changes(marts, columns, kind):
    marts.put(is_provisional=True, severity="critical")
    marts.run(MORNING - timedelta(hours=10))
    assert "so far" in marts.to("oncall")[0]
    for _ in range(2):
        marts.put(**{"is_provisional": False} | columns)
        marts.run()
    assert kinds(marts) == ["new", kind]
    assert len(marts.to("oncall")) == 2
    assert not marts.messages()[-1]["ends"]


@pytest.mark.parametrize(
    "columns",
    [
        {"problem_id": "p1", "endpoint_tag": "code.review", "top_driver_value": "code.review"},
        {"top_driver_dimension": "model", "top_driver_value": "gpt-5.2"},
        {"endpoint_tag": None, "top_driver_dimension": "endpoint x model", "top_driver_value": "agent.act | gpt-5.2"},
    ],
)
def test_another_id_of_the_same_alert_stays_in_its_topic(marts, columns):
    """The full day may find another driver or spike type, and late data an earlier first day: one message says so."""
    marts.put(is_provisional=True)
    marts.run()
    del marts.alerts["a1"]
    marts.put("a2", alert_date=date(2026, 11, 11), spike_type="token", **columns)
    for hours in (1, 2):
        marts.run(MORNING + timedelta(hours=hours))
    marts.put("a2", status="closed", close_reason="quiet")
    marts.run(MORNING + days(4))
    assert kinds(marts) == ["new", "changed", "closed"]
    assert {row["topic"] for row in marts.messages()} == {"alert/a1"}
    [(superseded, change)] = [
        (alert["supersedes_alert_id"], alert["change"])
        for row in marts.messages()
        if row["channel"] == "oncall"
        for alert in row["alerts"]
        if alert["supersedes_alert_id"]
    ]
    assert (superseded, change) == ("a1", "changed")


@pytest.mark.parametrize(
    "columns",
    [
        {"endpoint_tag": "code.review", "top_driver_value": "code.review"},
        {"environment": "staging"},
        {"alert_date": date(2026, 11, 13), "last_date": date(2026, 11, 13)},
    ],
)
def test_another_place_environment_or_day_is_another_alert(marts, columns):
    marts.put(is_provisional=True)
    marts.run()
    del marts.alerts["a1"]
    marts.put("a2", **columns)
    marts.run(MORNING + timedelta(hours=1))
    assert sorted(kinds(marts)) == ["new", "new", "withdrawn"]


def test_hours_of_an_open_day_repeat_nothing(marts):
    """Its dollars grow from hour to hour; that it is worse, about something else, or not at all, is said once."""
    evening = MORNING - timedelta(hours=18)
    marts.put(is_provisional=True, severity="warning", delta_usd=Decimal(2))
    for hour in range(3):
        marts.put(delta_usd=Decimal(2 + 2 * hour))
        marts.run(evening + timedelta(hours=hour))
    marts.put(severity="critical")
    for hour in range(3, 6):
        marts.run(evening + timedelta(hours=hour))
    marts.put(spike_type="token")
    for hour in range(6, 9):
        marts.run(evening + timedelta(hours=hour))
    marts.put(is_provisional=False)
    for hour in range(18, 21):
        marts.run(evening + timedelta(hours=hour))
    assert kinds(marts) == ["new", "worsened", "changed", "confirmed"]


def test_what_comes_and_goes_within_an_open_day_is_announced_once(marts):
    """A driver that changes hands every hour, a spike type that returns, a severity that falls wait for the complete day."""
    evening = MORNING - timedelta(hours=18)
    marts.put(is_provisional=True)
    marts.run(evening)
    for hour in range(1, 5):
        marts.put(top_driver_dimension="user", top_driver_value=f"u-{hour}")
        marts.run(evening + timedelta(hours=hour))
    assert kinds(marts) == ["new", "changed"]
    for hour, spike_type in enumerate(["token", "retry", "token", "retry"], start=5):
        marts.put(spike_type=spike_type)
        marts.run(evening + timedelta(hours=hour))
    assert kinds(marts) == ["new", "changed", "changed"]
    for hour, severity in enumerate(["critical", "warning", "critical", "warning"], start=9):
        marts.put(spike_type="token", severity=severity)
        marts.run(evening + timedelta(hours=hour))
    assert kinds(marts) == ["new", "changed", "changed"]
    marts.put(is_provisional=False)
    marts.run()
    assert kinds(marts) == ["new", "changed", "changed", "changed"]
    assert "u-4" in marts.to("oncall")[-1] + marts.messages()[-1]["body"]


def test_another_id_that_comes_and_goes_within_an_open_day_is_announced_once(marts):
    evening = MORNING - timedelta(hours=18)
    found = {
        "a1": {"is_provisional": True},
        "b1": {"is_provisional": True, "spike_type": "token", "problem_id": "other"},
    }
    for hour in range(6):
        marts.alerts.clear()
        name = "b1" if hour % 2 else "a1"
        marts.put(name, **found[name])
        marts.run(evening + timedelta(hours=hour))
    assert kinds(marts) == ["new", "changed"]
    marts.put(name, is_provisional=False)
    marts.run()
    assert kinds(marts) == ["new", "changed", "confirmed"]


def test_a_problem_that_comes_back_is_another_alert_of_its_topic(marts):
    marts.put(status="closed", close_reason="quiet", alert_date=date(2026, 11, 7), last_date=date(2026, 11, 7))
    marts.put("a2", problem_id="p1")
    marts.run()
    assert sorted(kinds(marts)) == ["new", "past"]
    assert marts.to("oncall") == ["Critical: retries at agent.act on 12 Nov, $8.76 instead of $4.02"]


@pytest.mark.parametrize(
    ("calls", "is_provisional", "reason"),
    [
        (3, False, "The calls are the same"),
        (4, False, "Calls of that day arrived late"),
        (4, True, "It was announced while its day was open."),
    ],
)
def test_what_is_gone_is_withdrawn_with_the_reason(marts, calls, is_provisional, reason):
    marts.put(is_provisional=is_provisional)
    marts.run()
    marts.alerts.clear()
    marts.calls = calls
    marts.run(MORNING + timedelta(hours=1))
    assert kinds(marts) == ["new", "withdrawn"]
    assert marts.to("oncall")[1].startswith("Withdrawn: retries at agent.act on 12 Nov, $8.76")
    assert marts.messages()[-1]["body"].startswith(reason)


@pytest.mark.parametrize(
    ("alert_id", "columns"),
    [("a1", {}), ("a2", {"problem_id": "p1"}), ("a3", {"spike_type": "token"})],
    ids=["same id", "same problem", "same place"],
)
def test_what_is_back_says_so_in_the_topic_that_it_had(marts, alert_id, columns):
    marts.put(is_provisional=True)
    marts.run()
    marts.alerts.clear()
    marts.run(MORNING + timedelta(minutes=20))
    marts.put(alert_id, is_provisional=True, **columns)
    for minutes in (40, 50):
        marts.run(MORNING + timedelta(minutes=minutes))
    assert kinds(marts) == ["new", "withdrawn", "back"]
    oncall = [row for row in marts.messages() if row["channel"] == "oncall"]
    # its row says one message an hour: the pager has resolved the first one
    assert [row["status"] for row in oncall] == ["waiting"] * 3
    assert [row["ends"] for row in oncall] == [False, True, False]
    assert {row["topic"] for row in oncall} == {"alert/a1"}
    title, *_ = marts.to("oncall")[2].partition(" at ")
    assert title == ("Back, critical: more tokens per call" if alert_id == "a3" else "Back, critical: retries")
    body = oncall[2]["body"].splitlines()
    assert body[0] == "Withdrawn 13 Nov 06:35 UTC, and stands out again."
    assert body[-1] == f'Incident: make incident DO="open --alert {alert_id}"'


def test_what_flickers_within_an_open_day_is_withdrawn_once(marts):
    """What came back may go and return: its second end waits until its day is complete."""
    evening = datetime(2026, 11, 12, 20, 5, tzinfo=UTC)
    complete = datetime(2026, 11, 13, 6, tzinfo=UTC)
    for hour in range(5):
        marts.put(is_provisional=True)
        if hour % 2:
            marts.alerts.clear()
        marts.run(evening + timedelta(hours=hour))
    marts.alerts.clear()
    marts.run(complete - timedelta(minutes=1))
    assert kinds(marts) == ["new", "withdrawn", "back"]
    marts.run(complete)
    assert kinds(marts) == ["new", "withdrawn", "back", "withdrawn"]


def test_what_was_over_and_goes_on_is_back_and_another_day_is_another_alert(marts):
    marts.put()
    marts.put("a2")
    marts.run()
    del marts.alerts["a2"]
    marts.put(status="closed", close_reason="quiet")
    marts.run(MORNING + days(4))
    marts.put(status="extended", last_date=date(2026, 11, 16), days=2)
    marts.put("a3", problem_id="p2", alert_date=date(2026, 11, 16), last_date=date(2026, 11, 16))
    marts.run(MORNING + days(4.5))
    assert kinds(marts) == ["new", "new", "closed", "withdrawn", "back", "new"]
    [body] = [row["body"] for row in marts.messages() if row["title"].startswith("Back") and row["channel"] == "oncall"]
    assert body.startswith("Announced as over 17 Nov 06:15 UTC, and stands out again.")


def test_what_is_back_in_a_storm_that_goes_on_is_not_announced(marts):
    for number in range(STORM):
        marts.put(f"a{number}")
    marts.run()
    for hour in (1, 2):
        if hour == 1:
            del marts.alerts["a1"]
        else:
            marts.put("a1")
        marts.run(MORNING + timedelta(hours=hour))
    assert kinds(marts) == ["new"] * STORM + ["withdrawn", "back"]
    assert len(marts.to("oncall")) == 1


# Many at once


def test_a_storm_of_one_cause_is_one_message_from_its_beginning_to_its_end(marts):
    timeout = {"top_error_code": "timeout", "top_http_status": 504}
    for number in range(20):
        where = dict.fromkeys(("endpoint_tag", "scope_value", "top_driver_value"), f"e{number}")
        marts.put(f"a{number}", delta_usd=Decimal(number), observed=Decimal(number), **where, **timeout)
    marts.run()
    [message] = [row for row in marts.messages() if row["channel"] == "oncall"]
    assert message["title"] == "Critical: 20 alerts, retry, +$190.00 on 12 Nov"
    assert message["body"].splitlines()[:2] == [
        "Failing: **timeout 504**.",
        "- retries at e19 on 12 Nov, $19.00 instead of nothing",
    ]
    assert "- and 10 more in marts.alerts" in message["body"]
    assert len(message["alerts"]) == 20
    marts.put("late", problem_id="late", **timeout)
    marts.run(MORNING + timedelta(hours=2))
    assert {row["topic"] for row in marts.messages()} == {message["topic"]}
    for alert_id in [*marts.alerts][:-1]:
        marts.put(alert_id, status="closed", close_reason="quiet")
    marts.run(MORNING + days(4))
    assert len(marts.to("oncall")) == 2
    marts.put("late", status="closed", close_reason="quiet")
    marts.run(MORNING + days(5))
    assert marts.to("oncall")[2:] == ["Over: all 21 alerts, retry"]
    assert marts.messages()[-1]["ends"]


@pytest.mark.parametrize(("count", "messages"), [(STORM - 1, STORM - 1), (STORM, 1)])
def test_alerts_of_one_cause_are_one_message_from_three_on(marts, count, messages):
    for number in range(count):
        marts.put(f"a{number}")
    marts.run()
    assert len(marts.to("oncall")) == messages


@pytest.mark.parametrize(("count", "messages"), [(MOST_AT_ONCE, MOST_AT_ONCE), (MOST_AT_ONCE + 1, 1)])
def test_more_than_five_causes_in_a_run_are_one_message(marts, count, messages):
    for number in range(count):
        marts.put(f"a{number}", top_error_code=f"error {number}")
    marts.run()
    assert len(marts.to("oncall")) == messages


def test_a_backfill_of_a_year_is_one_message_of_the_digest(marts):
    for number in range(60):
        day = date(2026, 11, 8) - timedelta(days=number * 6)
        marts.put(f"a{number}", status="closed", close_reason="quiet", alert_date=day, last_date=day)
    assert marts.run()["past"] == 60
    [message] = marts.messages()
    assert (message["channel"], message["severity"]) == ("everyone", "info")
    assert message["title"] == "60 past alerts of 19 Nov to 8 Nov, +$288.60, all over"
    assert set(marts.run(MORNING + days(1))) <= {"known"}


@pytest.mark.parametrize(("last", "kind"), [(date(2026, 11, 8), "past"), (date(2026, 11, 9), "new")])
def test_what_is_open_only_because_the_data_end_there_is_past(marts, last, kind):
    marts.put(alert_date=last, last_date=last)
    marts.run(datetime(2026, 11, 13, 0, 0, 1, tzinfo=UTC) + days(0))
    assert kinds(marts) == [kind]
