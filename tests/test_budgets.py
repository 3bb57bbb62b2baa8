"""Budgets over drawn spend: the SQL against the definitions in plain Python, hour by hour against one run, and what a status says."""

import random
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

import duckdb
import pyarrow as pa
import pytest

from benchmarks.budgets.world import Spend, World, budget, world_at
from orchestration.dbt import run_dbt
from tests.parsed import lend
from tests.reference_budgets import QUARTER, Drawn, changes, instant, periods, states

FIRST, LAST = date(2026, 9, 20), "2026-11-10T15:30:00"
SEVERITY = ("ok", "warning", "spend_alert", "exceeded")
# period: first local date, and how many are drawn
PERIODS = {
    "day": ("2026-11-04", 6),
    "week": ("2026-10-12", 16),
    "month": ("2026-09-20", 12),
    "quarter": ("2026-09-20", 2),
}


# a third of the budgets live 32 weeks earlier, when the clocks change in spring, and end before the world does
EARLIER = timedelta(weeks=32)
SPRING_ENDS = {
    "day": date(2026, 3, 31),
    "week": date(2026, 3, 30),
    "month": date(2026, 4, 1),
    "quarter": date(2026, 4, 1),
}


def drawn_budget(number: int) -> Drawn:
    """A tenant with hours and weekdays of its own, growth, noise, and now and then a burst; a limit that it may or may not keep."""
    dice = random.Random(number)
    period = [name for name, (_, count) in PERIODS.items() for _ in range(count)][number]
    zone = dice.choice(
        ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "America/Havana"]
    )
    level, growth, busy = dice.lognormvariate(0, 1), dice.uniform(-0.01, 0.02), dice.randrange(24)
    begins = FIRST + timedelta(days=dice.choice([0, 0, 0, 20, 40]))
    spend: dict[datetime, Decimal] = {}
    calls: dict[datetime, int] = {}
    day = begins
    while day <= date(2026, 11, 10):
        burst = dice.choice([2, 5, 20]) if dice.random() < 0.08 else 1
        factor = level * (1 + growth) ** (day - begins).days * (0.5 if day.weekday() > 4 else 1) * burst
        for _ in range(dice.randrange(12)):
            hour = (busy + round(dice.gauss(0, 4))) % 24
            at = datetime(day.year, day.month, day.day, hour, 15 * dice.randrange(4), tzinfo=UTC)
            usd = Decimal(f"{factor * dice.lognormvariate(0, 0.7):.12f}")
            spend[at] = spend.get(at, Decimal(0)) + usd
        if number % 4 == 1:  # a batch on the hour of a clock without daylight saving, now and then without its night
            at = datetime(day.year, day.month, day.day, busy, tzinfo=UTC)
            count, part = dice.randrange(2, 6), Decimal(f"{level * dice.uniform(0.9, 1.1):.12f}")
            if dice.random() < 0.9:
                calls[at], spend[at] = count, count * part
        day += timedelta(days=1)
    length = {"day": 1, "week": 7, "month": 30, "quarter": 91}[period]
    limit = round(Decimal(level * 6 * length * dice.choice([0.5, 0.8, 1, 1.2, 1.6, 3])), 4)
    if number % 3 == 1:
        spend, calls = ({at - EARLIER: value for at, value in each.items()} for each in (spend, calls))
    drawn = Drawn(f"drawn-{number}", period, zone, limit, spend, calls)
    return silenced(drawn, dice) if number % 3 == 0 else drawn


def is_in_spring(drawn: Drawn) -> bool:
    return int(drawn.name.removeprefix("drawn-")) % 3 == 1


def first_of(drawn: Drawn) -> date:
    """From when on its limit holds."""
    first = date.fromisoformat(PERIODS[drawn.period][0])
    return first - EARLIER if is_in_spring(drawn) else first


def ends_of(drawn: Drawn) -> datetime:
    """The instant up to which it is judged: that of the run, or the last one of its limit."""
    if not is_in_spring(drawn):
        return datetime.fromisoformat(LAST + "+00:00")
    return instant(drawn, SPRING_ENDS[drawn.period]) - timedelta(seconds=1)


def silenced(drawn: Drawn, dice: random.Random) -> Drawn:
    """One of which all calls end in the last ten days, or only those of one of its two senders, who share the hours."""
    two_senders = dice.random() < 0.4
    until = datetime(2026, 11, 10, tzinfo=UTC) - timedelta(days=dice.randrange(10))
    last = max(at for at in drawn.spend if at < until and at.hour % (1 + two_senders) == 0)
    spend = {at: usd for at, usd in drawn.spend.items() if at <= last or (two_senders and at.hour % 2)}
    return replace(drawn, spend=spend, seen_until=last)


def sender(drawn: Drawn, at: datetime) -> str:
    """Who makes the calls of an instant."""
    return f"{drawn.name} {'b' if at.hour % 2 and max(drawn.spend) > drawn.seen_until else 'a'}"


DRAWN = [drawn_budget(number) for number in range(sum(count for _, count in PERIODS.values()))]


def drawn_world(root, drawn: list[Drawn]) -> World:
    world = world_at(root)
    lend(world.settings)
    for each in drawn:
        world.spend[each.name] = [
            Spend(
                (at + timedelta(seconds=7)).isoformat()[:19],
                usd / calls,
                source=sender(each, at),
                environment=environment,
            )
            for at, usd in each.spend.items()
            for calls in [each.calls.get(at, 1)]
            for environment in ["prod", "staging", "eu", "dev", "prod"][:calls]
        ]
        if each.seen_until in each.spend:
            world.silent[f"{each.name} a"] = (each.seen_until + timedelta(seconds=7)).isoformat()[:19]
        world.budgets.append(
            budget(
                each.name,
                each.period,
                each.limit,
                environments="*" if each.calls else "prod",
                time_zone=each.zone,
                valid_from=first_of(each),
                valid_to=SPRING_ENDS[each.period] if is_in_spring(each) else "",
                is_spend_alert_on="true",
                min_elapsed_share=each.min_elapsed,
                min_spent_share=each.min_spent,
            )
        )
    return world


def of(world: World, name: str) -> list[tuple]:
    rows = world.ask(
        "select changed_at, from_state, to_state from budget_transitions where budget_id = ? order by period_start, sequence",
        name,
    )
    return [(at.replace(tzinfo=UTC), before, after) for at, before, after in rows]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return drawn_world(tmp_path_factory.mktemp("drawn") / "data", DRAWN).build(LAST)


def test_the_states_are_those_of_the_definitions(world):
    seen = set()
    for each in DRAWN:
        expected = changes(each, first_of(each), ends_of(each))
        assert of(world, each.name) == expected, each.name
        seen |= {(before, after) for _, before, after in expected}
    assert {after for _, after in seen} == set(SEVERITY), "the draw reaches every state"
    assert ("spend_alert", "ok") in seen, "and some alerts end quietly"


def test_the_projections_are_those_of_the_definitions(world):
    """At the end of each period or at the instant of the run; with a silent sender they stop at its last whole quarter-hour."""
    as_of, stopped = datetime.fromisoformat(LAST + "+00:00"), 0
    for each in DRAWN:
        rows = world.ask(
            "select period_start, projection_usd, projection_as_of, silent_senders from budget_status where budget_id = ?",
            each.name,
        )
        found = {start: row for start, *row in rows}
        for start, end in periods(each, first_of(each), ends_of(each)):
            usd, until, silent = found[start]
            *_, last = states(each, start, end, ends_of(each))
            expected = last.projection
            is_whole = each.seen_until >= instant(each, end)
            stopped += not is_whole
            assert (usd is None) == (expected is None)
            assert usd is None or float(usd) == pytest.approx(expected, abs=1e-4), (each.name, start)
            assert silent == (None if is_whole else f"{each.name} a in prod")
            whole = max(each.seen_until, instant(each, start))
            assert until.replace(tzinfo=UTC) == (min(last.at + QUARTER, as_of) if is_whole else whole)
    assert stopped > 10


def test_what_stands_next_to_spend_is_that_of_the_definitions(world):
    columns = "period_start, attempts, naive_projection_usd, burn_rate"
    for each in DRAWN:
        rows = world.ask(f"select {columns} from budget_status where budget_id = ?", each.name)
        found = {start: row for start, *row in rows}
        for start, end in periods(each, first_of(each), ends_of(each)):
            *_, last = states(each, start, end, ends_of(each))
            attempts, naive, burn_rate = found[start]
            assert attempts == last.attempts
            assert (naive is None) == (last.naive is None)
            assert naive is None or float(naive) == pytest.approx(last.naive, abs=1e-4)
            assert (burn_rate is None) == (last.burn_rate is None)
            assert burn_rate is None or burn_rate == pytest.approx(last.burn_rate, rel=1e-4, abs=1e-5), each.name


def test_a_period_that_is_over_is_not_about_to_exceed_anything(world):
    assert world.ask("select count(*) from budget_status where not is_open and state = 'spend_alert'") == [(0,)]
    ended = "select count(*) from budget_transitions where from_state = 'spend_alert' and cause = 'projection'"
    assert world.ask(
        f"{ended} and changed_at + interval 15 minute = timezone('UTC', timezone(time_zone, period_end::timestamp))"
    )[0][0]


def test_transitions_replayed_give_the_states(world):
    assert (
        world.ask("""
        with replayed as (
            select *, lag(to_state, 1, 'ok') over (partition by budget_id order by period_start, sequence) as state_before
            from budget_transitions
        )
        select * from replayed where from_state <> state_before or from_state = to_state
    """)
        == []
    )
    assert (
        world.ask("""
        select state, coalesce(last_change, 'ok') from budget_status
        left join (
            select budget_id, period_start, max_by(to_state, sequence) as last_change from budget_transitions group by all
        ) using (budget_id, period_start)
        where state <> coalesce(last_change, 'ok')
    """)
        == []
    )


def test_the_days_of_a_period_add_up_to_it(world):
    """Periods tile the time, and spend is in the one that its own instant is in."""
    assert (
        world.ask("""
        select * from intermediate.int_budget_periods as one
        inner join intermediate.int_budget_periods as next using (budget_id)
        where one.period_end = next.period_start and one.ends_at <> next.starts_at
    """)
        == []
    )
    for each in DRAWN:
        spent = world.ask("select sum(spent_usd) from budget_status where budget_id = ?", each.name)
        begins = min(at for (at,) in world.ask("select starts_at from budget_status where budget_id = ?", each.name))
        expected = [usd for at, usd in each.spend.items() if begins <= at.replace(tzinfo=None) and at <= ends_of(each)]
        assert spent == [(sum(expected),)], each.name


def test_what_a_person_added_is_nothing_that_a_scope_usually_spends(tmp_path):
    """5 USD a day, and 900 booked by hand on a day of the past: the next day of the scope is expected to take 5."""
    world = world_at(tmp_path / "data")
    lend(world.settings)
    days = [date(2026, 10, 1) + timedelta(days=place) for place in range(40)]
    world.spend["usual"] = [Spend(f"{day}T10:00:00", 5) for day in days]
    when = {"valid_from": "2026-11-01", "tenant_id": "usual"}
    world.budgets = [budget(name, "month", 400, **when) for name in ("usual", "booked")]
    world.adjustments = [
        {"budget_id": "booked", "effective_at": at, "amount_usd": "900", "reason": "invoice", "approved_by": "cfo"}
        for at in ("2026-10-12T10:00", "2026-10-13T15:00", "2026-10-14T15:00")
    ]
    world.build(LAST)
    usual, booked = world.ask(
        "select projection_usd, burn_to_usual, is_projection_seasonal from budget_status order by budget_id desc"
    )
    assert booked == usual
    assert usual[2]


def test_what_is_dated_by_an_earlier_delivery_reaches_the_period_that_reads_it(tmp_path):
    """The longest look back: of a quarter that starts in the afternoon of the day before (UTC), an attempt of the date before that."""
    world = world_at(tmp_path / "data")
    lend(world.settings)
    world.spend["late"] = [Spend("2026-07-02T00:00:00", 1)]
    zone = {"time_zone": "Pacific/Kiritimati", "carry_over": "unused"}
    world.budgets = [budget("late", "quarter", 10, **zone)]
    carried = "select carried_usd from budget_status where is_open"
    assert world.build(LAST).ask(carried) == [(9,)]
    world.spend["late"].append(Spend("2026-06-30T10:00:00", 3, first_date="2026-06-29"))
    assert world.build(LAST).ask(carried) == [(6,)]


YEARS = (2015, 2026)
CLOCKS = """
    with days as (
        select zone, day, timezone(zone, timezone('UTC', day)) - day as differs
        from zones, generate_series(make_timestamp({}, 1, 2, 12, 0, 0), make_timestamp({}, 12, 28, 12, 0, 0), interval 1 day) as each(day)
    )
    select zone, day from days qualify differs <> lag(differs) over (partition by zone order by day)
"""


def test_local_days_begin_once_and_tile_time_in_every_zone(world):
    """Every change of the clocks: midnight may come twice (Havana, Azores) or not at all (Beirut, Cairo, Asuncion)."""
    [compiled] = (world.settings.state / "dbt").rglob("compiled/**/int_budget_periods.sql")
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        names = pa.table({"zone": sorted(zone for zone in available_timezones() if "/" in zone)})
        database.register("names", names)
        database.execute("create table zones as select zone from names semi join pg_timezone_names() on zone = name")
        database.execute(f"create table changes_of_clocks as {CLOCKS.format(*YEARS)}")
        assert len(names) > 400
        database.execute("attach ':memory:' as warehouse; create schema warehouse.intermediate")
        database.execute(
            "create table warehouse.intermediate.costed_usage_days as select date '2014-12-01' as event_date"
        )
        database.execute("""
            create table warehouse.intermediate.int_budgets as
            select zone || ' ' || day as budget_id, 'day' as period, zone as time_zone, 'none' as carry_over,
                day - interval 3 day as valid_from_at, day + interval 3 day as valid_to_at
            from changes_of_clocks where valid_to_at < timestamp '2026-11-01'
        """)
        periods = database.execute(f"""
            select time_zone, period_start, starts_at, ends_at, lead(starts_at) over periods_of_budget as next_starts_at,
                timezone(time_zone, timezone('UTC', starts_at)) as local_start
            from ({compiled.read_text().rstrip().rstrip(";")})
            window periods_of_budget as (partition by budget_id order by period_start)
        """).fetchall()  # fmt: skip
    assert len(periods) > 20_000
    assert [row for row in periods if row[4] not in (None, row[3])] == []
    twice, missing = set(), set()
    for name, day, starts_at, _, _, local_start in periods:
        zone, midnight = ZoneInfo(name), datetime.combine(day, time())
        if starts_at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) != local_start:
            continue  # DuckDB and Python know another edition of this zone's rules
        first = _first_instant(zone, day)
        assert starts_at == first, (name, day)
        if midnight.replace(tzinfo=zone).utcoffset() != midnight.replace(tzinfo=zone, fold=1).utcoffset():
            (twice if local_start == midnight else missing).add(name)
    assert {"America/Havana", "Atlantic/Azores"} <= twice
    assert {"Asia/Beirut", "America/Asuncion", "Africa/Cairo", "America/Sao_Paulo"} <= missing


def _first_instant(zone: ZoneInfo, day: date) -> datetime:
    """Of all quarter-hours (UTC) the first at which the clocks show the day."""
    midnight = datetime.combine(day, time(), zone)
    instant = midnight.astimezone(UTC) - timedelta(hours=3)  # since 2015 no clock has been set by more than an hour
    while instant.astimezone(zone).date() < day:
        instant += timedelta(minutes=15)
    return instant.replace(tzinfo=None)


WRONG = {
    "a quarter-hour is lost": "delete from int_budget_usage where rowid = (select min(rowid) from int_budget_usage)",
    "a quarter-hour stands twice": "insert into int_budget_usage from int_budget_usage limit 1",
    "a member is lost": "delete from int_budget_members where rowid = (select min(rowid) from int_budget_members)",
    "a period was not judged anew": "update marts.budget_status set spent_usd = spent_usd + 0.000000000001 where is_open",
}


def test_a_budget_that_does_not_tie_to_the_fact_fails_its_test(world, tmp_path):
    copy = replace(world.settings, data=tmp_path / "data", as_of=datetime.fromisoformat(LAST + "+00:00"))
    (copy.state / "spill").mkdir(parents=True)
    lend(copy)
    test = ("test", "--quiet", "--select", "assert_budgets_tie_to_fact")
    for wrong, statement in WRONG.items():
        shutil.copy(world.settings.warehouse, copy.warehouse)
        with duckdb.connect(str(copy.warehouse)) as warehouse:
            warehouse.execute("use intermediate")
            warehouse.execute(statement)
        with pytest.raises(RuntimeError) as failed:
            run_dbt(copy, *test)
        assert "Failure in test assert_budgets_tie_to_fact" in str(failed.value), wrong
    shutil.copy(world.settings.warehouse, copy.warehouse)
    run_dbt(copy, *test)


def test_run_by_run_equals_one_run_over_the_whole_history(world, tmp_path):
    """Each run's changes are the beginning of the last one's, and its tables are those of one run."""
    some = DRAWN[::3]
    stepwise, names = drawn_world(tmp_path / "data", some), [each.name for each in some]

    def rows(of_world: World, mart: str) -> list[tuple]:
        return of_world.ask(f"select * from {mart} where list_contains(?, budget_id) order by all", names)

    final = rows(world, "budget_transitions")
    columns = world.ask(
        "select column_name from duckdb_columns() where table_name = 'budget_transitions' order by column_index"
    )
    changed_at = columns.index(("changed_at",))
    for as_of in ("2026-11-09T23:00:00", "2026-11-10T00:00:00", LAST):
        stepwise.build(as_of)
        so_far = [row for row in final if row[changed_at] < datetime.fromisoformat(as_of)]
        assert rows(stepwise, "budget_transitions") == so_far, as_of
    assert rows(stepwise, "budget_status") == rows(world, "budget_status")
    built = "select max(built_at) from tokentrail.built where model = 'int_budget_states'"
    before = stepwise.ask(built)
    stepwise.build(LAST)
    assert stepwise.ask(built) == before, "an idle run judges nothing anew"
