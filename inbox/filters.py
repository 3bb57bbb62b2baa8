"""What a page is about, as its address says it: one grammar, read here, and the only maker of links.

`/alert?from=2026-11-21&to=2026-11-22&environment=prod&data_mode=real&endpoint=support.draft&alert=...`: `to` is exclusive, an absent
environment is prod, an absent data mode real, `*` is all and a comma separates several; any other word that is absent means any.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

# Word of the address -> column of the marts.
DIMENSIONS = {
    "endpoint": "endpoint_tag",
    "prompt_version": "prompt_version",
    "feature": "feature_tag",
    "tenant": "tenant_id",
    "user": "user_id",
    "provider": "provider",
    "model": "model",
}
DATES = {
    "from": "from_date",
    "to": "to_date",
    "baseline_from": "baseline_from",
    "baseline_to": "baseline_to",
}
WORDS = (*DATES, "environment", "data_mode", *DIMENSIONS, "alert")
# What single pages know besides, in the order in which an address has them.
PAGE_WORDS = (
    "by",
    "compare",
    "error",
    "id",
    "day",
    "budget",
    "incident",
    "month",
    "vendor",
    "account",
    "cell",
    "week",
    "status",
    "q",
    "sort",
    "table",
    "format",
)
LONGEST = 1_024  # characters of a value: no label of a call is longer
EVERYTHING = "*"
EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)  # no model was called outside of these
NO_MEMBER = "(unattributed)"


class BadAddressError(ValueError):
    """A value of an address that no page can read; the message says which and what to write."""


@dataclass(frozen=True)
class Filters:
    """The filters that travel with every link."""

    from_date: date | None = None
    to_date: date | None = None
    baseline_from: date | None = None
    baseline_to: date | None = None
    environment: str = "prod"
    data_mode: str = "real"
    endpoint: str | None = None
    prompt_version: str | None = None
    feature: str | None = None
    tenant: str | None = None
    user: str | None = None
    provider: str | None = None
    model: str | None = None
    alert: str | None = None

    def address(self, page: str, **changes: object) -> str:
        """The address of a page with these filters, changed: words of the grammar, or those of that page. None leaves one out."""
        of_filters: dict[str, Any] = {_field(word): value for word, value in changes.items() if _field(word) in FIELDS}
        filters = replace(self, **of_filters)
        values = {word: getattr(filters, _field(word)) for word in WORDS}
        values |= {word: value for word, value in changes.items() if _field(word) not in FIELDS}
        unknown = values.keys() - {*WORDS, *PAGE_WORDS}
        if unknown:
            raise TypeError(f"no word of an address: {', '.join(sorted(unknown))}")
        given = ((word, values.get(word)) for word in (*WORDS, *PAGE_WORDS))
        query = "&".join(f"{word}={quote(str(value), safe='')}" for word, value in given if value not in (None, ""))
        return f"/{page}?{query}"

    def hidden(self, *without: str, **changes: object) -> list[tuple[str, str]]:
        """The same filters as the hidden fields of a form, without those that it asks for."""
        address = self.address("", **{**dict.fromkeys(without), **changes})
        return [(word, value) for word, value in parse_qsl(address.partition("?")[2]) if word not in without]

    @property
    def members(self) -> dict[str, str]:
        """The dimensions that are narrowed to one member, by their words."""
        return {word: value for word in DIMENSIONS if (value := getattr(self, word)) is not None}

    def about(self, members: Mapping[str, str | None]) -> "Filters":
        """The same, about these members of dimensions and no others."""
        named: dict[str, Any] = {word: members.get(word) for word in DIMENSIONS}
        return replace(self, **named)

    @property
    def travelling(self) -> "Filters":
        """What goes along to another subject: dates, environment and data mode."""
        return replace(self.about({}), alert=None)

    def of_scope(self, prefix: str = "") -> tuple[str, dict[str, object]]:
        """A condition on environment and data mode, and its parameters."""
        conditions: list[str] = []
        parameters: dict[str, object] = {}
        for column, text in (("environment", self.environment), ("data_mode", self.data_mode)):
            if text != EVERYTHING:
                values = {f"{column}_{number}": value for number, value in enumerate(text.split(","))}
                conditions.append(f"{prefix}{column} in ({', '.join(f'${name}' for name in values)})")
                parameters |= values
        return " and ".join(conditions) or "true", parameters

    def of_members(self, prefix: str = "", without: str = "") -> tuple[str, dict[str, object]]:
        """A condition on the members that are named, and its parameters; that of one dimension can be left out."""
        members = {word: value for word, value in self.members.items() if word != without}
        conditions = [f"{prefix}{DIMENSIONS[word]} = ${word}" for word in members]
        return " and ".join(conditions) or "true", dict(members)


FIELDS = {item.name for item in fields(Filters)}


def _field(word: str) -> str:
    return DATES.get(word, word)


def parsed(query: str) -> tuple[Filters, dict[str, str]]:
    """The filters of a query string, and the words of single pages; other words are ignored.

    Raises BadAddressError with a sentence.
    """
    given = dict(parse_qsl(query, keep_blank_values=False, errors="replace", max_num_fields=None))
    values: dict[str, Any] = {}
    for word, text in given.items():
        if word not in WORDS and word not in PAGE_WORDS:
            continue
        if len(text) > LONGEST:
            raise BadAddressError(f"{word} has {len(text):,} characters, and no name is longer than {LONGEST:,}.")
        if word in WORDS:
            values[_field(word)] = day_of(word, text) if word in DATES else text
    filters = Filters(**values)
    _check_order(filters.from_date, filters.to_date, "from", "to")
    _check_order(filters.baseline_from, filters.baseline_to, "baseline_from", "baseline_to")
    return filters, {word: text for word, text in given.items() if word in PAGE_WORDS}


def day_of(word: str, text: str) -> date:
    """A date of an address. Raises BadAddressError."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or len(text) != len("2026-11-21"):
        raise BadAddressError(f"{word} is {text!r}, which is not a date such as 2026-11-21.")
    if not EARLIEST <= day <= LATEST:
        raise BadAddressError(f"{word} is {day}: no call is from before {EARLIEST} or after {LATEST}.")
    return day


def _check_order(start: date | None, end: date | None, first: str, last: str) -> None:
    if start and end and start >= end:
        raise BadAddressError(
            f"{first} is {start} and {last} is {end}: {last} is the first day after the period, so it must be later."
        )


def days_between(start: date | None, end: date | None) -> list[date]:
    """Each day from the first until before the second."""
    if start is None or end is None:
        return []
    return [start + timedelta(days=number) for number in range((end - start).days)]


def among(days: Iterable[date]) -> str:
    """A condition: these days. They are a range or literals, so that a scan reads only their blocks, and a range costs least."""
    listed = sorted(set(days))
    if listed and (listed[-1] - listed[0]).days == len(listed) - 1:
        return f"event_date between date '{listed[0]:%Y-%m-%d}' and date '{listed[-1]:%Y-%m-%d}'"
    return f"event_date in ({literals(listed)})"


def literals(days: Iterable[date]) -> str:
    """Dates as a list of literals: a scan then reads only the blocks of these days. They are dates, so nothing else can be in them."""
    return ", ".join(f"date '{day:%Y-%m-%d}'" for day in sorted(set(days))) or "null"
