"""Prices: models without one, with the lines to paste, what changed, and the prices that are current."""

from datetime import timedelta

from inbox.marts import Row
from inbox.page import File, Page, Visit
from inbox.tables import csv_addresses, csv_of

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


def show(visit: Visit) -> Page | File:
    """The page; models of the environment and data mode."""
    where, parameters = visit.filters.of_scope()
    unpriced = visit.marts.rows(UNPRICED.format(where=where), **parameters)
    tables = {"unpriced": unpriced, "prices": visit.marts.rows(BOOK)}
    tables |= {"changes": visit.marts.rows(CHANGES), "versions": visit.marts.rows(VERSIONS)}
    return csv_of(visit, "pricing", tables) or Page(
        "pricing.html",
        "Pricing",
        {
            "csv": csv_addresses(visit, "pricing", tables),
            "unpriced": [
                row | {"address": visit.filters.address("explore", model=row["model"], by="endpoint", **_days(row))}
                for row in unpriced
            ],
            "everywhere": visit.filters.address("pricing", environment="*", data_mode="*"),
            "versions": tables["versions"],
            "changes": tables["changes"],
            "book": tables["prices"],
        },
    )


def _days(row: Row) -> Row:
    return {"from": row["first_seen_date"], "to": row["last_seen_date"] + timedelta(days=1)}
