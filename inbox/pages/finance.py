"""Finance: reconciliation and closes, as soon as the publication has these marts."""

from inbox.page import Page, Visit

# Mart -> its heading; shown as it is, the latest rows first.
MARTS = {
    "period_closes": "Closes",
    "reconciliation_monthly": "Reconciliation by month",
    "unmapped_invoice_lines": "Invoice lines without an owner",
}
ROWS = "select * from marts.{mart} limit 100"


def show(visit: Visit) -> Page:
    """What there is; an empty state that says what is missing otherwise."""
    tables = []
    for mart, heading in MARTS.items():
        if visit.marts.has(mart):
            rows = visit.marts.rows(ROWS.format(mart=mart))
            tables.append((heading, list(rows[0]) if rows else [], rows))
    filters = visit.filters
    return Page("finance.html", "Finance", {"tables": tables, "explore": filters.address("explore", by="provider")})
