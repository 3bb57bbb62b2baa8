"""Units: the disjoint leaves a request is priced in, and which priced unit covers which leaf.

The unit registry of genai-prices describes every unit by its dimensions (`{family: tokens, direction: input}`); one
unit contains another when its dimensions are a subset of the other's. Senders report inclusive counts (input includes
cache reads), so the same token is counted in several units; a leaf count is what is left of a unit when its own parts are
taken out, and every token is in exactly one leaf or in one `other` unit.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import cache

from genai_prices.data_units import unit_data
from genai_prices.units import UnitRegistry

REGISTRY = UnitRegistry(unit_data)

Count = int | Decimal


@dataclass(frozen=True)
class Leaf:
    """One priced column: `unit` is its name in the registry, `kind` is 'tokens' or 'fee'."""

    name: str
    unit: str
    kind: str = "tokens"

    @property
    def dimensions(self) -> Mapping[str, str]:
        """The cell of the catalogue's registry that this leaf is."""
        return REGISTRY.units[self.unit].dimensions

    @property
    def quantity(self) -> str:
        """The fact's column with the disjoint count."""
        return self.name if self.kind == "fee" else f"{self.name}_tokens"

    @property
    def price_column(self) -> str:
        """USD per unit, in the price book."""
        return f"{self.name}_price_usd"

    @property
    def cost_column(self) -> str:
        """USD, on the fact."""
        return f"{self.name}_cost_usd"

    @property
    def parts(self) -> tuple[str, ...]:
        """Other units that are parts of this leaf's unit: what is counted there is not counted here."""
        elsewhere = "cache_write_1h_tokens" if self.name == "cache_write_5m" else None  # writes are both kinds
        return tuple(
            unit
            for unit in OTHER_UNITS
            if unit not in RESTATED and OWN_UNITS[self.name] & _ancestors(unit) and elsewhere not in _ancestors(unit)
        )


# The order is the order of columns everywhere.
LEAVES = (
    Leaf("uncached_input", "input_tokens"),
    Leaf("cached_input", "cache_read_tokens"),
    Leaf("cache_write_5m", "cache_write_5m_tokens"),
    Leaf("cache_write_1h", "cache_write_1h_tokens"),
    Leaf("uncached_audio", "input_audio_tokens"),
    Leaf("cached_audio", "cache_audio_read_tokens"),
    Leaf("uncached_image", "input_image_tokens"),
    Leaf("cached_image", "cache_image_read_tokens"),
    Leaf("input_video", "input_video_tokens"),
    Leaf("text_output", "output_tokens"),
    Leaf("reasoning", "output_reasoning_tokens"),
    Leaf("output_audio", "output_audio_tokens"),
    Leaf("output_image", "output_image_tokens"),
    Leaf("output_video", "output_video_tokens"),
    Leaf("web_searches", "web_searches", "fee"),
    Leaf("billed_requests", "requests", "fee"),
)
LEAF_BY_NAME = {leaf.name: leaf for leaf in LEAVES}

# Writes with the default time to live are simply "cache writes" in every price list: priced there, they are at home.
OWN_UNITS = {leaf.name: {leaf.unit} for leaf in LEAVES} | {
    "cache_write_5m": {"cache_write_5m_tokens", "cache_write_tokens"}
}

# Inclusive sums are reported, but no token is left in them that is not in a leaf.
SUMS = frozenset({"cache_write_tokens"})

# Text is what remains of input and output when the other modalities are taken out, so text tokens repeat a leaf.
RESTATED = frozenset(
    name
    for name, unit in REGISTRY.units.items()
    if unit.dimensions.get("modality") == "text" and unit.dimensions["family"] == "tokens"
)

# Every other unit of the registry arrives under `usage` by its name.
OTHER_UNITS = tuple(name for name in REGISTRY.units if name not in SUMS | {leaf.unit for leaf in LEAVES})


@dataclass(frozen=True)
class Usage:
    """Inclusive counts of one attempt, named as the raw columns; None is "not reported", which is not 0.

    `other` holds counts of `OTHER_UNITS` by registry name.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    cache_audio_read_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    cache_image_read_tokens: int | None = None
    output_image_tokens: int | None = None
    input_video_tokens: int | None = None
    output_video_tokens: int | None = None
    web_searches: int | None = None
    other: Mapping[str, Count] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether anything at all was reported."""
        return bool(self.other) or any(getattr(self, name) is not None for name in COUNTS)

    @property
    def total_input_tokens(self) -> int | None:
        """Input including caches; from the total where the sender gave that and the output only."""
        return _side(self.input_tokens, self.total_tokens, self.output_tokens)

    @property
    def total_output_tokens(self) -> int | None:
        """Output including reasoning; from the total where the sender gave that and the input only.

        A total that is more than input and output by exactly the reasoning has it next to the output (xAI).
        """
        total, given, output, reasoning = (
            self.total_tokens,
            self.input_tokens,
            self.output_tokens,
            self.reasoning_tokens,
        )
        if total is None or given is None or output is None or reasoning is None:
            return _side(output, total, given)
        return output + (reasoning if total - given - output == reasoning else 0)


COUNTS = tuple(item.name for item in fields(Usage) if item.name != "other")
UNIT_OF_COUNT = {name: name for name in COUNTS if name != "total_tokens"} | {
    "reasoning_tokens": "output_reasoning_tokens"
}


def most_specific(cell: Mapping[str, str], priced: Iterable[str]) -> str | None:
    """Name of the narrowest unit of `priced` that contains `cell`, or None.

    Raises ValueError when two units contain it and neither contains the other: whoever wrote the prices must price
    what they share.
    """
    containing = [unit for unit in priced if REGISTRY.units[unit].dimensions.items() <= cell.items()]
    if not containing:
        return None
    narrowest = max(containing, key=lambda unit: (len(REGISTRY.units[unit].dimensions), unit))
    stranger = next((unit for unit in containing if unit != narrowest and unit not in _ancestors(narrowest)), None)
    if stranger:
        shared = REGISTRY.find_join(REGISTRY.units[narrowest], REGISTRY.units[stranger])
        raise ValueError(
            f"{stranger} and {narrowest} are both priced and overlap: "
            f"price {shared.usage_key if shared else 'what they share'} too, because such a token is both."
        )
    return narrowest


@cache
def coverage(priced: frozenset[str]) -> tuple[dict[str, str | None], dict[str, str], tuple[str, ...]]:
    """For a set of priced units: the one that prices each leaf, the one that prices each other unit, and the fallbacks.

    A fallback is a leaf at the rate of a more general unit (reasoning at the output rate).
    """
    leaves = {leaf.name: most_specific(leaf.dimensions, priced) for leaf in LEAVES}
    others = {name: most_specific(REGISTRY.units[name].dimensions, priced) for name in OTHER_UNITS}
    fallbacks = tuple(name for name, unit in leaves.items() if unit is not None and unit not in OWN_UNITS[name])
    return leaves, {name: unit for name, unit in others.items() if unit is not None}, fallbacks


def leaves_from(usage: Usage) -> dict[str, Count | None]:
    """Disjoint leaf counts of an attempt, by leaf name, in the order of `LEAVES`.

    None: not known. A remainder (`uncached_input`, `text_output`) is unknown when its total is; every other leaf that
    nobody reported is 0, unless nothing was reported at all. Raises ValueError when parts exceed their total.
    """
    cells = _cells(usage)
    default = 0 if usage.is_known else None
    counts: dict[str, Count | None] = {leaf.name: cells.get(leaf.unit, default) for leaf in LEAVES}
    counts["uncached_input"], counts["text_output"] = cells.get("input_tokens"), cells.get("output_tokens")
    counts["cache_write_5m"] = cells.get("cache_write_tokens", default)
    counts["billed_requests"] = 1 if usage.is_known else None
    return counts


def other_from(usage: Usage) -> dict[str, Count]:
    """Disjoint counts of the other units, by registry name; a unit the registry does not know is kept as it came."""
    cells = _cells(usage)
    return {name: cells.get(name, count) for name, count in usage.other.items() if name not in _NOT_COUNTED}


_NOT_COUNTED = RESTATED | SUMS | {leaf.unit for leaf in LEAVES}


def _cells(usage: Usage) -> dict[str, Count]:
    """What is left of each reported unit when its reported parts are taken out, the narrowest units first."""
    counts = {unit: getattr(usage, name) for name, unit in UNIT_OF_COUNT.items()}
    counts |= {"input_tokens": usage.total_input_tokens, "output_tokens": usage.total_output_tokens}
    counts |= {
        name: count for name, count in usage.other.items() if name in REGISTRY.units and name not in _NOT_COUNTED
    }
    reported = [unit for unit, count in counts.items() if count is not None]
    cells: dict[str, Count] = {}
    for unit in sorted(reported, key=lambda unit: -len(REGISTRY.units[unit].dimensions)):
        parts = [part for part in cells if unit in _ancestors(part)]
        cells[unit] = counts[unit] - sum(cells[part] for part in parts)
        if cells[unit] < 0:
            raise ValueError(_parts_exceed_total(unit, counts[unit], parts))
    return cells


def _parts_exceed_total(unit: str, count: Count, parts: Collection[str]) -> str:
    if not parts:
        return f"{unit} is {count}: a count cannot be negative."
    return (
        f"{unit} is {count}, less than its parts together ({', '.join(sorted(parts))}): the sender counts them apart."
    )


def _side(count: int | None, total: int | None, other_side: int | None) -> int | None:
    if count is None and total is not None and other_side is not None:
        return total - other_side
    return count


def _ancestors(unit: str) -> frozenset[str]:
    return REGISTRY.ancestor_usage_keys(unit)
