"""Whether the figures can be trusted: senders, rejects, days, messages, the publication."""

from datetime import timedelta

from inbox import published
from inbox.marts import Row
from inbox.page import File, Page, Visit
from inbox.tables import csv_addresses, csv_of
from orchestration.wording import many

SENDERS = """
    select * from source_freshness where {where} order by not is_silent, environment <> 'prod', source, environment, data_mode
"""
SILENCES = "select * from source_silences where {where} order by silent_since desc limit 20"
DAYS = """
    select event_date, sum(attempts) as attempts, sum(duplicate_deliveries) as duplicates,
        sum(conflicting_deliveries) as conflicts, sum(unpriced_attempts) as unpriced, sum(no_usage_attempts) as no_usage,
        sum(estimated_attempts) as estimated, sum(rejected_rows) as rejected,
        bool_and(is_complete) as is_complete, bool_or(is_silent) as is_silent
    from data_quality_daily where {where} group by event_date order by event_date desc limit 21
"""
REJECTS = """
    select reason_code, count(*) as lines, max(arrival_date) as last_arrival, arg_max(message, arrival_date) as message
    from rejected_events group by 1 order by lines desc
"""
MESSAGES = """
    select status, severity, channel, title, coalesce(sent_at, queued_at) as at, last_error, acknowledged_by
    from notification_outbox order by queued_at desc nulls last limit 15
"""
LEFT_OUT = {
    "unpriced": ("attempt without a price", "attempts without a price"),
    "no_usage": ("attempt without usage", "attempts without usage"),
    "rejected": ("rejected line", "rejected lines"),
}
NAMES = "select sentence from unseen_names limit 20"


def show(visit: Visit) -> Page | File:
    """The page; senders and days of the environment and data mode."""
    where, parameters = visit.filters.of_scope()
    marts = visit.marts
    days = marts.rows(DAYS.format(where=where), **parameters)
    tables = {"days": days, "senders": marts.rows(SENDERS.format(where=where), **parameters)}
    tables |= {"rejects": marts.rows(REJECTS), "messages": marts.rows(MESSAGES)}
    return csv_of(visit, "health", tables) or Page(
        "health.html",
        "Health",
        {
            "csv": csv_addresses(visit, "health", tables),
            "senders": tables["senders"],
            "silences": marts.rows(SILENCES.format(where=where), **parameters),
            "days": [
                row
                | {
                    "address": visit.filters.address(
                        "explore", **{"from": row["event_date"], "to": row["event_date"] + timedelta(days=1)}
                    )
                }
                for row in days
            ],
            "has_checks": "index.html" in published.names(marts.publication, "checks"),
            "left_out": _left_out(days),
            "pricing": visit.filters.travelling.address("pricing"),
            "rejects": tables["rejects"],
            "messages": tables["messages"],
            "names": marts.rows(NAMES),
            "everywhere": visit.filters.address("health", environment="*", data_mode="*"),
        },
    )


def _left_out(days: list[Row]) -> list[str]:
    """What the totals of all these days leave out, and how much."""
    counts = {reason: int(sum(row[reason] or 0 for row in days)) for reason in LEFT_OUT}
    return [many(count, *LEFT_OUT[reason]) for reason, count in counts.items() if count]
