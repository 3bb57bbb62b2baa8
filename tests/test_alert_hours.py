"""Hours from onset to alert, counted from signals whose hours are known."""

from datetime import date, datetime, timedelta

from benchmarks.alerts.hours import Signal, heard, markdown

FIRST = date(2026, 8, 3)
ONSET = FIRST + timedelta(days=40)


def truth(**incident: object) -> dict:
    start = datetime.combine(ONSET, datetime.min.time()) + timedelta(hours=9)
    usual = {
        "share": 0.2,
        "start": f"{start.isoformat()}+00:00",
        "end": f"{(start + timedelta(hours=39)).isoformat()}+00:00",
        "onset_date": f"{ONSET}",
        "end_date": f"{ONSET + timedelta(days=1)}",
        **dict.fromkeys(("prompt_version", "tenant", "user", "model")),
        "endpoint": "chat.reply",
    }
    last = FIRST + timedelta(days=83)
    return {"world": {"first": f"{FIRST}", "last": f"{last}"}, "incidents": [usual | incident], "planned": []}


def signal(day: date, first_hour: int, value: str = "chat.reply", is_confirmed: bool = True) -> Signal:
    return Signal(day, "endpoint", value, first_hour, is_confirmed)


def test_an_hour_counts_when_it_is_over():
    """Begun at nine; what stood out by the end of the hour from eleven to twelve was known after three hours."""
    assert heard([signal(ONSET, 11), signal(ONSET, 14)], truth()).hours == [3]


def test_what_stood_out_before_or_is_about_something_else_does_not_count():
    found = heard([signal(ONSET, 7), signal(ONSET, 11, "search.answer"), signal(ONSET + timedelta(days=1), 5)], truth())
    assert found.hours == [21]


def test_the_total_is_about_everything_and_a_route_about_its_endpoint():
    assert heard([Signal(ONSET, "total", "all", 12, True)], truth()).hours == [4]
    assert heard([signal(ONSET, 10, "chat.reply | gpt-5.2")], truth()).hours == [2]


def test_incidents_below_a_fifth_of_a_day_are_not_asked_for():
    assert heard([], truth(share=0.1)).hours == []


def test_a_day_far_from_incidents_is_a_false_alarm_and_one_right_after_is_not():
    far, after = ONSET + timedelta(days=20), ONSET + timedelta(days=4)
    found = heard(
        [signal(far, 9, is_confirmed=False), signal(far, 12, "x", is_confirmed=False), signal(after, 9)], truth()
    )
    assert (found.false_days, found.further_days, found.days_with_signals, found.withdrawn_days) == (1, 1, 2, 1)
    assert found.quiet_weeks * 7 == 84 - 28 - 5  # the two days of the incident and three after it


def test_an_incident_without_an_alert_counts_against_the_shares():
    page = markdown([heard([], truth()), heard([signal(ONSET, 11)], truth())], [1000, 1001])
    assert "| Alerted within 3 hours | 0.50 |" in page
