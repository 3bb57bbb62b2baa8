"""Prices: models without one, with the lines to paste, what changed, and the prices that are current."""

from datetime import timedelta

from inbox.marts import Row
from inbox.page import Page, Visit

UNPRICED = """
    select * from unpriced_models where {where}
    order by status <> 'open', exposure_usd desc nulls last, attempts desc
"""
VERSIONS = "select * from price_book_versions order by version_sequence desc limit 20"
CHANGES = """
    select version_sequence, change_type, provider, model, usage_month, valid_from, new_source, moved_usd, attempts
    from price_book_changes order by version_sequence desc, abs(moved_usd) desc nulls last limit 50
"""
BOOK = """
    select distinct provider, model, variant, valid_from, valid_to, resolution, source, input_tokens_from,
        uncached_input_price_usd * 1000000 as input_usd, cached_input_price_usd * 1000000 as cached_usd,
        text_output_price_usd * 1000000 as output_usd
    from price_book where resolution <> 'unknown'
    order by provider, model, variant nulls first, input_tokens_from nulls first, valid_from nulls first limit 500
"""


def show(visit: Visit) -> Page:
    """The page; models of the environment and data mode."""
    where, parameters = visit.filters.of_scope()
    unpriced = visit.marts.rows(UNPRICED.format(where=where), **parameters)
    return Page(
        "pricing.html",
        "Pricing",
        {
            "unpriced": [
                row | {"address": visit.filters.address("explore", model=row["model"], by="endpoint", **_days(row))}
                for row in unpriced
            ],
            "everywhere": visit.filters.address("pricing", environment="*", data_mode="*"),
            "versions": visit.marts.rows(VERSIONS),
            "changes": visit.marts.rows(CHANGES),
            "book": visit.marts.rows(BOOK),
        },
    )


def _days(row: Row) -> Row:
    return {"from": row["first_seen_date"], "to": row["last_seen_date"] + timedelta(days=1)}
