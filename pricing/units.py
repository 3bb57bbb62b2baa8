"""Units: the disjoint leaves a request is priced in, and which priced unit covers which leaf.

`LEAVES` is the one list of token kinds and of the counts that senders report: fields of events, columns of raw files,
macros, YAML and docs follow from it, by import or by `make generate`.

The unit registry of genai-prices describes every unit by its dimensions (`{family: tokens, direction: input}`); one
unit contains another when its dimensions are a subset of the other's. Senders report inclusive counts (input includes
cache reads), so the same token is counted in several units; a leaf count is what is left of a unit when its own parts are
taken out, and every token is in exactly one leaf or in one `other` unit.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, cached_property

from genai_prices.data_units import unit_data
from genai_prices.units import UnitRegistry

Count = int | Decimal


@dataclass(frozen=True)
class Leaf:
    """A token kind, or a fee: what is left of a reported count when its parts are taken out, with a price of its own.

    column: the raw column of the reported, inclusive count; None where nobody sends one and it is counted. unit: the
    registry unit whose price it takes; where nobody prices that, it takes the price of the narrowest unit around it. of:
    what is counted, for descriptions. is_everyday: most requests have some. is_added_later: there were price books
    before it, whose rows keep their keys. dimensions_of_new: those of a unit that the catalogue's registry lacks.
    """

    name: str
    column: str | None
    unit: str
    of: str
    is_everyday: bool = False
    is_added_later: bool = False
    dimensions_of_new: Mapping[str, str] | None = None

    @property
    def dimensions(self) -> Mapping[str, str]:
        """The cell of the registry that this leaf is."""
        return REGISTRY.units[self.unit].dimensions

    @property
    def kind(self) -> str:
        """'tokens' or 'fee'."""
        return "tokens" if self.dimensions["family"] == "tokens" else "fee"

    @property
    def quantity(self) -> str:
        """The fact's column with the disjoint count."""
        return self.name if self.kind == "fee" else f"{self.name}_tokens"

    @cached_property
    def price_column(self) -> str:
        """USD per unit, in the price book."""
        return f"{self.name}_price_usd"

    @property
    def cost_column(self) -> str:
        """USD, on the fact."""
        return f"{self.name}_cost_usd"

    @cached_property
    def counted(self) -> str:
        """The registry unit of the reported count: the leaf's own, or a wider one that it is the remainder of."""
        return self.column if self.column and self.column in REGISTRY.units else self.unit

    @cached_property
    def parts(self) -> tuple["Leaf", ...]:
        """Leaves that the reported count includes: what is counted there is not counted here."""
        return tuple(leaf for leaf in LEAVES if self.counted in _ancestors(leaf.counted))

    @cached_property
    def counts_of_parts(self) -> Mapping[str, int]:
        """All parts together as a sum of reported counts: by column, how often it is added, or taken off (below 0)."""
        sums: Counter[str] = Counter()
        for part in self.parts:
            if part.column:
                sums[part.column] += 1
                sums.subtract(part.counts_of_parts)
        return {column: times for column, times in sums.items() if times}

    @cached_property
    def other_parts(self) -> tuple[str, ...]:
        """Other units that the reported count includes."""
        return tuple(unit for unit in OTHER_UNITS if unit not in RESTATED and self.counted in _ancestors(unit))

    @cached_property
    def whole(self) -> "Leaf":
        """The leaf that is left of all input, or of all output, when everything else is taken out; of a fee, the fee."""
        return next((leaf for leaf in LEAVES if self in leaf.parts and not _ancestors(leaf.counted)), self)

    @property
    def cache(self) -> str | None:
        """'read' or 'write' for tokens that a cache charges for."""
        kind = self.dimensions.get("token_type", "")
        return kind.removeprefix("cache_") if kind.startswith("cache_") else None

    @property
    def uncached(self) -> "Leaf | None":
        """The leaf that its tokens would have been without the cache; None for tokens that no cache charges for."""
        if not self.cache:
            return None
        dimensions = {name: value for name, value in self.dimensions.items() if name not in CACHE_DIMENSIONS}
        return next(leaf for leaf in LEAVES if leaf.dimensions == dimensions)

    @cached_property
    def is_what_is_left(self) -> bool:
        """Whether it is unknown where its count is, rather than 0: what is left of all input, or of all output."""
        return self.kind == "tokens" and self.whole is self


CACHE_DIMENSIONS = ("token_type", "cache_ttl")
_cache_write = unit_data["cache_write_tokens"]["dimensions"]

# The order is the order of columns everywhere.
LEAVES = (
    Leaf(
        "uncached_input",
        "input_tokens",
        "input_tokens",
        "text input that was neither read from nor written to the cache",
        is_everyday=True,
    ),
    Leaf("cached_input", "cache_read_tokens", "cache_read_tokens", "text input read from the cache", is_everyday=True),
    # Writes with the default time to live are simply "cache writes" in every price list: priced there, they are at home.
    Leaf(
        "cache_write_5m",
        "cache_write_tokens",
        "cache_write_5m_tokens",
        "input written to the cache for the default time to live (5 minutes)",
        is_everyday=True,
    ),
    Leaf(
        "cache_write_30m",
        "cache_write_30m_tokens",
        "cache_write_30m_tokens",
        "input written to the cache for 30 minutes",
        is_added_later=True,
        dimensions_of_new=_cache_write | {"cache_ttl": "30m"},
    ),
    Leaf("cache_write_1h", "cache_write_1h_tokens", "cache_write_1h_tokens", "input written to the cache for 1 hour"),
    Leaf(
        "cache_write_12h",
        "cache_write_12h_tokens",
        "cache_write_12h_tokens",
        "input written to the cache for 12 hours",
        is_added_later=True,
        dimensions_of_new=_cache_write | {"cache_ttl": "12h"},
    ),
    Leaf("uncached_audio", "input_audio_tokens", "input_audio_tokens", "audio input not read from the cache"),
    Leaf("cached_audio", "cache_audio_read_tokens", "cache_audio_read_tokens", "audio input read from the cache"),
    Leaf("uncached_image", "input_image_tokens", "input_image_tokens", "image input not read from the cache"),
    Leaf("cached_image", "cache_image_read_tokens", "cache_image_read_tokens", "image input read from the cache"),
    Leaf("input_video", "input_video_tokens", "input_video_tokens", "video input"),
    Leaf(
        "text_output",
        "output_tokens",
        "output_tokens",
        "output that is neither reasoning nor audio, image or video",
        is_everyday=True,
    ),
    Leaf(
        "reasoning", "reasoning_tokens", "output_reasoning_tokens", "reasoning, a part of the output", is_everyday=True
    ),
    Leaf("output_audio", "output_audio_tokens", "output_audio_tokens", "audio output"),
    Leaf("output_image", "output_image_tokens", "output_image_tokens", "image output"),
    Leaf("output_video", "output_video_tokens", "output_video_tokens", "video output"),
    Leaf("web_searches", "web_searches", "web_searches", "web searches"),
    Leaf(
        "billed_requests",
        None,
        "requests",
        "requests with known usage, for models with a fee for each",
        is_everyday=True,
    ),
)
LEAF_BY_NAME = {leaf.name: leaf for leaf in LEAVES}

REGISTRY = UnitRegistry(
    unit_data
    | {
        leaf.unit: {"per": 1_000_000, "price_key": leaf.unit, "dimensions": leaf.dimensions_of_new}
        for leaf in LEAVES
        if leaf.dimensions_of_new
    }
)


def _ancestors(unit: str) -> frozenset[str]:
    return REGISTRY.ancestor_usage_keys(unit)


# The units at whose price a leaf is at home: any other is a fallback.
OWN_UNITS = {leaf.name: {leaf.unit, leaf.counted} for leaf in LEAVES}

# Inclusive sums are reported, but no token is left in them that is not in a leaf.
SUMS = frozenset(leaf.counted for leaf in LEAVES) - {leaf.unit for leaf in LEAVES}

# Text is what remains of input and output when the other modalities are taken out, so text tokens repeat a leaf.
RESTATED = frozenset(
    name
    for name, unit in REGISTRY.units.items()
    if unit.dimensions.get("modality") == "text" and unit.dimensions["family"] == "tokens"
)

# Every other unit of the registry arrives under `usage` by its name.
OTHER_UNITS = tuple(name for name in REGISTRY.units if name not in SUMS | {leaf.unit for leaf in LEAVES})

LEAF_OF_COUNT = {leaf.column: leaf for leaf in LEAVES if leaf.column}
UNIT_OF_COUNT = {column: leaf.counted for column, leaf in LEAF_OF_COUNT.items()}
_sides = [column for column, leaf in LEAF_OF_COUNT.items() if leaf.is_what_is_left]
# A sum of kinds that a sender leaves out is the sum of those it reports: raw column -> raw columns.
PARTS_OF_SUMS = {
    column: tuple(part.column for part in leaf.parts if part.column)
    for column, leaf in LEAF_OF_COUNT.items()
    if leaf.counted in SUMS
}
# The raw columns of counts, in their order.
COUNTS = (*_sides, "total_tokens", *(column for column in LEAF_OF_COUNT if column not in _sides))


@dataclass(frozen=True)
class Usage:
    """Inclusive counts of one attempt, named as the raw columns; None is "not reported", which is not 0.

    `other` holds counts of `OTHER_UNITS` by registry name.
    """

    # begin generated: counts
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_30m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    cache_write_12h_tokens: int | None = None
    input_audio_tokens: int | None = None
    cache_audio_read_tokens: int | None = None
    input_image_tokens: int | None = None
    cache_image_read_tokens: int | None = None
    input_video_tokens: int | None = None
    reasoning_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    output_video_tokens: int | None = None
    web_searches: int | None = None
    # end generated
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
    counts: dict[str, Count | None] = {
        leaf.name: cells.get(leaf.counted, None if leaf.is_what_is_left else default) for leaf in LEAVES
    }
    counts["billed_requests"] = 1 if usage.is_known else None
    return counts


def other_from(usage: Usage) -> dict[str, Count]:
    """Disjoint counts of the other units, by registry name; a unit the registry does not know is kept as it came."""
    cells = _cells(usage) if usage.other else {}
    return {name: cells.get(name, count) for name, count in usage.other.items() if name not in _NOT_COUNTED}


def inclusive_from(cells: Mapping[str, Count]) -> dict[str, Count]:
    """Counts of other units as they were reported, from disjoint ones: each includes its parts again."""
    parts_of = {unit: [part for part in cells if part in REGISTRY.units and unit in _ancestors(part)] for unit in cells}
    return {unit: count + sum(cells[part] for part in parts_of[unit]) for unit, count in cells.items()}


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
