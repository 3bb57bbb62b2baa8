"""What came back: the states of a problem week by week, across year ends, gaps, regressions and renamed owners; and the life of an
incident, event by event."""

import re
from datetime import datetime
from decimal import Decimal

import pytest

from tests.recurrence import Problem, ask, closed_with_guardrail, drawn_problem, expected, happened, recurrence

DRAWN = [drawn_problem(number) for number in range(120)]

# Monday 2026-12-28 opens 2026-W53, which ends on Sunday 2027-01-03; 2027-W01 begins on the 4th.
TABLE = {
    "once": (Problem("once", [["2026-12-01"]]), {"2026-W49": "new", "2026-W50": "quiet", "2027-W06": "quiet"}),
    "new on the last day of week 53": (
        Problem("new year", [["2027-01-03"], ["2027-01-08"]]),
        {"2026-W53": "new", "2027-W01": "recurring", "2027-W02": "quiet"},
    ),
    "goes on over the year's end": (
        Problem("goes on", [["2027-01-02", "2027-01-03", "2027-01-04"]]),
        {"2026-W53": "new", "2027-W01": "new", "2027-W02": "quiet"},
    ),
    "week by week over the year's end": (
        Problem("weekly", [["2026-12-21"], ["2026-12-28"], ["2027-01-04"], ["2027-01-11"]]),
        {"2026-W52": "new", "2026-W53": "recurring", "2027-W01": "recurring", "2027-W02": "recurring"},
    ),
    "after a long gap": (
        Problem("gap", [["2026-10-06"], ["2027-01-20"]]),
        {"2026-W41": "new", "2026-W42": "quiet", "2027-W03": "recurring"},
    ),
    "closed with a guardrail": (
        Problem("held", [["2026-12-01"]], closed_with_guardrail("2026-12-01T09:00:00", "2026-12-03T09:00:00")),
        {"2026-W49": "new", "2026-W50": "resolved", "2027-W06": "resolved"},
    ),
    "closed without one": (
        Problem(
            "unguarded",
            [["2026-12-01"], ["2026-12-15"]],
            [happened("opened", "2026-12-01T09:00:00"), happened("closed", "2026-12-02T09:00:00")],
        ),
        {"2026-W49": "new", "2026-W50": "quiet", "2026-W51": "recurring"},
    ),
    "back after its guardrail": (
        Problem(
            "regressed",
            [["2026-12-01"], ["2026-12-30"]],
            closed_with_guardrail("2026-12-01T09:00:00", "2026-12-03T09:00:00"),
        ),
        {"2026-W49": "new", "2026-W52": "resolved", "2026-W53": "regressed", "2027-W01": "quiet"},
    ),
    "back before it was closed": (
        Problem(
            "too early",
            [["2026-12-01"], ["2026-12-08"]],
            closed_with_guardrail("2026-12-01T09:00:00", "2026-12-10T09:00:00"),
        ),
        {"2026-W49": "new", "2026-W50": "recurring", "2026-W51": "resolved"},
    ),
    "closed at the midnight at which it comes back": (
        Problem(
            "at midnight",
            [["2026-12-01"], ["2026-12-08"]],
            closed_with_guardrail("2026-12-01T09:00:00", "2026-12-08T00:00:00"),
        ),
        {"2026-W50": "regressed"},
    ),
    "closed a second after that midnight": (
        Problem(
            "after midnight",
            [["2026-12-01"], ["2026-12-08"]],
            closed_with_guardrail("2026-12-01T09:00:00", "2026-12-08T00:00:01"),
        ),
        {"2026-W50": "recurring", "2026-W51": "resolved"},
    ),
    "reopened when it came back, then closed again": (
        Problem(
            "reopened",
            [["2026-12-01"], ["2026-12-15"], ["2027-01-12"]],
            [
                *closed_with_guardrail("2026-12-01T09:00:00", "2026-12-03T09:00:00"),
                happened("reopened", "2026-12-15T10:00:00"),
                happened("closed", "2026-12-20T10:00:00"),
            ],
        ),
        {"2026-W50": "resolved", "2026-W51": "regressed", "2026-W52": "resolved", "2027-W02": "regressed"},
    ),
    "reopened and left open": (
        Problem(
            "left open",
            [["2026-12-01"], ["2026-12-30"]],
            [
                *closed_with_guardrail("2026-12-01T09:00:00", "2026-12-03T09:00:00"),
                happened("reopened", "2026-12-20T10:00:00"),
            ],
        ),
        {"2026-W50": "resolved", "2026-W51": "quiet", "2026-W53": "recurring"},
    ),
    "another incident on it is open": (
        Problem(
            "two incidents",
            [["2026-12-01"], ["2026-12-15"]],
            [
                *closed_with_guardrail("2026-12-01T09:00:00", "2026-12-03T09:00:00", "first"),
                happened("opened", "2026-12-02T09:00:00", "second"),
                happened("closed", "2026-12-18T09:00:00", "second"),
            ],
        ),
        {"2026-W49": "new", "2026-W50": "quiet", "2026-W51": "regressed", "2026-W52": "quiet"},
    ),
    "twice in its first week": (
        Problem("twice", [["2026-12-07"], ["2026-12-12"]]),
        {"2026-W50": "new", "2026-W51": "quiet"},
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    problems = [problem for problem, _ in TABLE.values()] + DRAWN + LIVES + [MUTED]
    return recurrence(tmp_path_factory.mktemp("recurrence"), problems)


@pytest.mark.parametrize("case", TABLE)
def test_a_problems_weeks(built, case):
    problem, states = TABLE[case]
    found = dict(
        ask(built, f"select iso_week, status from weekly_recurrence where problem_id = '{problem.problem_id}'")
    )
    assert {week: found.get(week) for week in states} == states


def test_drawn_problems_are_what_the_definitions_say(built):
    columns = (
        "status, occurrences, days, cost_impact_usd, weeks_since_last_seen, consecutive_weeks, occurrences_8_weeks, "
        "failed_incident_id, failed_guardrail, incident_id, incident_status, next_action"
    )
    statuses, actions = set(), set()
    for problem in DRAWN:
        rows = ask(
            built,
            f"select iso_week, {columns} from weekly_recurrence where problem_id = '{problem.problem_id}' order by week_start",
        )
        assert rows == expected(problem), problem
        statuses |= {row[1] for row in rows}
        actions |= {" ".join((row[-1] or "nothing").split()[:3]) for row in rows}
    assert {
        *("Open an incident.", "Contain it: Add", "Turn the manual", "Still missing: root", "nothing", "It went on"),
        *("While it is", "The guardrail did", "The guardrail of", "Close inc-1"),
    } - {re.sub(r"inc-\d.*", "inc-1", action) for action in actions} == set()
    assert statuses == {"new", "recurring", "regressed", "quiet", "resolved"}


def test_over_the_weeks_each_alert_and_each_dollar_counts_once(built):
    problems = [problem for problem, _ in TABLE.values()] + DRAWN + LIVES
    alerts, days, dollars = ask(
        built,
        "select sum(occurrences), sum(days), sum(cost_impact_usd) from weekly_recurrence where alert_ids is not null",
    )[0]
    assert alerts == sum(len(problem.alerts) for problem in problems)
    assert days == sum(len(problem.days) for problem in problems)
    assert dollars == sum(problem.dollars(day) for problem in problems for day in problem.days)


MUTED = Problem("muted", [["2026-12-01"]], muted=True)


def test_a_muted_alert_is_not_a_new_problem(built):
    assert ask(built, f"select count(*) from weekly_recurrence where problem_id = '{MUTED.problem_id}'") == [(0,)]


def test_the_owner_of_an_incident_comes_before_the_endpoints_and_neither_makes_another_problem(built):
    rows = ask(
        built,
        "select iso_week, status, owner from weekly_recurrence where problem_id = 'fp renamed' and days > 0 order by week_start",
    )
    assert rows == [
        ("2026-W49", "new", "team-assistant"),
        ("2026-W51", "recurring", "ben"),
        ("2027-W01", "recurring", "carla"),
    ]


RENAMED = Problem(
    "renamed",
    [["2026-12-01"], ["2026-12-15"], ["2027-01-05"]],
    [
        happened("opened", "2026-12-08T09:00:00"),
        happened("owner_assigned", "2026-12-08T09:30:00", owner="ben"),
        happened("owner_assigned", "2027-01-10T09:30:00", owner="carla"),
    ],
)


@pytest.mark.parametrize(
    ("problem", "week", "action"),
    [
        ("stepwise", "2026-W49", "Open an incident. Add back-off and open the circuit breaker"),
        ("stepwise", "2026-W50", "Contain it: Add back-off and open the circuit breaker"),
        ("stepwise", "2026-W51", "Turn the manual step into a rule: "),
        ("stepwise", "2026-W52", "Still missing: root cause and exact containment step"),
        ("stepwise", "2027-W01", "The guardrail did not hold: reopen inc stepwise and change it (at most two tries)"),
        ("stepwise", "2027-W02", "The guardrail did not hold: reopen inc stepwise and change it (at most two tries)"),
        # handled in the week in which it showed: opened, contained and closed
        ("handled", "2026-W50", "Turn the manual step into a rule: "),
        ("handled", "2026-W51", "Turn the manual step into a rule: "),
        ("too soon", "2026-W50", "It went on after inc too soon was closed on 2026-12-08: reopen it"),
        (
            "again",
            "2026-W50",
            "The guardrail of old again did not hold: change it before new again is closed (a limit)",
        ),
        ("again", "2026-W51", "Still missing: root cause and exact containment step; "),
    ],
)
def test_the_next_action_follows_the_incident(built, problem, week, action):
    found = ask(
        built,
        f"select next_action from weekly_recurrence where problem_id = 'fp {problem}' and iso_week = '{week}'",
    )
    assert found[0][0].startswith(action)


def test_the_severity_and_address_are_those_of_its_alerts(built):
    rows = ask(
        built,
        "select iso_week, severity, drill_url = 'http://inbox/alert?alert=' || string_split(alert_ids, ', ')[-1] from weekly_recurrence "
        "where problem_id = 'fp again' and iso_week <= '2026-W51' order by all",
    )
    assert rows == [("2026-W49", "critical", True), ("2026-W50", "warning", True), ("2026-W51", None, None)]


HANDLED = Problem(
    "handled",
    [["2026-12-08", "2026-12-09"]],
    [
        happened("opened", "2026-12-08T09:00:00"),
        happened("containment_applied", "2026-12-08T10:00:00", containment_action="throttled"),
        happened("closed", "2026-12-09T09:00:00"),
    ],
)
TOO_SOON = Problem(
    "too soon",
    [["2026-12-07", "2026-12-08", "2026-12-09"]],
    [happened("opened", "2026-12-07T09:00:00"), happened("closed", "2026-12-08T09:00:00")],
)
AGAIN = Problem(
    "again",
    [["2026-12-01"], ["2026-12-10"]],
    [
        *closed_with_guardrail("2026-12-01T09:00:00", "2026-12-03T09:00:00", "old"),
        happened("opened", "2026-12-10T09:00:00", "new"),
        happened("containment_applied", "2026-12-10T10:00:00", "new", containment_action="throttled"),
        happened("guardrail_added", "2026-12-15T10:00:00", "new", guardrail="a lower limit"),
    ],
    severities={"2026-12-01": "critical", "2026-12-10": "warning"},
)
STEPWISE = Problem(
    "stepwise",
    [["2026-12-01"], ["2027-01-05"]],
    [
        happened("opened", "2026-12-08T09:00:00"),
        happened("containment_applied", "2026-12-15T09:00:00", containment_action="circuit breaker opened"),
        happened("guardrail_added", "2026-12-22T09:00:00", guardrail="at most two tries"),
        happened("closed", "2026-12-23T09:00:00"),
    ],
)


def test_events_are_ordered_by_when_they_happened_and_refused_with_a_sentence(built):
    rows = ask(
        built,
        "select event_type, is_applied, split_part(remark, '.', 1) from incident_events "
        "where incident_id = 'inc muddled' order by sequence",
    )
    assert rows == [
        ("closed", False, "Refused: the incident was not open at that time"),
        ("opened", True, None),
        ("owner_assigned", True, "It arrived after later events and stands where its time says"),
        ("opened", False, "Refused: the incident was opened before"),
        ("reopened", False, "Refused: the incident was not closed at that time"),
        ("note_added", True, None),
        ("note_added", False, "Refused: another event of this incident has its eventId"),
        ("closed", True, None),
        ("closed", False, "Refused: the incident was not open at that time"),
        ("reopened", False, "Not yet: its time has not come"),
    ]
    orphan = ask(built, "select remark from incident_events where incident_id = 'orphan muddled'")
    assert orphan == [("Refused: no opened event of this incident has landed. Land it, and this one counts.",)]


MUDDLED = Problem(
    "muddled",
    [["2026-12-01"]],
    [
        happened("closed", "2026-12-05T09:00:00"),
        happened("opened", "2026-12-01T09:00:00"),
        happened("owner_assigned", "2026-12-01T10:00:00", owner="ana", arrived="2026-12-06"),
        happened("opened", "2026-12-02T09:00:00"),
        happened("reopened", "2026-12-02T10:00:00"),
        happened("closed", "2026-11-30T09:00:00"),
        happened("note_added", "2026-12-03T09:00:00", event_id="n1", note="first"),
        happened("note_added", "2026-12-03T10:00:00", event_id="n1", note="second"),
        happened("note_added", "2026-12-03T09:00:00", event_id="n1", note="first"),
        happened("closed", "2026-12-06T09:00:00"),
        happened("reopened", "2027-03-01T09:00:00"),
        happened("owner_assigned", "2026-12-01T09:00:00", "orphan", owner="nobody"),
    ],
)


def test_what_an_incident_cost_until_it_was_contained_and_until_it_was_closed(built):
    columns = "cost_until_containment_usd, cost_usd, minutes_to_assign, minutes_to_contain, minutes_to_resolve, alerts"
    row = ask(built, f"select {columns} from incidents where incident_id = 'inc costly'")[0]
    # 10 on the 1st; of the 6 of the 2nd a third had been spent at noon and all by six; the 9th came after it was closed
    assert row == (Decimal(10) + Decimal(6) / 3, Decimal(16), 30, 27 * 60, 33 * 60, 1)


COSTLY = Problem(
    "costly",
    [["2026-12-01", "2026-12-02"], ["2026-12-09"]],
    [
        happened("opened", "2026-12-01T09:00:00", started_at="2026-12-01T00:00:00"),
        happened("owner_assigned", "2026-12-01T09:30:30", owner="ana"),
        happened("containment_applied", "2026-12-02T12:00:00", containment_action="throttled"),
        happened("closed", "2026-12-02T18:00:00"),
    ],
    usd={"2026-12-01": "10", "2026-12-02": "6", "2026-12-09": "100"},
    calls=[("2026-12-02T03:00:00", "1"), ("2026-12-02T11:59:59", "1"), ("2026-12-02T12:00:00", "4")],
)


def test_an_incident_begins_with_its_alert_and_lasts_as_long_as_the_clock_says(built):
    """Opened on the second day without startedAt: the alert's first day is its cost too. 40 seconds are 0 minutes."""
    columns = "started_at, minutes_to_assign, minutes_to_contain, cost_usd, alerts"
    row = ask(built, f"select {columns} from incidents where incident_id = 'inc begun'")[0]
    assert row == (datetime(2026, 12, 1, 7), 0, 1, 16, 1)  # noqa: DTZ001 (times of the warehouse are UTC)
    weekly = "select started_at, minutes_to_assign from weekly_incidents where incident_id = 'inc begun'"
    assert set(ask(built, weekly)) == {row[:2]}


BEGUN = Problem(
    "begun",
    [["2026-12-01", "2026-12-02"]],
    [
        happened("opened", "2026-12-02T09:00:40"),
        happened("owner_assigned", "2026-12-02T09:01:20", owner="ana"),
        happened("containment_applied", "2026-12-02T09:02:00", containment_action="throttled"),
    ],
    usd={"2026-12-01": "10", "2026-12-02": "6"},
    started_at="2026-12-01T07:00:00",
)


def test_the_checklists_say_what_is_missing(built):
    columns = "execution_missing, hardening_missing, is_runbook_stale, status"
    assert ask(built, f"select {columns} from incidents where incident_id = 'inc complete'") == [
        (None, None, False, "closed")
    ]
    minutes = "minutes_to_assign, minutes_to_contain, minutes_to_resolve"
    assert ask(built, f"select {minutes} from incidents where incident_id = 'inc bare'") == [(None, None, None)]
    ((execution, hardening, *rest),) = ask(built, f"select {columns} from incidents where incident_id = 'inc bare'")
    assert rest == [True, "open"]
    assert execution.split("; ") == [
        "spike type confirmed",
        "one owner and one channel",
        "containment before optimisation",
        "dominant endpoint, tenant and prompt version documented",
        "one permanent guardrail",
    ]
    assert hardening.split("; ") == [
        "root cause and exact containment step",
        "manual action turned into a rule",
        "runbook owner and escalation channel updated",
        "weekly review done",
    ]


def test_a_guardrail_before_the_containment_is_optimisation_first(built):
    sql = "select is_contained_before_optimisation, has_guardrail, execution_missing from incidents where incident_id = 'inc hasty'"
    ((in_order, has_guardrail, missing),) = ask(built, sql)
    assert (in_order, has_guardrail) == (False, True)
    assert "containment before optimisation" in missing


COMPLETE = Problem(
    "complete",
    [["2026-12-01"]],
    [
        happened("opened", "2026-12-02T09:00:00", endpoint_tag="chat.title"),
        happened("owner_assigned", "2026-12-02T09:05:00", owner="ana"),
        happened("channel_set", "2026-12-02T09:05:00", channel="#inc-1"),
        happened("spike_type_confirmed", "2026-12-02T09:10:00", spike_type="retry"),
        happened("containment_applied", "2026-12-02T09:20:00", containment_action="breaker opened"),
        happened("root_cause_found", "2026-12-02T11:00:00", root_cause="a gateway answered 503"),
        happened(
            "scope_documented", "2026-12-02T11:10:00", endpoint_tag="chat.title", tenant_id="none", prompt_version="v3"
        ),
        happened("guardrail_added", "2026-12-03T11:00:00", guardrail="two tries at most"),
        happened(
            "runbook_updated", "2026-12-03T12:00:00", owner="team-assistant", escalation_channel="#oncall-assistant"
        ),
        happened("weekly_review_done", "2026-12-07T09:00:00"),
        happened("closed", "2026-12-07T10:00:00"),
    ],
    endpoint="chat.title",
)
BARE = Problem("bare", [["2027-01-20"]], [happened("opened", "2027-01-21T09:00:00")], endpoint="search.answer")
HASTY = Problem(
    "hasty",
    [["2027-01-20"]],
    [
        happened("opened", "2027-01-21T09:00:00"),
        happened("guardrail_added", "2027-01-21T09:10:00", guardrail="a limit"),
        happened("containment_applied", "2027-01-21T09:20:00", containment_action="throttled"),
    ],
    endpoint="search.answer",
)
LIVES = [RENAMED, STEPWISE, HANDLED, TOO_SOON, AGAIN, MUDDLED, COSTLY, BEGUN, COMPLETE, BARE, HASTY]


def test_an_incident_is_shown_in_the_weeks_in_which_it_was_open_or_touched_as_it_was_then(built):
    rows = ask(
        built,
        "select iso_week, status, guardrail from weekly_incidents where incident_id = 'inc stepwise' order by week_start",
    )
    assert rows == [
        ("2026-W50", "open", None),
        ("2026-W51", "contained", None),
        ("2026-W52", "closed", "at most two tries"),
    ]
