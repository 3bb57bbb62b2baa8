"""One request: each attempt with the products that its cost is the sum of, in the words of `make explain`."""

from inbox import words
from inbox.filters import LONGEST, BadAddressError, day_of
from inbox.marts import Row
from inbox.page import NotFoundError, Page, Visit

NEAREST = """
    select request_id, event_date from fct_requests where starts_with(request_id, $id) or starts_with($id, request_id)
    order by abs(length(request_id) - length($id)), request_id limit 5
"""


def show(visit: Visit) -> Page:
    """The page of the request that the address names."""
    from orchestration.commands import explain  # here, because it brings the price catalogue with it

    wanted = visit.words.get("id", "").strip()
    if not wanted:
        raise BadAddressError(f"id is missing: write the id of a request, of at most {LONGEST:,} characters.")
    day = day_of("day", visit.words["day"]) if "day" in visit.words else None
    try:
        attempts = explain.attempts_of(visit.marts.rows, wanted, day)
    except explain.UnknownRequestError:
        near = visit.marts.rows(NEAREST, id=wanted)
        links = [
            (row["request_id"], visit.filters.address("request", id=row["request_id"], day=row["event_date"]))
            for row in near
        ]
        where = f" around {day}" if day else ""
        raise NotFoundError(
            "No such request",
            f"No published attempt{where} has the request id {words.name(wanted)}. It may have been rejected, or not be loaded yet.",
            links,
        ) from None
    return Page(
        "request.html",
        f"Request {words.name(wanted)}",
        {
            "id": wanted,
            "attempts": [_attempt(row, len(attempts)) for row in attempts],
            "cost_usd": sum(known)
            if (known := [row["cost_usd"] for row in attempts if row["cost_usd"] is not None])
            else None,
            "left_out": sum(row["cost_usd"] is None for row in attempts),
            "requests": visit.filters.address("requests"),
        },
    )


def _attempt(row: Row, attempts: int) -> Row:
    from orchestration.commands import explain

    lines = explain.priced_lines_of(row)
    first, *others = explain.sentences_of(row, attempts)
    return {
        "row": row,
        "headline": first,
        "sentences": [text.strip() for text in others],
        "lines": lines,
        "million": explain.MILLION,
        "remarks": list(explain.remarks_of(row, lines)),
    }
