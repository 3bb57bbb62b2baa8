"""When a budget changes state, by the quarter-hour, case by case, and for drawn spend against the definitions in plain Python."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from benchmarks.budgets.world import Spend, World, budget, world_at
from tests.parsed import lend

PICO = Decimal("0.000000000001")
NOON = "2026-11-23T12:00:00"
ALERTING = {"is_spend_alert_on": "true"}


@dataclass
class Case:
    """Spend, limits, and the changes they must give: local time, new state, cause."""

    name: str
    rows: list[dict]
    spend: list[Spend]
    changes: list[str]
    adjustments: list[dict] = field(default_factory=list)


def case(name: str, period: str, limit: object, spend: list, changes: list, **fields: object) -> Case:
    if period == "day":  # a few days around the spend: a day's budget is judged 96 times a day
        days = [date.fromisoformat(each[0][:10]) for each in spend]
        fields = {"valid_from": min(days) - timedelta(days=2), "valid_to": max(days) + timedelta(days=4)} | fields
    return Case(name, [budget(name, period, limit, **fields)], [Spend(*each) for each in spend], changes)


def limits(
    name: str, period: str, first: object, then: object, when: str, spend: list, changes: list, **fields
) -> Case:
    rows = [
        budget(name, period, first, valid_to=when, **fields),
        budget(name, period, then, valid_from=when, **fields),
    ]
    return Case(name, rows, [Spend(*each) for each in spend], changes)


def adjusted(base: Case, *adjustments: tuple) -> Case:
    base.adjustments = [
        {"budget_id": base.name, "effective_at": at, "amount_usd": str(usd), "reason": "refund", "approved_by": "cfo"}
        for at, usd in adjustments
    ]
    return base


def daily(time: str, days: int, usd: object) -> list[tuple]:
    """The same every day until 22 November."""
    return [(f"{date(2026, 11, 23) - timedelta(days=back)}T{time}", usd) for back in range(days, 0, -1)]


DAY = "2026-11-20T"
STEEP = {"steep": 4.4, "steep-new": 2.5}  # shares of the limit that a week takes, evenly by quarter-hours of the day
CASES = [
    # exact crossings: warning at the ratio, exceeded above the limit
    case("at-the-ratio", "day", 10, [(DAY + "09:07", 8)], ["2026-11-20T09:00 warning spend"]),
    case("below-the-ratio", "day", 10, [(DAY + "09:07", 8 - PICO)], []),
    case("above-the-ratio", "day", 10, [(DAY + "09:07", 8 + PICO)], ["2026-11-20T09:00 warning spend"]),
    case("at-the-limit", "day", 10, [(DAY + "09:07", 10)], ["2026-11-20T09:00 warning spend"]),
    case("below-the-limit", "day", 10, [(DAY + "09:07", 10 - PICO)], ["2026-11-20T09:00 warning spend"]),
    case("above-the-limit", "day", 10, [(DAY + "09:07", 10 + PICO)], ["2026-11-20T09:00 exceeded spend"]),
    case("own-ratio", "day", 10, [(DAY + "09:07", 5)], ["2026-11-20T09:00 warning spend"], warning_ratio="0.5"),
    case("below-own-ratio", "day", 10, [(DAY + "09:07", 5 - PICO)], [], warning_ratio="0.5"),
    case("ratio-of-one", "day", 10, [(DAY + "09:07", 10)], ["2026-11-20T09:00 warning spend"], warning_ratio="1"),
    case(
        "sum-of-many",
        "day",
        1,
        [
            (DAY + "01:00", "0.4"),
            (DAY + "02:00", "0.399999999999"),
            (DAY + "03:00", PICO),
            (DAY + "04:00", "0.2"),
            (DAY + "05:00", PICO),
        ],
        ["2026-11-20T03:00 warning spend", "2026-11-20T05:00 exceeded spend"],
    ),
    # a limit of zero
    case("zero-limit", "day", 0, [(DAY + "09:07", PICO)], ["2026-11-20T09:00 exceeded spend"], **ALERTING),
    case("zero-limit-untouched", "day", 0, [(DAY + "09:07", 0)], [], **ALERTING),
    # quarter-hours and the first hour
    case("end-of-a-quarter", "day", 1, [(DAY + "09:14:59.999999", 2)], ["2026-11-20T09:00 exceeded spend"]),
    case("start-of-a-quarter", "day", 1, [(DAY + "09:15:00", 2)], ["2026-11-20T09:15 exceeded spend"]),
    case(
        "first-quarter",
        "day",
        1,
        [(DAY + "00:00:00", 2)],
        ["2026-11-20T00:00 exceeded spend", "2026-11-21T00:00 ok reset"],
    ),
    case(
        "first-hour-quiet", "month", 1000, [("2026-10-01T00:20", 9)], [], **ALERTING
    ),  # 9 USD an hour would be 6,696 in the month: too early to say
    case(
        "last-moment",
        "day",
        1,
        [(DAY + "23:59:59.999999", 2)],
        ["2026-11-20T23:45 exceeded spend", "2026-11-21T00:00 ok reset"],
    ),
    case(
        "never-starts-exceeded",
        "day",
        1,
        [(DAY + "10:00", 2), ("2026-11-21T00:05", "0.1")],
        ["2026-11-20T10:00 exceeded spend", "2026-11-21T00:00 ok reset"],
    ),
    case(
        "exceeded-twice",
        "day",
        1,
        [(DAY + "10:00", 2), ("2026-11-21T00:05", 3)],
        [
            "2026-11-20T10:00 exceeded spend",
            "2026-11-21T00:00 ok reset",
            "2026-11-21T00:00 exceeded spend",
            "2026-11-22T00:00 ok reset",
        ],
    ),
    # local midnight, daylight saving
    case(
        "berlin-midnight",
        "day",
        1,
        [("2026-11-19T22:59", 2)],
        ["2026-11-19T23:45 exceeded spend", "2026-11-20T00:00 ok reset"],
        time_zone="Europe/Berlin",
    ),
    case(
        "berlin-after-midnight",
        "day",
        1,
        [("2026-11-19T23:00", 2)],
        ["2026-11-20T00:00 exceeded spend", "2026-11-21T00:00 ok reset"],
        time_zone="Europe/Berlin",
    ),
    case(
        "spring-forward",
        "day",
        1,
        [("2026-03-28T23:30", 2), ("2026-03-29T21:59", 1)],
        ["2026-03-29T00:30 exceeded spend", "2026-03-30T00:00 ok reset"],
        time_zone="Europe/Berlin",
    ),
    case(
        "spring-forward-next-day",
        "day",
        1,
        [("2026-03-29T22:00", 2)],
        ["2026-03-30T00:00 exceeded spend", "2026-03-31T00:00 ok reset"],
        time_zone="Europe/Berlin",
    ),
    case(
        "fall-back",
        "day",
        1,
        [("2026-10-24T22:00", "0.6"), ("2026-10-25T22:59", "0.6")],
        ["2026-10-25T23:45 exceeded spend", "2026-10-26T00:00 ok reset"],
        time_zone="Europe/Berlin",
    ),
    case(
        "fall-back-next-day",
        "day",
        1,
        [("2026-10-25T23:00", 2)],
        ["2026-10-26T00:00 exceeded spend", "2026-10-27T00:00 ok reset"],
        time_zone="Europe/Berlin",
    ),
    case(
        "india",
        "day",
        1,
        [("2026-11-19T18:29", "0.9"), ("2026-11-19T18:30", "0.9")],
        [
            "2026-11-19T23:45 warning spend",
            "2026-11-20T00:00 ok reset",
            "2026-11-20T00:00 warning spend",
            "2026-11-21T00:00 ok reset",
        ],
        time_zone="Asia/Kolkata",
    ),
    case(
        "chatham",
        "day",
        1,
        [("2026-06-01T11:14", "0.9"), ("2026-06-01T11:15", 2)],
        [
            "2026-06-01T23:45 warning spend",
            "2026-06-02T00:00 ok reset",
            "2026-06-02T00:00 exceeded spend",
            "2026-06-03T00:00 ok reset",
        ],
        time_zone="Pacific/Chatham",
    ),
    case(
        "new-york-month",
        "month",
        1,
        [("2026-11-01T03:59", 2)],
        ["2026-10-31T23:45 exceeded spend", "2026-11-01T00:00 ok reset"],
        time_zone="America/New_York",
    ),
    # weeks and quarters
    case(
        "week-ends-on-sunday",
        "week",
        1,
        [("2026-11-15T23:50", 2)],
        ["2026-11-15T23:45 exceeded spend", "2026-11-16T00:00 ok reset"],
    ),
    case(
        "week-starts-on-monday",
        "week",
        1,
        [("2026-11-16T00:00", 2)],
        ["2026-11-16T00:00 exceeded spend", "2026-11-23T00:00 ok reset"],
    ),
    case(
        "week-over-new-year",
        "week",
        1,
        [("2026-01-01T12:00", "0.5"), ("2026-01-04T23:59", "0.6")],
        ["2026-01-04T23:45 exceeded spend", "2026-01-05T00:00 ok reset"],
    ),
    case(
        "quarter-ends-in-september",
        "quarter",
        1,
        [("2026-07-01T00:00", "0.5"), ("2026-09-30T23:59", "0.6")],
        ["2026-09-30T23:45 exceeded spend", "2026-10-01T00:00 ok reset"],
    ),
    case("quarter-starts-in-october", "quarter", 1, [("2026-10-01T00:00", "1.1")], ["2026-10-01T00:00 exceeded spend"]),
    # limits that change within a period
    limits(
        "raised",
        "month",
        1,
        4,
        "2026-10-15",
        [("2026-10-10T10:00", 2)],
        ["2026-10-10T10:00 exceeded spend", "2026-10-15T00:00 ok limit_change"],
    ),
    limits(
        "raised-a-little",
        "month",
        1,
        "2.1",
        "2026-10-15T09:30",
        [("2026-10-10T10:00", 2)],
        ["2026-10-10T10:00 exceeded spend", "2026-10-15T09:30 warning limit_change", "2026-11-01T00:00 ok reset"],
    ),
    limits(
        "lowered",
        "month",
        10,
        1,
        "2026-10-15",
        [("2026-10-10T10:00", 2)],
        ["2026-10-15T00:00 exceeded limit_change", "2026-11-01T00:00 ok reset"],
    ),
    limits(
        "lowered-to-zero",
        "month",
        10,
        0,
        "2026-10-15",
        [("2026-10-10T10:00", 2)],
        ["2026-10-15T00:00 exceeded limit_change", "2026-11-01T00:00 ok reset"],
    ),
    limits(
        "raised-at-local-midnight",
        "month",
        1,
        4,
        "2026-10-15",
        [("2026-10-10T10:00", 2)],
        ["2026-10-10T19:00 exceeded spend", "2026-10-15T00:00 ok limit_change"],
        time_zone="Asia/Tokyo",
    ),
    case(
        "begins-within-a-period",
        "month",
        1,
        [("2026-10-10T10:00", 2)],
        ["2026-10-20T00:00 exceeded spend", "2026-11-01T00:00 ok reset"],
        valid_from="2026-10-20",
    ),
    case(
        "begins-after-unpriced-calls",
        "month",
        1,
        [("2026-10-10T10:00", None, 5000, "real", "prod", True, None, "events", 4500), ("2026-10-25T10:00", "0.1")],
        [],
        valid_from="2026-10-20",
    ),
    case(
        "ends-within-a-period",
        "month",
        1,
        [("2026-10-10T10:00", "0.9"), ("2026-10-25T10:00", 2)],
        ["2026-10-10T10:00 warning spend"],
        valid_to="2026-10-20",
    ),
    # adjustments: refunds, corrections
    adjusted(
        case(
            "refund",
            "month",
            1,
            [("2026-10-10T10:00", 2)],
            ["2026-10-10T10:00 exceeded spend", "2026-10-12T08:00 ok adjustment"],
        ),
        ("2026-10-12T08:00", "-1.5"),
    ),
    adjusted(
        case(
            "refund-to-warning",
            "month",
            1,
            [("2026-10-10T10:00", 2)],
            ["2026-10-10T10:00 exceeded spend", "2026-10-12T08:00 warning adjustment", "2026-11-01T00:00 ok reset"],
        ),
        ("2026-10-12T08:00", "-1.2"),
    ),
    adjusted(
        case(
            "charge",
            "month",
            1,
            [("2026-10-10T10:00", "0.5")],
            ["2026-10-12T08:00 exceeded adjustment", "2026-11-01T00:00 ok reset"],
        ),
        ("2026-10-12T08:00", "0.6"),
    ),
    # what is left over
    case(
        "carry-over",
        "month",
        10,
        [("2026-09-10T10:00", 4), ("2026-10-10T10:00", "15.9"), ("2026-10-11T10:00", "0.2")],
        ["2026-10-10T10:00 warning spend", "2026-10-11T10:00 exceeded spend", "2026-11-01T00:00 ok reset"],
        carry_over="unused",
        valid_from="2026-09-01",
    ),
    case(
        "carry-over-in-all-digits",
        "month",
        10,
        [("2026-09-10T10:00", 4 + 10 * PICO), ("2026-10-10T10:00", Decimal("12.799999999992"))],
        ["2026-10-10T10:00 warning spend", "2026-11-01T00:00 ok reset"],
        carry_over="unused",
        valid_from="2026-09-01",
    ),
    case(
        "carry-over-in-all-digits-below",
        "month",
        10,
        [("2026-09-10T10:00", 4 + 10 * PICO), ("2026-10-10T10:00", Decimal("12.799999999991"))],
        [],
        carry_over="unused",
        valid_from="2026-09-01",
    ),
    *(
        adjusted(
            case(
                f"refund-{carry_over}",
                "month",
                10,
                [("2026-09-10T10:00", 12), ("2026-10-10T10:00", 9)],
                ["2026-09-10T10:00 exceeded spend", "2026-09-12T08:00 ok adjustment", *after],
                carry_over=carry_over,
                valid_from="2026-09-01",
            ),
            ("2026-09-12T08:00", "-5"),
        )
        for carry_over, after in (
            ("unused", ["2026-10-10T10:00 warning spend", "2026-11-01T00:00 ok reset"]),
            ("unused_and_refunds", []),
        )
    ),
    # spend alerts: what is usual, and what one call says
    case("nightly-batch", "day", 2, daily("02:00", 50, "1.2"), [], valid_from="2026-10-20", **ALERTING),
    case(
        "usual-too-much",  # known before the batch that exceeds the limit
        "day",
        2,
        daily("02:00", 50, 3),
        [
            *(
                change
                for day in (20, 21, 22)
                for change in (
                    f"2026-11-{day}T00:00 spend_alert projection",
                    f"2026-11-{day}T02:00 exceeded spend",
                    f"2026-11-{day + 1}T00:00 ok reset",
                )
            ),
            "2026-11-23T00:00 spend_alert projection",
            "2026-11-23T03:45 ok projection",
        ],
        valid_from="2026-11-20",
        valid_to="2026-11-24",
        **ALERTING,
    ),
    case(
        "usual-too-much-until-it-was-switched-off",
        "day",
        2,
        daily("02:00", 50, 3)[:-2],
        [
            "2026-11-20T00:00 spend_alert projection",
            "2026-11-20T02:00 exceeded spend",
            "2026-11-21T00:00 ok reset",
            "2026-11-21T00:00 spend_alert projection",
            "2026-11-21T03:45 ok projection",
        ],
        valid_from="2026-11-20",
        valid_to="2026-11-24",
        **ALERTING,
    ),
    case(
        "nightly-batch-of-another-clock",  # from 26 October on an hour earlier in Berlin
        "day",
        2,
        daily("01:00", 50, "1.2"),
        [],
        valid_from="2026-10-20",
        time_zone="Europe/Berlin",
        **ALERTING,
    ),
    case(
        "one-call-at-the-start",
        "month",
        100,
        [*daily("10:00", 50, 2), ("2026-11-01T00:05", 12)],
        [],
        valid_from="2026-11-01",
        **ALERTING,
    ),
    # what counts
    case("test-traffic", "day", 1, [(DAY + "09:07", 5, 0, "test"), (DAY + "09:07", 5, 0, "demo")], []),
    case(
        "test-traffic-asked-for",
        "day",
        1,
        [(DAY + "09:07", 5, 0, "test")],
        ["2026-11-20T09:00 exceeded spend", "2026-11-21T00:00 ok reset"],
        data_modes="real test",
    ),
    case("staging", "day", 1, [(DAY + "09:07", 5, 0, "real", "staging")], []),
    case(
        "every-environment",
        "day",
        1,
        [(DAY + "09:07", "0.5", 0, "real", "staging"), (DAY + "10:07", "0.6")],
        ["2026-11-20T10:00 exceeded spend", "2026-11-21T00:00 ok reset"],
        environments="*",
    ),
    case("environment-with-a-longer-name", "day", 1, [(DAY + "09:07", 5, 0, "real", "preprod")], []),
    case("unpriced", "day", 1, [(DAY + "09:07", None, 5000)], []),
    case("unvalued", "day", 9, [(DAY + "09:07", None, 5000), (DAY + "09:07", None, 1, "real", "prod", False)], []),
    case(
        "unvalued-and-exceeded",
        "day",
        1,
        [(DAY + "09:07", 2), (DAY + "09:07", None, 1, "real", "prod", False)],
        ["2026-11-20T09:00 exceeded spend"],
    ),
    case(
        "muted",
        "day",
        1,
        [(DAY + "09:07", 2)],
        ["2026-11-20T09:00 exceeded spend", "2026-11-21T00:00 ok reset"],
        muted_from="2026-11-20",
        muted_until="2026-11-21",
    ),
    case("not-yet", "day", 1, [("2026-11-23T12:00:01", 2)], []),
]
# days end in a reset unless a case says so itself
RESETS = {
    each.name
    for each in CASES
    if each.rows[0]["period"] == "day" and each.changes and "reset" not in each.changes[-1] < "2026-11-21"
}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """Every case, a tenant and a budget each, in one run; and a second budget over two of the tenants."""
    world = world_at(tmp_path_factory.mktemp("budgets") / "data")
    lend(world.settings)
    for each in CASES:
        world.spend[each.name] = each.spend
        world.budgets += each.rows
        world.adjustments += each.adjustments
    for name, share in STEEP.items():
        first = "2026-10-12" if name == "steep" else "2026-11-16"
        world.spend[name] = [
            Spend(f"{date.fromisoformat(first) + timedelta(days=day)}T{hour:02}:05", f"{share * 100 / 168:.6f}")
            for day in range((date(2026, 11, 22) - date.fromisoformat(first)).days)
            for hour in range(24)
        ]
        world.budgets.append(budget(name, "week", 100, valid_from="2026-11-16", **ALERTING))
    world.budgets.append(budget("overlapping", "day", 11, tenant_id="at-the-limit"))
    world.budgets.append(budget("everything", "quarter", "1000000", tenant_id=""))
    return world.build(NOON)


UNPRICED = """
    select state, spent_usd, unpriced_attempts, unvalued_attempts, exposure_usd, is_understated
    from budget_status where budget_id = ? and period_start = '2026-11-20'
"""


def changes(world: World, name: str) -> list[str]:
    rows = world.ask(
        "select concat_ws(' ', strftime(changed_at_local, '%Y-%m-%dT%H:%M'), to_state, cause) from budget_transitions "
        "where budget_id = ? order by period_start, sequence",
        name,
    )
    return [change for (change,) in rows]


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.name)
def test_a_budget_changes_state_at_its_quarter_hour(world, each):
    expected = list(each.changes)
    if each.name in RESETS:
        expected.append("2026-11-21T00:00 ok reset")
    assert changes(world, each.name) == expected


@pytest.mark.parametrize("name", STEEP)
def test_overspend_that_breaks_the_limit_early_is_alerted_before(world, name):
    alerted, exceeded = (change.partition(" ")[::2] for change in changes(world, name)[:2])
    assert (alerted[1], exceeded[1]) == ("spend_alert projection", "exceeded spend")
    lead = datetime.fromisoformat(exceeded[0]) - datetime.fromisoformat(alerted[0])
    assert lead >= timedelta(hours=12), "of 38 hours until 4.4 times the limit is the limit"


def test_calls_without_a_price_are_listed_and_not_counted(world):
    """5,000 tokens at a likely 0.001 USD: nothing is known to be spent, and 5 USD of a limit of 1 probably are."""
    assert world.ask(UNPRICED, "unpriced") == [("ok", 0, 1, 0, 5, True)]


def test_what_stands_next_to_spend_counts_the_whole_period(world):
    """5 + 45 USD of likely cost before the limit of 1 begins: spend covers the period, and so does all that explains it."""
    (row,) = world.ask(
        "select spent_usd, attempts, unpriced_attempts, exposure_usd, is_understated from budget_status "
        "where budget_id = 'begins-after-unpriced-calls' and period_start = '2026-10-01'"
    )
    assert row == (Decimal("0.1"), 2, 1, 50, True)


def test_a_likely_cost_that_nobody_can_guess_is_unknown_and_not_zero(world):
    """5 USD of a limit of 9 are likely; the other call may have cost anything, which matters until the limit is exceeded anyhow."""
    assert world.ask(UNPRICED, "unvalued") == [("ok", 0, 2, 1, None, True)]
    assert world.ask(UNPRICED, "unvalued-and-exceeded") == [("exceeded", 2, 1, 1, None, False)]


def test_only_what_may_be_worse_is_understated(world):
    understated = world.ask("select budget_id from budget_status where is_understated order by all")
    assert understated == [("begins-after-unpriced-calls",), ("everything",), ("unpriced",), ("unvalued",)]
    unknown = "select bool_and((exposure_usd is null) = (unvalued_attempts > 0)) from budget_status"
    assert world.ask(unknown) == [(True,)]


def test_budgets_may_overlap(world):
    assert changes(world, "overlapping") == ["2026-11-20T09:00 warning spend", "2026-11-21T00:00 ok reset"]
    spent = world.ask("select sum(spent_usd) from budget_status where budget_id = 'everything' and is_open")
    counted = [
        Decimal(str(each.usd))
        for cases in CASES
        for each in cases.spend
        if each.usd is not None
        and each.at >= "2026-10-01"
        and (each.data_mode, each.environment) == ("real", "prod")
        and cases.name != "not-yet"
    ]
    counted += [Decimal(str(each.usd)) for name in STEEP for each in world.spend[name]]
    assert spent == [(sum(counted),)]


def test_a_muted_change_is_listed_as_muted(world):
    muted = "select to_state, is_muted from budget_transitions where budget_id = ? order by period_start, sequence"
    assert world.ask(muted, "muted") == [("exceeded", True), ("ok", False)]
    assert world.ask(muted, "above-the-limit") == [("exceeded", False), ("ok", False)]


def test_a_status_says_where_a_budget_stands(world):
    (status,) = world.ask(
        "select spent_usd, limit_usd, remaining_usd, carried_usd, round(utilisation, 6), scope, drill_url from budget_status "
        "where budget_id = 'carry-over' and period_start = '2026-10-01'"
    )
    assert status[:4] == (Decimal("16.1"), 16, Decimal("-0.1"), 6)
    assert status[4:] == (
        1.00625,
        "tenant carry-over",
        "http://localhost:8080/budget?from=2026-10-01&to=2026-11-01&environment=prod&data_mode=real&tenant=carry-over&budget=carry-over",
    )
