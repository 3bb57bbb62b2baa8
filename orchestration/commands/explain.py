"""The arithmetic of one request, for a person to follow: `python -m orchestration.commands.explain <request id>`.

Reads the published marts and nothing else; what it prints is what was booked, line by line, and the lines sum to it.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
from rich.console import Group, RenderableType
from rich.table import Table

from orchestration.landing.text import tidy
from orchestration.plain import ArgumentError, Arguments, argument, plain_console, readable, visible, wrapped
from orchestration.settings import from_environment
from orchestration.warehouse import open_marts
from orchestration.wording import all_digits, count, many, second
from pricing.corrections import UNSTATED
from pricing.names import MOVING_NAME
from pricing.units import LEAVES

MILLION = 1_000_000
CENT_OF_MONEY = Decimal(1).scaleb(-12)  # costs are DECIMAL(38, 12)
WIDTH = 120
DAY = timedelta(days=1)

# Attempts and prices apart, and the days before: joined and sorted, 140 columns cost each page of the inbox 60 MB.
DAYS = "select min(event_date) as first, max(event_date) as last from fct_attempts where request_id = $request_id"
ATTEMPTS = "select * from fct_attempts where request_id = $request_id and event_date between $first and $last"
IN_ORDER = ("environment", "data_mode", "source", "try_number", "occurred_at")
PRICES = f"""
    select price_row_key, valid_from, valid_to, source as price_source, adjustments, approved_by, other_prices,
        {", ".join(leaf.price_column for leaf in LEAVES)}
    from price_book where list_contains($keys, price_row_key) order by valid_from nulls last
"""  # noqa: S608 (names of our columns)
NEAREST = """
    select request_id from fct_attempts
    where starts_with(request_id, $request_id) or starts_with($request_id, request_id)
    order by abs(length(request_id) - length($request_id)), request_id limit 1
"""
PRICE_COLUMNS = ("price_source", "adjustments", "approved_by", "other_prices", "valid_from", "valid_to")
NO_PRICE = dict.fromkeys((*PRICE_COLUMNS, *(leaf.price_column for leaf in LEAVES)))
Rows = list[dict[str, Any]]
Read = Callable[..., Rows]  # a query and its parameters by name


class UnknownRequestError(LookupError):
    """No published attempt has that request id."""


@dataclass(frozen=True)
class Line:
    """One product of the sum: what was used, how much of it, USD per unit and in all; None where that is unknown."""

    name: str
    quantity: Decimal
    price_usd: Decimal | None
    cost_usd: Decimal | None
    per: int

    @property
    def is_missing(self) -> bool:
        """Whether it was used and has no price."""
        return self.cost_usd is None


def explain(marts: duckdb.DuckDBPyConnection, request_id: str) -> str:
    """Each attempt of a request and its arithmetic, in every environment and data mode that has the id.

    Raises UnknownRequestError with a sentence, and the nearest id when one begins alike.
    """
    attempts = attempts_of(reading(marts), request_id)
    text = io.StringIO()
    console = plain_console(WIDTH, text)
    for part in _parts(attempts):
        console.print(part, soft_wrap=True)  # sentences are wrapped, and a row of the arithmetic is one line
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def reading(marts: duckdb.DuckDBPyConnection) -> Read:
    """What reads rows of the marts by a connection."""

    def rows(sql: str, **parameters: object) -> Rows:
        found = marts.execute(sql, parameters)
        columns = [column for column, *_ in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    return rows


def attempts_of(read: Read, request_id: str, day: date | None = None) -> Rows:
    """The attempts of a request with the price row that each was priced by; a day spares the search through all others.

    Raises UnknownRequestError.
    """
    days = {"first": day - DAY, "last": day + DAY} if day else read(DAYS, request_id=request_id)[0]
    attempts = read(ATTEMPTS, request_id=request_id, **days)
    if not attempts:
        nearest = read(NEAREST, request_id=request_id)
        hint = (
            f" Did you mean {nearest[0]['request_id']}?"
            if nearest
            else " Look for it in fct_requests, or in rejected_events."
        )
        raise UnknownRequestError(f"No published attempt has the request id {request_id}.{hint}")
    prices = read(PRICES, keys=[attempt["price_row_key"] for attempt in attempts])
    attempts.sort(key=lambda attempt: tuple(attempt[column] for column in IN_ORDER))
    return [attempt | _price_of(attempt, prices) for attempt in attempts]


def _price_of(attempt: dict[str, Any], prices: Rows) -> dict[str, Any]:
    """The price row of an attempt: the same row may be in the book more than once, for different dates."""
    for row in prices:
        is_its_own = row["price_row_key"] == attempt["price_row_key"]
        has_begun = row["valid_from"] is None or row["valid_from"] <= attempt["occurred_at"]
        if is_its_own and has_begun and (row["valid_to"] is None or attempt["occurred_at"] < row["valid_to"]):
            return row
    return NO_PRICE


def lines_of(attempt: dict[str, Any]) -> list[Line]:
    """The products that an attempt's cost is the sum of: its leaves, then its other units."""
    lines = [
        Line(leaf.name, Decimal(used), attempt[leaf.price_column], attempt[leaf.cost_column], _per(leaf.kind))
        for leaf in LEAVES
        if (used := attempt[leaf.quantity]) and not _is_free_of_charge(leaf.name, attempt)
    ]
    prices = {unit: Decimal(price) for unit, price in json.loads(attempt["other_prices"] or "{}").items()}
    for unit, used in json.loads(attempt["other_usage"] or "{}", parse_float=Decimal).items():
        if not (used := Decimal(used)):
            continue
        price = prices.get(unit)
        cost = None if price is None else (used * price).quantize(CENT_OF_MONEY, ROUND_HALF_UP)
        lines.append(Line(unit, used, price, cost, _per("tokens" if unit.endswith("_tokens") else "fee")))
    return lines


def _per(kind: str) -> int:
    return MILLION if kind == "tokens" else 1


def _is_free_of_charge(name: str, attempt: dict[str, Any]) -> bool:
    """Hardly any provider charges for the request itself: a line of 1 x 0 explains nothing."""
    return name == "billed_requests" and not attempt["billed_requests_price_usd"]


def _parts(attempts: Sequence[dict[str, Any]]) -> Iterator[RenderableType]:
    scopes: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for attempt in attempts:
        scope = (attempt["environment"], attempt["data_mode"], attempt["source"])
        scopes.setdefault(scope, []).append(attempt)
    for (environment, data_mode, source), tries in scopes.items():
        costs = [attempt["cost_usd"] for attempt in tries]
        known = [cost for cost in costs if cost is not None]
        total = f"{all_digits(sum(known))} USD" if known else "not known"
        left_out = len(costs) - len(known)
        understated = f", which leaves out {many(left_out, 'attempt')}" if known and left_out else ""
        yield visible(
            f"Request {tries[0]['request_id']} ({environment}, {data_mode}, {source}): {many(len(tries), 'attempt')}, "
            f"cost {total}{understated}"
        )
        for attempt in tries:
            sentences = (piece for text in sentences_of(attempt, len(tries)) for piece in wrapped(text, WIDTH))
            yield Group("", *sentences, *_arithmetic(attempt))
        yield ""


def sentences_of(attempt: dict[str, Any], tries: int) -> Iterator[str]:
    """What an attempt was, how it was priced, and what was reported; all but the first are indented."""
    error = f" ({attempt['error_code']})" if attempt["error_code"] else ""
    yield (
        f"Attempt {attempt['try_number']} of {tries}, {second(attempt['occurred_at'])} UTC, {attempt['status']}"
        f"{error}: {attempt['provider']}/{attempt['model']}"
    )
    if not attempt["is_last_try"]:
        yield "  It was retried: the cost of this attempt counts as retry cost."
    yield from (f"  {text}" for text in _how_it_was_priced(attempt))
    yield f"  {_reported(attempt)}"


def _how_it_was_priced(attempt: dict[str, Any]) -> Iterator[str]:
    if attempt["price_row_key"] and attempt["price_resolution"] != "unknown":
        tier, variant = attempt["price_tier_from_tokens"], attempt["price_variant"]
        applies = [f"variant {variant}"] if variant else ["standard rate"]
        applies += [f"tier from {count(tier)} input tokens"] if tier else []
        yield (
            f"Priced as {attempt['price_model_id']} ({', '.join(applies)}), {_dates(attempt)}; source {attempt['price_source']}"
            f"; price book version {attempt['price_book_version']}"
        )
        if attempt["approved_by"]:
            yield f"Approved by {attempt['approved_by']}"
        if attempt["adjustments"]:
            yield f"Adjusted: {attempt['adjustments']} (the prices below include it)"
    yield from (f"Approximate: {why}" for why in _what_is_approximate(attempt))
    if attempt["fallback_token_kinds"]:
        yield f"Without a rate of their own, priced at their parent's rate: {attempt['fallback_token_kinds']}."
    asked, served = attempt["requested_service_tier"], attempt["service_tier"]
    if asked and asked != served:
        yield f"Service tier {asked} was requested and {served or 'none named'} served: the one served is priced."
    if attempt["usage_source"] == "estimate":
        yield "The token counts are a tokenizer's estimate, not the provider's."


def _what_is_approximate(attempt: dict[str, Any]) -> Iterator[str]:
    asked = attempt["missing_variant"].split(", ") if attempt["missing_variant"] else []
    unstated = [pair.partition("=")[0] for pair in asked if pair.endswith(f"={UNSTATED}")]
    if lacking := [pair for pair in asked if not pair.endswith(f"={UNSTATED}")]:
        yield f"it requested {', '.join(lacking)}, which has no price of its own: the standard rate was applied."
    if unstated:
        yield f"its price depends on {', '.join(unstated)}, which was not reported: the catalogue's was used."
    reasons = attempt["approximate_reason"] or ""
    if MOVING_NAME in reasons:
        yield f"what {attempt['model']} meant at that time is not recorded, so it is priced as the model that it means today."
    if "partial_usage" in reasons:
        yield "the reported total is greater than its parts, and only the parts are priced."


def _dates(attempt: dict[str, Any]) -> str:
    since, until = (attempt[name] and f"{attempt[name]:%Y-%m-%d}" for name in ("valid_from", "valid_to"))
    return ("valid from " + since if since else "valid at any time") + (f" to {until}, exclusive" if until else "")


def _reported(attempt: dict[str, Any]) -> str:
    if attempt["pricing_status"] == "no_usage":
        return "No usage was reported for it, so its cost is not known and is not part of any total."
    parts = [
        f"{all_digits(attempt[name])} {text}"
        for name, text in (("cache_read_tokens", "read from cache"), ("cache_write_tokens", "written to cache"))
        if attempt[name]
    ]
    reasoning = f" (of it {all_digits(attempt['reasoning_tokens'])} reasoning)" if attempt["reasoning_tokens"] else ""
    of_input = f" (of it {' and '.join(parts)})" if parts else ""
    return (
        f"Reported: input {all_digits(attempt['input_tokens'])}{of_input}, "
        f"output {all_digits(attempt['output_tokens'])}{reasoning}; each token is counted in one line:"
    )


def _arithmetic(attempt: dict[str, Any]) -> Iterator[RenderableType]:
    lines = priced_lines_of(attempt)
    if lines:
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="")
        for column in ("used for", "quantity", "USD per", "", "USD"):
            table.add_column(column, justify="left" if column in ("used for", "") else "right", no_wrap=True)
        for line in lines:
            price = "no price" if line.price_usd is None else all_digits(line.price_usd * line.per)
            per = "per 1M" if line.per == MILLION else "each"
            table.add_row(visible(line.name), all_digits(line.quantity), price, per, all_digits(line.cost_usd))
        table.add_row("cost_usd", "", "", "", all_digits(attempt["cost_usd"]))
        yield table
    yield from (visible(f"  {text}") for text in remarks_of(attempt, lines))


def priced_lines_of(attempt: dict[str, Any]) -> list[Line]:
    """The lines of an attempt; none where no usage was reported."""
    return [] if attempt["pricing_status"] == "no_usage" else lines_of(attempt)


def remarks_of(attempt: dict[str, Any], lines: Sequence[Line]) -> Iterator[str]:
    """What the arithmetic leaves open: prices that are missing, and the sender's own figure."""
    if attempt["pricing_status"] == "unpriced":
        missing = ", ".join(line.name for line in lines if line.is_missing) or "the model"
        yield (
            f"Not priced: {attempt['provider']}/{attempt['model']} has no price for {missing}. Its row in unpriced_models has"
            " the exposure and the override to paste into prices/ of the team folder; docs/pricing.md says how."
        )
    if attempt["reported_cost_usd"] is not None:
        yield f"The sender's own figure is {all_digits(attempt['reported_cost_usd'])} USD: shown for comparison, never used."


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 with a sentence when the id is unknown or nothing is published."""
    parser = Arguments(prog="python -m orchestration.commands.explain", description="The arithmetic of one request.")
    parser.add_argument(
        "request_id", nargs="?", help="externalRequestId, as in fct_attempts.request_id (default: $REQUEST)"
    )
    example = "make explain REQUEST=<request id>, as in fct_attempts.request_id"
    chosen = parser.parse_args(arguments).request_id
    try:
        settings = from_environment()
        request_id = argument("REQUEST", example) if chosen is None else readable("REQUEST", chosen, example)
        if not settings.published_marts.exists():
            raise ArgumentError(f"Nothing is published yet under {settings.published}: `make run` does that.")
        with open_marts(settings) as marts:
            sys.stdout.write(f"{explain(marts, tidy(request_id))}\n")
    except (ValueError, UnknownRequestError) as problem:  # ArgumentError, or a setting that cannot be read
        sys.stderr.write(f"{visible(problem)}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
