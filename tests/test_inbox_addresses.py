"""The grammar of addresses: what is written is what is read, whatever a sender called things, and what cannot be read is a sentence."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbox.charts import bars, round_up, waterfall
from inbox.comparison import ends
from inbox.filters import DIMENSIONS, BadAddressError, Filters, among, literals, parsed
from inbox.tables import csv_file, pasted
from tests.pages import query

# what a browser can send: no halves of surrogate pairs
NAME = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
DAY = st.dates(date(2024, 1, 1), date(2030, 1, 1))
SPAN = st.none() | st.tuples(DAY, st.integers(1, 400))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine may be slow
@given(
    window=SPAN,
    baseline=SPAN,
    scope=st.tuples(NAME, NAME),
    members=st.dictionaries(st.sampled_from([*DIMENSIONS, "alert"]), NAME),
)
def test_an_address_says_what_it_was_made_of(window, baseline, scope, members):
    dates = {}
    for (start, end), span in zip(
        (("from_date", "to_date"), ("baseline_from", "baseline_to")), (window, baseline), strict=True
    ):
        if span:
            dates |= {start: span[0], end: span[0] + timedelta(days=span[1])}
    filters = Filters(**dates, environment=scope[0], data_mode=scope[1], **members)
    assert parsed(filters.address("explore", by="tenant").partition("?")[2]) == (filters, {"by": "tenant"})
    assert dict(filters.hidden()) == query(filters.address("explore"))


def test_absent_words_are_prod_and_real_and_any():
    assert parsed("") == (Filters(environment="prod", data_mode="real"), {})
    assert parsed("endpoint=&colour=red&by=user")[0].members == {}


def test_links_keep_all_filters_but_those_that_they_change():
    filters = parsed("from=2026-11-21&to=2026-11-22&environment=staging&endpoint=a%26b&alert=x")[0]
    assert query(filters.address("requests", tenant="ü | =1")) == {
        "from": "2026-11-21",
        "to": "2026-11-22",
        "environment": "staging",
        "data_mode": "real",
        "endpoint": "a&b",
        "tenant": "ü | =1",
        "alert": "x",
    }
    assert "endpoint" not in query(filters.address("explore", endpoint=None))
    assert filters.travelling == replace(filters, endpoint=None, alert=None)
    with pytest.raises(TypeError, match="colour"):
        filters.address("explore", colour="red")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("from=yesterday", "from is 'yesterday', which is not a date such as 2026-11-21."),
        ("to=2026-11-31", "which is not a date"),
        ("from=20261121", "which is not a date"),
        ("from=0001-01-01", "no call is from before"),
        ("baseline_to=9999-12-31", "no call is from before"),
        ("from=2026-11-22&to=2026-11-22", "to is the first day after the period, so it must be later."),
        (f"tenant={'x' * 1025}", "tenant has 1,025 characters"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(address, words):
    with pytest.raises(BadAddressError) as error:
        parsed(address)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


def test_conditions_hold_values_as_parameters_only():
    filters = Filters(environment="prod,stag'ing", data_mode="*", tenant="x' or 1=1 --")
    assert filters.of_scope() == (
        "environment in ($environment_0, $environment_1)",
        {"environment_0": "prod", "environment_1": "stag'ing"},
    )
    assert filters.of_members("calls.") == ("calls.tenant_id = $tenant", {"tenant": "x' or 1=1 --"})
    assert filters.of_members(without="tenant") == ("true", {})
    assert literals([date(2026, 11, 2), date(2026, 11, 1)]) == "date '2026-11-01', date '2026-11-02'"


def test_days_that_follow_each_other_are_a_range_and_others_a_list():
    days = [date(2026, 11, number) for number in (3, 1, 2)]
    assert among(days) == "event_date between date '2026-11-01' and date '2026-11-03'"
    assert among([days[0], days[1]]) == "event_date in (date '2026-11-01', date '2026-11-03')"
    assert among([]) == "event_date in (null)"


def test_a_query_to_paste_has_its_values_quoted():
    sql = "\n    select 1\n    where tenant_id = $tenant and event_date = $day\n"
    assert pasted(sql, {"tenant": "o'neil", "day": date(2026, 11, 1)}) == (
        "select 1\nwhere tenant_id = 'o''neil' and event_date = date '2026-11-01'"
    )


def test_a_csv_names_its_filters_first_and_holds_no_formula():
    file = csv_file("x", "/explore?tenant=a", ("tenant_id", "cost_usd"), [("=cmd()", 1), ("-1", None), ("plain", 2)])
    assert file.text.splitlines() == ["# /explore?tenant=a", "tenant_id,cost_usd", "'=cmd(),1", "'-1,", "plain,2"]


def test_a_waterfall_ends_at_the_exact_sum():
    steps = waterfall(("usual", Decimal("1.67")), [("longer", Decimal("4.91")), ("fewer", Decimal("-0.5"))], "seen")
    assert [(step.label, step.amount, step.kind) for step in steps] == [
        ("usual", Decimal("1.67"), "total"),
        ("longer", Decimal("4.91"), "up"),
        ("fewer", Decimal("-0.5"), "down"),
        ("seen", Decimal("6.08"), "total"),
    ]
    assert all(0 <= step.left <= step.left + step.width <= 100.01 for step in steps)


def test_a_chart_of_nothing_can_be_drawn():
    assert bars([]).bars == []
    assert round_up(Decimal(0)) == 1
    assert [round_up(Decimal(text)) for text in ("0.11", "1", "6.91", "99")] == [Decimal("0.15"), 1, 8, 100]


def test_a_window_without_dates_is_an_error_of_ours():
    with pytest.raises(ValueError, match="no dates"):
        ends(Filters())
