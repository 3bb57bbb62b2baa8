"""A company that is not the demo's: its own words, one budget, two channels. Its first run is right, and nobody else's names are in it."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from demo import TEAM as DEMO_TEAM
from demo.world import ENDPOINTS as DEMO_ENDPOINTS
from demo.world import SERVICE_ACCOUNT, TENANT_NAMES
from orchestration.notifications import read_outbox
from orchestration.team.budgets import BUDGETS
from orchestration.team.incidents import ENDPOINT_OWNERS
from orchestration.team.rows import read_rows
from orchestration.team.starting import write_starter
from orchestration.weekly import report
from tests.pipeline import COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at

FIRST, LAST = date(2026, 10, 15), date(2026, 11, 22)
ENDPOINTS = {"cart.assist": 25, "faq.answer": 25, "reviews.digest": 20}  # requests a day
STORES = ("north-store", "south-store", "web-store")
BUDGET = (
    "everything,Production,,,,,,,,month,Europe/Vienna,100,,,2026-10-01,,,,,,,,,ops,billing,pager,,,,what we planned"
)
TEAM = {
    "budgets.csv": (BUDGET,),
    "notification_channels.csv": (
        "billing,TOKENTRAIL_CHANNEL_BILLING,warning,immediate,,,Europe/Vienna,60,,,,,who pays",
        "pager,TOKENTRAIL_CHANNEL_PAGER,critical,immediate,,,Europe/Vienna,60,30,billing,,,who wakes up",
    ),
    "endpoint_owners.csv": (
        "cart.assist,shop-team,https://wiki.example.org/cart,#shop,2026-11-01",
        "faq.anser,help-team,https://wiki.example.org/faq,#help,2026-11-01",
    ),
}


def usage() -> Iterator[tuple[date, list[dict]]]:
    """By day: about 70 calls of 10,000 input and 2,000 output tokens. On the last day those of faq.answer are three times as large."""
    for place in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=place)
        dice, calls = random.Random(day.toordinal()), []
        for endpoint, count in ENDPOINTS.items():
            for number in range(count + dice.randrange(-2, 3)):
                at = datetime.combine(day, time(), UTC) + timedelta(seconds=dice.randrange(86_400))
                size = dice.randrange(90, 111) * (3 if (endpoint, day) == ("faq.answer", LAST) else 1)
                about = {
                    "endpointTag": endpoint,
                    "tenantId": dice.choice(STORES),
                    "userId": f"staff-{dice.randrange(9)}",
                }
                counts = {"inputTokens": 100 * size, "outputTokens": 20 * size, "environment": "production"}
                calls.append(event(f"{day}-{endpoint}-{number}", at.isoformat(), **about, **counts))
        yield day, calls


def write_team(team: Path) -> None:
    """The starter, with the company's own rows."""
    write_starter(team)
    for name, rows in TEAM.items():
        with (team / name).open("a") as file:
            file.write("".join(f"{row}\n" for row in rows))


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Pipeline:
    """Its data root after the first run."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("company") / "data", company=None)
    write_team(pipeline.settings.team)
    for day, calls in usage():
        pipeline.land("shop.jsonl", calls, f"{day}")
    pipeline.run(*WITHOUT_TESTS)
    report(pipeline.settings)
    return pipeline


def test_the_first_budget_is_what_was_spent(company):
    """Days in Vienna: a call at 23:30 UTC on 31 October is one of November."""
    first = datetime(2026, 10, 31, 23, tzinfo=UTC)
    spent = sum(
        Decimal(call["inputTokens"] * 3 + call["outputTokens"] * 15) / 1_000_000
        for _, calls in usage()
        for call in calls
        if datetime.fromisoformat(call["occurredAt"]) >= first
    )
    assert company.ask("select budget_id, state, spent_usd from budget_status where is_open") == [
        ("everything", "spend_alert", spent)
    ]


def test_the_first_alert_names_the_endpoint_and_the_environment_as_everybody_knows_it(company):
    alerts = company.ask("select environment, spike_type, endpoint_tag, alert_date from alerts where status = 'open'")
    assert alerts == [("prod", "token", "faq.answer", LAST)]
    assert company.ask("select distinct environment from fct_attempts") == [("prod",)]
    owned = "select endpoint_tag, owner from dim_endpoints order by 1"
    assert company.ask(owned) == [("cart.assist", "shop-team"), ("faq.answer", None), ("reviews.digest", None)]


def test_a_name_that_no_call_has_is_listed_with_the_nearest(company):
    [(sentence,)] = company.ask("select sentence from unseen_names")
    place = "endpoint_owners.csv line 5 (faq.anser): endpoint_tag names the endpoint faq.anser"
    assert sentence == f"{place}, which no call has: did you mean faq.answer?"


def test_nothing_of_the_company_of_the_demo_appears_anywhere(company):
    """In every mart, export and weekly page, and in every message."""
    words = "\n".join({*_published_text(company), *(str(row) for row in read_outbox(company.settings))})
    assert "faq.answer" in words
    demo = {endpoint.name for endpoint in DEMO_ENDPOINTS} | {*TENANT_NAMES, SERVICE_ACCOUNT, "runbooks.example.com"}
    for file in (BUDGETS, ENDPOINT_OWNERS):
        for row in read_rows(DEMO_TEAM, file):
            demo |= {str(file.key_of(row)[0]), row.owner} - {"finance"}
    assert len(demo) == 80
    named = "|".join(re.escape(name) for name in sorted(demo, key=len, reverse=True))
    assert set(re.findall(rf"(?<![\w-])(?:{named})(?![\w-])", words)) == set()


def _published_text(company: Pipeline) -> Iterator[str]:
    for rows in company.tables().values():
        yield from (str(cell) for row in rows for cell in row)
    for path in company.settings.published.resolve().rglob("*"):
        if path.suffix in (".csv", ".json", ".html", ".md"):
            yield path.read_text(errors="replace")


def test_a_change_of_the_map_changes_history(company):
    before, owners = company.built_at(), company.settings.team / "endpoint_owners.csv"
    owners.write_text(owners.read_text().replace("faq.anser", "faq.answer"))
    with (company.settings.team / "environment_map.csv").open("a") as file:
        file.write("production,shop,our shop is an environment of its own\n")
    company.build(*WITHOUT_TESTS, *COSTS)
    after, days = company.built_at(), {day for model, day in before if model == "fct_attempts"}
    assert {day for day in days if after["fct_attempts", day] != before["fct_attempts", day]} == days
    assert company.inside("select distinct environment from marts.fct_attempts") == [("shop",)]
    assert company.inside("select name, nearest_name from marts.unseen_names") == []
