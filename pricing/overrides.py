"""Price overrides: negotiated rates, self-hosted models and corrections that a team writes in `overrides/*.yml`.

Which price holds, in this order:

1. Outside its `from` (inclusive) and `to` (exclusive) an override says nothing: the catalogue price, or unknown, holds.
2. Within them an override replaces every price of the attempts it covers; nothing of the catalogue shows through. A
   leaf it does not name takes the rate of the nearest unit it names (reasoning: output); with none, it has no price.
3. An override covers a name exactly as reported, or the name an alias sends it to. One written for the reported name
   beats one written for the alias target.
4. Without `processing`, `service_tier` and `region` it covers all of them, batch included. One that gives more of the
   three beats one that gives fewer; at equal number `processing` beats `service_tier` beats `region`.
   No reported processing counts as `realtime`.
5. Two of equal scope may not overlap in time: that is an error which names both.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pricing.catalogue import resolve
from pricing.rows import EVERYWHERE, LISTED, PriceKey, Row, coalesce, intervals, per_unit, price_name, priced_columns
from pricing.suggestions import suggest
from pricing.units import LEAF_BY_NAME, REGISTRY, RESTATED, coverage

MILLION, THOUSAND = 1_000_000, 1_000
_ALL_UNITS = frozenset(REGISTRY.units) - RESTATED
TOKEN_UNITS = frozenset(unit for unit in _ALL_UNITS if REGISTRY.units[unit].dimensions["family"] == "tokens")
FEE_UNITS = _ALL_UNITS - TOKEN_UNITS
_LEAVES = {name: leaf.unit for name, leaf in LEAF_BY_NAME.items()}


class OverrideError(ValueError):
    """What is wrong with the override files: one sentence per line."""


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


def _names(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Instant = Annotated[datetime, BeforeValidator(_instant)]
Text = Annotated[str, Field(min_length=1, strict=True)]
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Prices = Annotated[dict[str, Money], Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, protected_namespaces=())


class TierOverride(_Entry):
    """Rates of requests whose total input is above a number of tokens; what it does not name keeps the base rate."""

    above_input_tokens: int = Field(ge=1)
    per_million_tokens: Prices


class PriceOverride(_Entry):
    """One entry under `prices:`."""

    provider: Text
    model: Annotated[list[Text], Field(min_length=1), BeforeValidator(_names)]
    processing: Text | None = None
    service_tier: Text | None = None
    region: Text | None = None
    starts_at: Instant = Field(alias="from")
    ends_at: Instant | None = Field(default=None, alias="to")
    source: Text
    approved_by: Text
    note: str | None = None
    free: bool = False
    per_million_tokens: Prices | None = None
    per_thousand: Prices | None = None
    tiers: tuple[TierOverride, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> "PriceOverride":
        if self.free == bool(self.per_million_tokens or self.per_thousand):
            raise ValueError("give either `free: true` or prices (`per_million_tokens`, `per_thousand`)")
        if self.tiers and not self.per_million_tokens:
            raise ValueError("`tiers` need `per_million_tokens` beside them: the rates up to the first tier")
        starts = [tier.above_input_tokens for tier in self.tiers]
        if starts != sorted(set(starts)):
            raise ValueError("`tiers` are not in rising order of `above_input_tokens`: sort them")
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError(f"`to` ({_day(self.ends_at)}) is not after `from` ({_day(self.starts_at)}): correct one")
        for prices in self.prices_by_tier().values():
            coverage(frozenset(prices))  # raises where two units overlap and what they share has no price
        return self

    @property
    def scope(self) -> tuple[str | None, str | None, str | None]:
        """What it is limited to; None covers everything."""
        return self.processing, self.service_tier, self.region

    def prices_by_tier(self) -> dict[int, dict[str, Decimal]]:
        """USD per unit by registry unit, for each number of input tokens from which they hold."""
        if self.free:
            return {0: dict.fromkeys(_ALL_UNITS, per_unit(Decimal(0), 1))}
        base = _by_unit(self.per_million_tokens, MILLION, TOKEN_UNITS, "per_million_tokens")
        base |= _by_unit(self.per_thousand, THOUSAND, FEE_UNITS, "per_thousand")
        above = {
            tier.above_input_tokens + 1: _by_unit(tier.per_million_tokens, MILLION, TOKEN_UNITS, "per_million_tokens")
            for tier in self.tiers
        }
        return {0: base} | {start: base | prices for start, prices in above.items()}


class Alias(_Entry):
    """One entry under `aliases:`: what a team reports, and the catalogue model it is."""

    provider: Text
    model: Text
    to_provider: Text
    to_model: Text
    source: Text
    approved_by: Text
    note: str | None = None


class _File(_Entry):
    prices: tuple[Any, ...] = ()
    aliases: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Overrides:
    """All entries of all files, each with its place (`pricing/overrides/acme.yml entry 2`) for messages and rows."""

    prices: tuple[tuple[str, PriceOverride], ...] = ()
    aliases: tuple[tuple[str, Alias], ...] = ()

    @property
    def content_hash(self) -> str:
        """Changes with what the entries say, not with comments or layout."""
        entries = [(place, entry.model_dump(mode="json")) for place, entry in (*self.prices, *self.aliases)]
        return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:12]

    def alias_of(self, key: PriceKey) -> Alias | None:
        """The alias for exactly this provider and model, if any."""
        return next((a for _, a in self.aliases if (a.provider, a.model) == (key.provider, key.model)), None)


NO_OVERRIDES = Overrides()


def load_overrides(folder: Path) -> Overrides:
    """Read and check every .yml file of a folder. Raises OverrideError with a sentence for each thing that is wrong."""
    prices: list[tuple[str, PriceOverride]] = []
    aliases: list[tuple[str, Alias]] = []
    errors: list[str] = []
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        name = "/".join((*path.parts[-3:-1], path.name))
        try:
            file = _File.model_validate(_read(path) or {})
        except (yaml.YAMLError, ValueError) as error:
            errors += [f"{name}: {sentence}" for sentence in _sentences(error, _File)]
            continue
        prices += _entries(f"{name} entry", PriceOverride, file.prices, errors)
        aliases += _entries(f"{name} alias", Alias, file.aliases, errors)
    errors += [*_overlaps(prices), *_alias_errors(aliases)]
    if errors:
        raise OverrideError("\n".join(errors))
    return Overrides(tuple(prices), tuple(aliases))


def override_rows(key: PriceKey, overrides: Overrides, base: list[Row]) -> list[Row]:
    """The rows of a key where overrides replace `base` for the time they hold; the same rows when none covers it."""
    covering = sorted(_covering(key, overrides), key=lambda found: found[0], reverse=True)
    if not covering:
        return base
    bounds = [bound for _, _, entry in covering for bound in (entry.starts_at, entry.ends_at) if bound is not None]
    rows = []
    for start, end in intervals(bounds, None, None):
        winner = next((found for found in covering if _holds(found[2], start, end)), None)
        if winner:
            rows += _rows_of(*winner[1:], start, end)
        else:
            rows += [clipped for row in base if (clipped := _clip(row, start, end))]
    return coalesce(rows)


def _covering(key: PriceKey, overrides: Overrides) -> Iterator[tuple[tuple, str, PriceOverride]]:
    alias = overrides.alias_of(key)
    target = (alias.to_provider, alias.to_model) if alias else None
    reported = (key.processing or "realtime", key.service_tier, key.region)
    for place, entry in overrides.prices:
        is_own = entry.provider == key.provider and key.model in entry.model
        is_target = target is not None and entry.provider == target[0] and target[1] in entry.model
        in_scope = all(want in (None, have) for want, have in zip(entry.scope, reported, strict=True))
        if in_scope and (is_own or is_target):
            given = tuple(part is not None for part in entry.scope)
            yield (is_own, sum(given), given), place, entry


def _holds(entry: PriceOverride, start: datetime | None, end: datetime | None) -> bool:
    has_begun = start is not None and entry.starts_at <= start
    return has_begun and (entry.ends_at is None or (end is not None and end <= entry.ends_at))


def _rows_of(place: str, entry: PriceOverride, start: datetime | None, end: datetime | None) -> list[Row]:
    tiers = entry.prices_by_tier()
    scope = zip(("processing", "service_tier", "region"), entry.scope, strict=True)
    variant = ", ".join(f"{name}={value}" for name, value in scope if value)
    return [
        {
            "price_provider_id": entry.provider,
            "price_model_id": entry.model[0],
            "resolution": "override",
            **LISTED,
            "approved_by": entry.approved_by,
            **EVERYWHERE,
            "valid_from": start,
            "valid_to": end,
            "input_tokens_from": tokens_from,
            "input_tokens_to": tokens_to,
            **priced_columns(tiers[tokens_from]),
            "variant": variant or None,
            "missing_variant": None,
            "source": place,
            "suggestions": None,
        }
        for tokens_from, tokens_to in intervals(list(tiers), 0, None)
    ]


def _clip(row: Row, start: datetime | None, end: datetime | None) -> Row | None:
    latest_start = max((bound for bound in (row["valid_from"], start) if bound is not None), default=None)
    earliest_end = min((bound for bound in (row["valid_to"], end) if bound is not None), default=None)
    if latest_start is not None and earliest_end is not None and latest_start >= earliest_end:
        return None
    return row | {"valid_from": latest_start, "valid_to": earliest_end}


def _by_unit(prices: dict[str, Decimal] | None, per: int, allowed: frozenset[str], field: str) -> dict[str, Decimal]:
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


# ---- files ----


class _Loader(yaml.SafeLoader):
    """YAML where a number keeps its digits and a key written twice is an error."""


def _decimal(loader: yaml.SafeLoader, node: yaml.Node) -> Decimal:
    text = loader.construct_scalar(node)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise yaml.constructor.ConstructorError(None, None, f"{text} is not a number", node.start_mark) from None


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict:
    seen: set = set()
    for key, _ in node.value:
        if key.value in seen:
            problem = f"`{key.value}` is written twice, the first would be lost: delete one"
            raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)


def _entries(place: str, kind: type[_Entry], raw: Sequence[Any], errors: list[str]) -> list[tuple[str, Any]]:
    entries = []
    for number, content in enumerate(raw, start=1):
        try:
            entries.append((f"{place} {number}", kind.model_validate(content)))
        except ValueError as error:
            errors += [f"{place} {number}: {sentence}" for sentence in _sentences(error, kind)]
    return entries


# ---- sentences ----


def _sentences(error: Exception, kind: type[_Entry]) -> list[str]:
    if isinstance(error, ValidationError):
        sentences = [_sentence(detail, kind) for detail in error.errors()]
        # a misspelt key is also a missing one: say it once
        meant = {
            f"`{sentence.split('`')[3]}` is missing"
            for sentence in sentences
            if sentence.startswith("unknown key") and "?" in sentence
        }
        return [sentence for sentence in sentences if not sentence.startswith(tuple(meant))]
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return [f"line {error.problem_mark.line + 1}: {error.problem}."]
    return [f"{str(error).rstrip('.')}."]


def _sentence(detail: Any, kind: type[_Entry]) -> str:
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
    names = [field.alias or name for name, field in kind.model_fields.items()]
    match detail["type"]:
        case "extra_forbidden":
            nearest = get_close_matches(where, names, n=1, cutoff=0.6)
            hint = f"did you mean `{nearest[0]}`?" if nearest else f"use one of {', '.join(names)}."
            return f"unknown key `{where}`: {hint}"
        case "missing":
            return f"`{where}` is missing: add it."
        case "value_error":
            problem = f"{detail['ctx']['error']}".rstrip(".")
            problem += "" if problem.endswith("?") else "."
            return f"`{where}`: {problem}" if where else problem
        case _:
            given = f" is {detail['input']}" if isinstance(detail["input"], str | int | Decimal) else ""
            return f"`{where or 'entry'}`{given}: {detail['msg'][0].lower()}{detail['msg'][1:].rstrip('.')}."


def _overlaps(prices: list[tuple[str, PriceOverride]]) -> Iterator[str]:
    """Two entries of equal scope that hold at one time leave open which price an attempt pays."""
    by_start = sorted(prices, key=lambda entry: entry[1].starts_at)
    for (first_place, first), (second_place, second) in combinations(by_start, 2):
        shared = sorted({*first.model} & {*second.model})
        if first.provider != second.provider or first.scope != second.scope or not shared:
            continue
        if first.ends_at is not None and first.ends_at <= second.starts_at:
            continue
        since = _day(second.starts_at)
        end_first = f"end the first with `to: {since}` or " if first.starts_at < second.starts_at else ""
        both, name = _both(first_place, second_place, prices), price_name(first.provider, shared[0], *first.scope)
        yield f"{both} both price {name} from {since}: {end_first}delete one."


def _both(first: str, second: str, prices: list[tuple[str, PriceOverride]]) -> str:
    order = [place for place, _ in prices]
    first, second = sorted((first, second), key=order.index)
    (file, _, one), (other_file, _, two) = (place.rpartition(" entry ") for place in (first, second))
    return f"{file}: entries {one} and {two}" if file == other_file else f"{first} and {second}"


def _alias_errors(aliases: list[tuple[str, Alias]]) -> Iterator[str]:
    for (first_place, first), (second_place, second) in combinations(aliases, 2):
        if (first.provider, first.model) == (second.provider, second.model):
            yield f"{first_place} and {second_place} both name {first.provider}/{first.model}: delete one."
    for place, alias in aliases:
        if resolve(alias.to_provider, alias.to_model) is None:
            nearest = suggest(alias.to_provider, alias.to_model, limit=1)
            hint = f"did you mean {nearest[0].provider}/{nearest[0].model}?" if nearest else "name a catalogue model."
            yield f"{place}: the catalogue has no {alias.to_provider}/{alias.to_model}: {hint}"


def _day(instant: datetime) -> str:
    return instant.date().isoformat() if instant.time() == datetime.min.time() else f"{instant.isoformat()}Z"
