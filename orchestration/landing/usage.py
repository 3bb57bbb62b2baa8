"""What an event says of its usage beyond plain counts: the object under `usage`, price words, a line to be read anew.

Few events have any of it. SQL finds these, and each of them comes here as text and leaves as text.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal

from orchestration.landing.fields import TOKENS, camel_case, snake_case
from orchestration.landing.privacy import hashed, is_id, json_text
from orchestration.landing.text import number_in, sound, tidy
from pricing.units import (
    COUNTS,
    LEAF_OF_COUNT,
    PARTS_OF_SUMS,
    REGISTRY,
    RESTATED,
    UNIT_OF_COUNT,
    Usage,
    leaves_from,
    other_from,
)

LARGEST_COUNT = 9_999_999_999_999  # 13 digits: DECIMAL(13,0) is what a count is priced as
LARGEST_OTHER = 999_999_999_999  # 12 digits: DECIMAL(15,3), since other units may have fractions
MOST_UNITS = 100
MOST_PRICE_WORDS, LONGEST_PRICE_WORD = 32, 256  # every combination is a price key of its own
LONGEST_UNIT = 100
APART = ("externalRequestId", "providerRequestId")  # ids of one call: two of them must never become one


def _text_counts() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Counts of text tokens under `usage` -> the field they are of, and the other kinds of tokens in that field."""
    dimensions = {camel_case(column): REGISTRY.units[unit].dimensions for column, unit in UNIT_OF_COUNT.items()}
    found = {}
    for text in sorted(RESTATED):
        without_kind = _without_modality(REGISTRY.units[text].dimensions)
        alike = [name for name, given in dimensions.items() if _without_modality(given) == without_kind]
        whole = [name for name in alike if "modality" not in dimensions[name]]
        if whole:
            found[text] = (whole[0], tuple(name for name in alike if name not in whole))
    return found


def _without_modality(dimensions: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in dimensions.items() if name != "modality"}


TEXT_COUNTS = _text_counts()


def context_json(text: str, hash_id: Callable[[str], str]) -> str:
    """priceContext as canonical JSON (lower case, keys sorted), '' when it is empty, '!' and the problem when refused."""
    context = json_object(text)
    if context is None or any(not isinstance(value, str | None) for value in context.values()):
        return "!priceContext is no object of strings"
    words = {tidy(key).lower(): tidy(value).lower() for key, value in context.items() if value is not None}
    words = {key: hashed(value, hash_id) if is_id(key) else value for key, value in words.items() if value}
    if len(words) > MOST_PRICE_WORDS or any(len(word) > LONGEST_PRICE_WORD for pair in words.items() for word in pair):
        return f"!priceContext has more than {MOST_PRICE_WORDS} words or one of over {LONGEST_PRICE_WORD} characters"
    return json_text(dict(sorted(words.items()))) if words else ""


def usage_json(text: str, has_secret: bool = False) -> str:
    """usage as JSON of unit -> number, '' when it is empty, '!' and the problem when it is refused."""
    if text.startswith("!"):
        return text  # what `reread` found
    usage = json_object(text)
    if usage is None:
        return "!usage is no object of numbers"
    if len(usage) > MOST_UNITS:
        return f"!usage has {len(usage)} units, more than {MOST_UNITS}"
    try:
        counts = {unit: _count(unit, value, has_secret) for unit, value in sorted(usage.items())}
    except ValueError as error:
        return f"!{error}"
    kept = {unit: count for unit, count in counts.items() if count is not None}
    return json_text(kept) if kept else ""


def _count(unit: str, value, has_secret: bool) -> int | float | None:
    if not unit.isprintable() or not 0 < len(unit) <= LONGEST_UNIT or '"' in unit or "\\" in unit:
        raise ValueError(f"usage has a unit whose name is empty, over {LONGEST_UNIT} characters or no plain text")
    if has_secret and is_id(unit):
        raise ValueError(f"usage.{unit} names a tenant, a user or a key, no unit")
    try:
        count = number_in(value)
    except ValueError:
        raise ValueError(f"usage.{unit[:40]} is no number") from None
    if count is None:
        return None
    if not 0 <= count <= LARGEST_OTHER:
        raise ValueError(f"usage.{unit[:40]} is {str(value)[:40]}, not between 0 and {LARGEST_OTHER}")
    if unit in OWN_FIELDS:
        raise ValueError(f"usage.{unit} has a field of its own: send {OWN_FIELDS[unit]}")
    if isinstance(count, float) and unit in TOKEN_UNITS:
        raise ValueError(f"usage.{unit} is {count}, and tokens are whole")
    return count


TOKEN_UNITS = frozenset(name for name, unit in REGISTRY.units.items() if unit.dimensions["family"] == "tokens")


def _own_fields() -> dict[str, str]:
    """Registry units that `usage` may not repeat -> the event fields that carry them: they would be priced twice."""
    own = {"total_tokens": "totalTokens", "requests": "nothing, it is counted"}
    own |= {unit: camel_case(column) for column, unit in UNIT_OF_COUNT.items()}
    for column, parts in PARTS_OF_SUMS.items():
        own[LEAF_OF_COUNT[column].unit] = " and ".join(map(camel_case, (column, *parts)))
    return own


OWN_FIELDS = _own_fields()


def disjoint_usage(usage: str, counts: str) -> str:
    """Units under `usage` without what narrower units of the event count, as JSON; '!!' and the problem when they exceed.

    `counts` is the event's own counts by column name, with its token convention.
    """
    other = {unit: round(count, 3) for unit, count in json.loads(usage, parse_float=Decimal).items()}
    reported = reported_usage(json.loads(counts), other)
    try:
        leaves_from(reported)
    except ValueError as error:
        return f"!!{error}"
    cells = other_from(reported)
    return (
        f"{{{','.join(f'{json.dumps(unit)}:{Decimal(count).normalize():f}' for unit, count in sorted(cells.items()))}}}"
        if cells
        else ""
    )


def reported_usage(counts: Mapping, other: Mapping) -> Usage:
    """The inclusive counts of an event, from its own by column name and their convention: sums and caches are made up for."""
    given = dict(counts)
    for column, parts in PARTS_OF_SUMS.items():
        known = [given[part] for part in parts if given[part] is not None]
        if given[column] is None and known:
            given[column] = sum(known)
    is_exclusive = given["token_convention"] == "exclusive"  # noqa: S105 - no secret
    if is_exclusive and given["input_tokens"] is not None:
        given["input_tokens"] += (given["cache_read_tokens"] or 0) + (given["cache_write_tokens"] or 0)
    return Usage(**{name: given[name] for name in COUNTS}, other=other)


def json_object(text: str) -> dict | None:
    """The object in a JSON text, of a repeated key the last, NaN as null; None when there is none."""
    try:
        value = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


def reread(line: str) -> str:
    """A line that SQL would not read as its sender meant it, written so that it does.

    Of a repeated key the last counts, as with every common JSON reader; halves of characters are replaced; NaN, which
    Python writes for a missing number, is null; a provider's own object under `usage.raw`, and counts of text tokens
    where there are no others, become the event's own counts. Where that fails `usage` is '!' and the problem.
    """
    event = json_object(line)
    if event is None:
        return line
    event = sound(event, APART)
    given = event.get("usage")
    usage = json_object(given) if isinstance(given, str) else given
    if isinstance(usage, dict):
        try:
            event |= {"usage": {name: value for name, value in usage.items() if value is not None}}
            event = _with_raw_usage(event) if "raw" in event["usage"] else event
            event |= _from_text_counts(event)
        except ValueError as error:
            event |= {"usage": f"!{error}"}
    return json_text(event)


def _with_raw_usage(event: dict) -> dict:
    """The event with the counts of `usage.raw` and the words there that select a price. Raises ValueError."""
    from pricing.usage import normalise

    usage = dict(event["usage"])
    raw, flavor = usage.pop("raw"), usage.pop("apiFlavor", None)
    raw = json_object(raw) if isinstance(raw, str) else raw
    found = normalise(str(event.get("provider") or ""), raw, flavor, str(event.get("model") or ""))
    counts = {name: _plain(count) for name in TOKENS if (count := getattr(found.usage, snake_case(name))) is not None}
    for name, count in counts.items():
        if _number(event, name) not in (None, count):
            raise ValueError(f"{name} is {str(event[name])[:20]}, but usage.raw says {count}: send one of them")
    other = {unit: _plain(count) for unit, count in found.usage.other.items()}
    event = {**event, **counts, "tokenConvention": "inclusive", "usage": {**other, **usage}}
    if found.service_tier and _is_blank(event.get("serviceTier")):
        event["serviceTier"] = found.service_tier
    if found.is_partial and _is_blank(event.get("usageSource")):
        event["usageSource"] = "provider_partial"
    words = event.get("priceContext")
    words = (json_object(words) if isinstance(words, str) else words) or {}
    if found.price_words and isinstance(words, dict):
        event["priceContext"] = {**found.price_words, **words}
    return event


def _plain(count: int | Decimal) -> int | float:
    return float(count) if isinstance(count, Decimal) else count


def _from_text_counts(event: dict) -> dict[str, int | float]:
    """Fields that counts of text tokens fill, because nothing else does. Raises ValueError where they contradict one."""
    filled: dict[str, int | float] = {}
    for unit, (name, others) in TEXT_COUNTS.items():
        text = _number(event["usage"], unit)
        if text is None:
            continue
        least = text + sum(_number(event, other) or 0 for other in others)
        given = _number(event, name)
        if given is None:
            other_side = {"inputTokens": "outputTokens", "outputTokens": "inputTokens"}.get(name)
            if other_side is None or _number(event, "totalTokens") is None or _number(event, other_side) is None:
                filled[name] = least
        elif least > given + _beside_input(event, name):
            raise ValueError(f"usage.{unit} is {text}, more than {name} has room for: send one of them")
    return filled


def _beside_input(event: dict, name: str) -> int | float:
    """Tokens that an exclusive input leaves out."""
    if name != "inputTokens" or str(event.get("tokenConvention")).strip().lower() != "exclusive":
        return 0
    return sum(_number(event, cache) or 0 for cache in ("cacheReadTokens", "cacheWriteTokens"))


def _number(values: dict, name: str) -> int | float | None:
    """A number of the event where it can be read; what cannot is refused by the rules of its field."""
    try:
        return number_in(values.get(name))
    except ValueError:
        return None


def _is_blank(value) -> bool:
    return value is None or (isinstance(value, str) and not tidy(value))
