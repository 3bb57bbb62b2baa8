"""What a team may write in `prices/*.yml`: one class per kind of entry, and what makes one inconsistent."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pricing.rows import PriceKey, one_spelling, per_unit
from pricing.units import LEAF_BY_NAME, REGISTRY, RESTATED, coverage

MILLION, THOUSAND = 1_000_000, 1_000
HIGHEST_FACTOR = 100
RATES = ("per_million_tokens", "per_thousand")
VARIANT_KEYS = ("processing", "service_tier", "region")
KINDS = ("free", *RATES, "discount_factor", "uplift_factor")
_ALL_UNITS = frozenset(REGISTRY.units) - RESTATED
TOKEN_UNITS = frozenset(unit for unit in _ALL_UNITS if REGISTRY.units[unit].dimensions["family"] == "tokens")
FEE_UNITS = _ALL_UNITS - TOKEN_UNITS
_LEAVES = {name: leaf.unit for name, leaf in LEAF_BY_NAME.items()}


def _instant(value: Any) -> Any:
    """A date means its midnight; an offset is honoured, none means UTC. Kept without zone, as price rows are."""
    try:
        value = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        value = None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime.combine(value, datetime.min.time())
    raise ValueError("give a date (2026-03-01) or a time in UTC (2026-03-01T12:00:00Z)")


def as_list(value: Any) -> Any:
    """One name as a list of one."""
    return [value] if isinstance(value, str) else value


def _discount(factor: Decimal) -> Decimal:
    if not 0 < factor <= 1:
        raise ValueError(
            f"{factor:f} is not a discount: 15 % off is 0.85, so it lies above 0 and up to 1; "
            "no charge at all is `free: true`, a higher price is `uplift_factor`"
        )
    return factor


def _uplift(factor: Decimal) -> Decimal:
    if not 1 <= factor <= HIGHEST_FACTOR:
        raise ValueError(
            f"{factor:f} is not an uplift: 10 % more is 1.1, so it lies from 1 to {HIGHEST_FACTOR}; "
            "a lower price is `discount_factor`"
        )
    return factor


Instant = Annotated[datetime, BeforeValidator(_instant)]
Text = Annotated[str, Field(min_length=1, strict=True)]
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Prices = Annotated[dict[str, Money], Field(min_length=1)]
Factor = Annotated[Decimal, Field(allow_inf_nan=False)]


class Entry(BaseModel):
    """What every entry has in common: no unknown key, and none without a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _says_something(cls, content: Any) -> Any:
        # `tenant:` without a value would be a price for everybody
        blank = [name for name, value in content.items() if value is None] if isinstance(content, Mapping) else []
        if blank:
            raise ValueError(f"`{blank[0]}` is blank: write a value or delete the line")
        return content


class TierOverride(Entry):
    """Rates of requests whose total input is above a number of tokens; what it does not name keeps the base rate."""

    above_input_tokens: int = Field(ge=1)
    per_million_tokens: Prices


class PriceOverride(Entry):
    """One entry under `prices:`."""

    provider: Text
    model: Annotated[list[Text] | None, Field(min_length=1), BeforeValidator(as_list)] = None
    processing: Text | None = None
    service_tier: Text | None = None
    region: Text | None = None
    price_context: Annotated[dict[Text, Text] | None, Field(min_length=1)] = None
    tenant: Text | None = None
    starts_at: Instant = Field(alias="from")
    ends_at: Instant | None = Field(default=None, alias="to")
    source: Text
    approved_by: Text
    recorded_at: Instant
    note: str | None = None
    free: bool = False
    per_million_tokens: Prices | None = None
    per_thousand: Prices | None = None
    tiers: tuple[TierOverride, ...] = ()
    is_list_price: bool = False
    discount_factor: Annotated[Factor, AfterValidator(_discount)] | None = None
    uplift_factor: Annotated[Factor, AfterValidator(_uplift)] | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> "PriceOverride":
        given = [f"`{name}`" for name in KINDS if getattr(self, name) not in (None, False)]
        if len(given) != 1 and set(given) != {f"`{name}`" for name in RATES}:
            raise ValueError(
                "give exactly one of `free: true`, rates (`per_million_tokens`, `per_thousand`), `discount_factor` "
                f"and `uplift_factor`: this entry gives {' and '.join(given) or 'none'}"
            )
        if self.kind == "price" and self.model is None:
            raise ValueError("`model` is missing: only a factor may be for all models of a provider")
        if own := sorted({*(self.price_context or ())} & {*VARIANT_KEYS}):
            raise ValueError(f"`price_context` has `{own[0]}`, which is a key of its own: move it up")
        if self.tiers and not self.per_million_tokens:
            raise ValueError("`tiers` need `per_million_tokens` in the same entry: the rates up to the first tier")
        if self.is_list_price and (self.kind != "price" or self.free):
            raise ValueError(
                "`is_list_price` says that discounts apply to the rates of an entry, and this one has none: delete it here"
            )
        starts = [tier.above_input_tokens for tier in self.tiers]
        if starts != sorted(set(starts)):
            raise ValueError("`tiers` are not in rising order of `above_input_tokens`: sort them")
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError(
                f"`to` ({day_of(self.ends_at)}) is not after `from` ({day_of(self.starts_at)}): correct one"
            )
        if self.kind == "price":
            for prices in self.prices_by_tier().values():
                coverage(frozenset(prices))  # raises where two units overlap and what they share has no price
        return self

    @property
    def kind(self) -> str:
        """What it does: 'price' replaces prices, 'discount' and 'uplift' multiply them."""
        if self.discount_factor is not None:
            return "discount"
        return "uplift" if self.uplift_factor is not None else "price"

    @property
    def variant(self) -> dict[str, str]:
        """The variants it is limited to, by the name that the catalogue calls them; `Flex` and `flex` are one tier."""
        parts = {name: getattr(self, name) for name in VARIANT_KEYS} | (self.price_context or {})
        return one_spelling({name: value for name, value in parts.items() if value})

    @property
    def scope(self) -> tuple[str | None, tuple[tuple[str, str], ...]]:
        """What it is limited to besides provider and model; entries of one scope cover the same attempts."""
        return self.tenant, tuple(sorted(self.variant.items()))

    def prices_by_tier(self) -> dict[int, dict[str, Decimal]]:
        """USD per unit by registry unit, for each number of input tokens from which they hold."""
        if self.free:
            return {0: dict.fromkeys(_ALL_UNITS, per_unit(Decimal(0), 1))}
        return prices_by_tier(self.per_million_tokens, self.per_thousand, self.tiers)


class Alias(Entry):
    """One entry under `aliases:`: what a team reports, and the catalogue model it is; always, or while it holds."""

    provider: Text
    model: Text
    to_provider: Text
    to_model: Text
    starts_at: Instant | None = Field(default=None, alias="from")
    ends_at: Instant | None = Field(default=None, alias="to")
    source: Text
    approved_by: Text
    recorded_at: Instant | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "Alias":
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError(
                f"`to` ({day_of(self.ends_at)}) is not after `from` ({day_of(self.starts_at)}): correct one"
            )
        return self


@dataclass(frozen=True)
class Overrides:
    """All entries of all files, each with its place (`prices/acme.yml entry 2`) for messages and rows."""

    prices: tuple[tuple[str, PriceOverride], ...] = ()
    aliases: tuple[tuple[str, Alias], ...] = ()

    @property
    def content_hash(self) -> str:
        """Changes with what the entries say, not with comments or layout."""
        entries = [
            (place, entry.model_dump(mode="json", exclude=_undated(entry)))
            for place, entry in (*self.prices, *self.aliases)
        ]
        return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:12]

    def aliases_of(self, key: PriceKey) -> list[Alias]:
        """The aliases for exactly this provider and model; no two of them hold at one time."""
        return [a for _, a in self.aliases if (a.provider, a.model) == (key.provider, key.model)]


NO_OVERRIDES = Overrides()


def _undated(entry: Entry) -> set[str]:
    """An alias without dates reads as it did before aliases had dates."""
    return {name for name in ("starts_at", "ends_at") if isinstance(entry, Alias) and getattr(entry, name) is None}


def prices_by_tier(
    per_million_tokens: Mapping[str, Decimal] | None,
    per_thousand: Mapping[str, Decimal] | None,
    tiers: Iterable[TierOverride],
) -> dict[int, dict[str, Decimal]]:
    """USD per unit by registry unit, for each number of input tokens from which they hold. Raises ValueError."""
    base = _by_unit(per_million_tokens, MILLION, TOKEN_UNITS, "per_million_tokens")
    base |= _by_unit(per_thousand, THOUSAND, FEE_UNITS, "per_thousand")
    above = {
        tier.above_input_tokens + 1: _by_unit(tier.per_million_tokens, MILLION, TOKEN_UNITS, "per_million_tokens")
        for tier in tiers
    }
    return {0: base} | {start: base | prices for start, prices in above.items()}


def _by_unit(prices: Mapping[str, Decimal] | None, per: int, allowed: frozenset[str], field: str) -> dict[str, Decimal]:
    """USD per unit by registry unit, from prices by unit or leaf name. Raises ValueError for a name that is neither."""
    found: dict[str, Decimal] = {}
    for name, price in (prices or {}).items():
        unit = _LEAVES.get(name, name)
        if unit not in allowed:
            raise ValueError(f"`{field}` has no unit `{name}`{_did_you_mean(name, allowed, field)}")
        if unit in found:
            raise ValueError(f"`{field}` prices {unit} twice, once as `{name}`: delete one")
        found[unit] = per_unit(price, per)
    return found


def _did_you_mean(name: str, allowed: frozenset[str], field: str) -> str:
    elsewhere = "per_thousand" if field == "per_million_tokens" else "per_million_tokens"
    if name in _LEAVES or name in _ALL_UNITS:
        return f": move it under `{elsewhere}`"
    known = sorted({*allowed, *(leaf for leaf, unit in _LEAVES.items() if unit in allowed)})
    nearest = get_close_matches(name, known, n=1, cutoff=0.4)
    return f": did you mean `{nearest[0]}`?" if nearest else f": use one of {', '.join(known)}"


def holds(entry: Any, start: datetime | None, end: datetime | None) -> bool:
    """Whether an entry with `starts_at` and `ends_at` holds for all of a stretch that none of its instants divides."""
    has_begun = entry.starts_at is None or (start is not None and entry.starts_at <= start)
    return has_begun and (entry.ends_at is None or (end is not None and end <= entry.ends_at))


def day_of(instant: datetime) -> str:
    """An instant as the files write it: a midnight by its date."""
    return instant.date().isoformat() if instant.time() == datetime.min.time() else f"{instant.isoformat()}Z"
