"""Dated corrections of the catalogue that ship with us: `corrections/*.yml`, below a team's overrides, above the catalogue.

Three kinds. An **alias** says which model a name meant from an instant (inclusive) to another (exclusive): a moving name is
approximate where none says so. A **price** replaces the catalogue's prices of the units that it names, while it holds, for
calls that asked for the variants in `when`; with more of them it is the stronger. A **need** is a word of the price
context that the price depends on: a call that does not say it is priced by the catalogue, as one whose variant has no
price. Each has its source. A wrong fact is
worse than an approximate cost: what is not recorded with a date stays out.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pricing.override_entries import Entry, Instant, Prices, Text, TierOverride, as_list, holds, prices_by_tier

FOLDER = Path(__file__).parent / "corrections"


class Correction(Entry):
    """What both kinds have: the model, when it holds, and where that is documented."""

    provider: Text
    model: Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(as_list)]
    starts_at: Instant | None = Field(default=None, alias="from")
    ends_at: Instant | None = Field(default=None, alias="to")
    source: Text
    recorded_at: Instant

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "Correction":
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError(f"{self.model[0]}: `to` is not after `from`")
        return self


class MeantAlias(Correction):
    """`model` of `provider` meant `to_model` of `to_provider` while it holds."""

    to_provider: Text
    to_model: Text


class CorrectedPrice(Correction):
    """Prices of a catalogue model, named as the catalogue names it, for calls that asked for all of `when`."""

    when: Annotated[dict[Text, Text], AfterValidator(dict)] = Field(default_factory=dict)
    per_million_tokens: Prices | None = None
    per_thousand: Prices | None = None
    tiers: tuple[TierOverride, ...] = ()

    @property
    def pairs(self) -> set[str]:
        """The variants that it prices, as rows name them: `speed=fast`."""
        return {f"{name}={value}" for name, value in self.when.items()}

    def by_tier(self) -> dict[int, dict[str, Decimal]]:
        """USD per unit by registry unit, for each number of input tokens from which they hold."""
        return prices_by_tier(self.per_million_tokens, self.per_thousand, self.tiers)

    def prices_at(self, input_tokens: int) -> dict[str, Decimal]:
        """USD per unit by registry unit of a request with that much input."""
        tiers = self.by_tier()
        return tiers[max(start for start in tiers if start <= input_tokens)]


class NeededWord(Correction):
    """The price of a catalogue model depends on this name in the price context."""

    word: Text


class _File(Entry):
    aliases: tuple[MeantAlias, ...] = ()
    prices: tuple[CorrectedPrice, ...] = ()
    needs: tuple[NeededWord, ...] = ()


UNSTATED = "unknown"


AnyKind = TypeVar("AnyKind", bound=Correction)
Placed = tuple[str, AnyKind]  # a correction and its place


def meant_by(provider_id: str | None, name: str) -> list[Placed[MeantAlias]]:
    """The aliases of a name at a catalogue provider, in any case."""
    return _aliases().get((provider_id, name.lower()), [])


def corrected_prices(provider_id: str, model_id: str, context: Mapping[str, str]) -> list[Placed[CorrectedPrice]]:
    """The prices for calls of a catalogue model with these variants, the strongest last."""
    found = [(place, c) for place, c in _prices().get((provider_id, model_id), []) if c.when.items() <= context.items()]
    return sorted(found, key=lambda placed: len(placed[1].when))


def unstated(
    provider_id: str, model_id: str, context: Mapping[str, str], valid: tuple[datetime | None, datetime | None]
) -> list[str]:
    """What a call of a catalogue model did not send although its price depends on it: `search_context_size=unknown`."""
    return [
        f"{need.word}={UNSTATED}"
        for _, need in _of(NeededWord)
        if need.provider == provider_id and model_id in need.model and need.word not in context and holds(need, *valid)
    ]


def needed_bounds(provider_id: str, model_id: str) -> list[datetime]:
    """When a need of a catalogue model begins and ends."""
    return [
        bound
        for _, need in _of(NeededWord)
        if need.provider == provider_id and model_id in need.model
        for bound in (need.starts_at, need.ends_at)
        if bound is not None
    ]


def cited(placed: Placed[AnyKind]) -> str:
    """A correction by its place and its source, for rows and for people."""
    place, correction = placed
    return f"{place} ({correction.source})"


def content_hash() -> str:
    """Changes with any byte of the files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.yml")))).hexdigest()[:12]


@cache
def _aliases() -> dict[tuple[str | None, str], list[Placed[MeantAlias]]]:
    found: dict[tuple[str | None, str], list[Placed[MeantAlias]]] = {}
    for place, alias in _of(MeantAlias):
        for name in alias.model:
            found.setdefault((alias.provider, name.lower()), []).append((place, alias))
    return found


@cache
def _prices() -> dict[tuple[str, str], list[Placed[CorrectedPrice]]]:
    found: dict[tuple[str, str], list[Placed[CorrectedPrice]]] = {}
    for place, price in _of(CorrectedPrice):
        for model in price.model:
            found.setdefault((price.provider, model), []).append((place, price))
    return found


def _of(kind: type[AnyKind]) -> list[Placed[AnyKind]]:
    return [(place, correction) for place, correction in every_correction() if isinstance(correction, kind)]


@cache
def every_correction() -> tuple[Placed[Any], ...]:
    """All of them in the order of the files, each with its place."""
    found: list[Placed[Any]] = []
    for path in sorted(FOLDER.glob("*.yml")):
        file = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        for word, corrections in (("alias", file.aliases), ("price", file.prices), ("need", file.needs)):
            found += [(f"pricing/corrections/{path.name} {word} {n}", each) for n, each in enumerate(corrections, 1)]
    return tuple(found)
