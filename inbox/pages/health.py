"""Whether the figures can be trusted: senders, rejects, days, messages, the publication."""

from datetime import timedelta

from inbox.page import Page, Visit

SENDERS = """
    select * from source_freshness where {where} order by not is_silent, environment <> 'prod', source, environment, data_mode
"""
SILENCES = "select * from source_silences where {where} order by silent_since desc limit 20"
DAYS = """
    select event_date, sum(attempts) as attempts, sum(duplicate_deliveries) as duplicates,
        sum(conflicting_deliveries) as conflicts, sum(unpriced_attempts) as unpriced, sum(no_usage_attempts) as no_usage,
        sum(estimated_attempts) as estimated, sum(rejected_rows) as rejected, bool_or(is_understated) as is_understated,
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
NAMES = "select sentence from unseen_names limit 20"


def show(visit: Visit) -> Page:
    """The page; senders and days of the environment and data mode."""
    where, parameters = visit.filters.of_scope()
    marts = visit.marts
    return Page(
        "health.html",
        "Health",
        {
            "senders": marts.rows(SENDERS.format(where=where), **parameters),
            "silences": marts.rows(SILENCES.format(where=where), **parameters),
            "days": [
                row
                | {
                    "address": visit.filters.address(
                        "explore", **{"from": row["event_date"], "to": row["event_date"] + timedelta(days=1)}
                    )
                }
                for row in marts.rows(DAYS.format(where=where), **parameters)
            ],
            "rejects": marts.rows(REJECTS),
            "messages": marts.rows(MESSAGES),
            "names": marts.rows(NAMES),
            "everywhere": visit.filters.address("health", environment="*", data_mode="*"),
        },
    )
