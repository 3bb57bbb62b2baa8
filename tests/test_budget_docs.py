"""docs/budgets.md says what is so: the worked month is computed, and every column of the seed is explained."""

import re
from datetime import date, timedelta

import pytest

from benchmarks.budgets.world import Spend, World, budget, world_at
from orchestration.settings import PROJECT
from orchestration.team.budgets import Budget
from tests.parsed import lend

PAGE = PROJECT / "docs" / "budgets.md"
MONTH = "| when (UTC) | spent | usual by then | projection | naive | burn rate | state |"


def spent_on(day: date) -> float:
    """40 USD on a weekday and 10 on Saturdays and Sundays; from 15 October on, half as much again."""
    usual = 10 if day.weekday() > 4 else 40
    return usual * (1.5 if day >= date(2026, 10, 15) else 1)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """The worked month: every day evenly over its 96 quarter-hours, from four weeks before."""
    world = world_at(tmp_path_factory.mktemp("worked") / "data")
    lend(world.settings)
    days = [date(2026, 9, 3) + timedelta(days=place) for place in range(59)]
    world.spend["worked"] = [
        Spend(f"{day}T{hour:02}:{minute:02}", f"{spent_on(day) / 96:.12f}")
        for day in days
        for hour in range(24)
        for minute in (0, 15, 30, 45)
    ]
    world.budgets = [budget("worked", "month", 1000, valid_from="2026-10-01", is_spend_alert_on="true")]
    return world.build("2026-11-02T00:00:00")


def test_the_worked_month_is_what_the_models_say(world):
    shown = [
        tuple(cell.strip(" *") for cell in line.strip("|").split("|"))
        for line in PAGE.read_text().partition(MONTH)[2].partition("\n\n")[0].splitlines()[2:]
    ]
    rows = world.ask("""
        select strftime(changed_at, '%d %b %H:%M'), round(spent_usd, 2)::varchar, round(projection_usd, 2)::varchar,
            round(naive_projection_usd, 2)::varchar, round(burn_rate, 2)::varchar, to_state
        from budget_transitions where cause <> 'reset' order by changed_at
    """)
    changes = [
        (when, spent, projection, naive, burn, state) for when, spent, _, projection, naive, burn, state in shown
    ]
    assert changes == [tuple(each or "" for each in row) for row in rows]


def test_every_column_of_the_seed_is_explained():
    named = set(re.findall(r"`(\w+)`", PAGE.read_text().partition("## The file")[2].partition("\n## ")[0]))
    assert set(Budget.model_fields) <= named
