"""LiteLLM's `rates_per_token` as override entries: what a team that comes from LiteLLM would write.

A LiteLLM key is a unit, then any of `_above_1hr`, `_above_200k_tokens` and a variant (`_batches`, `_flex`, `_priority`,
`_ultrafast`, any other word). Each variant becomes an entry with its scope, each threshold a tier, each regional
multiplier an `uplift_factor`. Where LiteLLM has no rate for something it has a rule, and the entries spell it out:

- a tier's missing rate is the standard one of the same size of input;
- a batch without rates costs half; with an input rate, cached input and writes that have none of their own cost that;
- a batch tells output of different kinds not apart, and has a tier only where the tier's key ends in `_batches`;
- a 1-hour write outside batches always costs the standard 1-hour rate;
- cache reads and writes that have no rate at all cost nothing;
- xAI's tiers hold from their number on, all others above it.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

Rates = Mapping[str, Decimal]

CACHE_WRITE_1H = "cache_write_1h_tokens"
UNITS = {
    "input_cost_per_token": "input_tokens",
    "output_cost_per_token": "output_tokens",
    "output_cost_per_reasoning_token": "output_reasoning_tokens",
    "cache_read_input_token_cost": "cache_read_tokens",
    "cache_creation_input_token_cost": "cache_write_tokens",
    "cache_creation_input_token_cost_above_1hr": CACHE_WRITE_1H,
    "input_cost_per_audio_token": "input_audio_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "cache_read_input_audio_token_cost": "cache_audio_read_tokens",
    "input_cost_per_image_token": "input_image_tokens",
    "output_cost_per_image_token": "output_image_tokens",
}
OF_CACHE = ("cache_read_tokens", "cache_write_tokens", CACHE_WRITE_1H)
_KEY = re.compile(
    rf"(?P<base>{'|'.join(sorted(UNITS, key=len, reverse=True))})"
    r"(?:_above_(?P<above>\d+)(?P<thousands>k?)_tokens)?(?:_(?P<variant>[a-z]+))?"
)
SIGNED = {"from": "2020-01-01", "source": "litellm 1.106.2", "approved_by": "tests", "recorded_at": "2026-11-24"}


def entries(provider: str, model: str, rates_per_token: Mapping[str, float], location: str | None) -> list[dict]:
    """Override entries of one model, in one Vertex location where LiteLLM looks at that."""
    about = {"provider": provider, "model": model, **SIGNED}
    table = _table(rates_per_token, at_least=provider == "xai")
    found = [about | _rates(_standard(table))]
    for variant in sorted({variant for variant, _ in table} - {""} | {"batches"}):
        if variant == "batches":
            found.append(about | {"processing": "batch"} | _rates(_batch(table)))
        else:
            found.append(about | {"service_tier": variant} | _rates(_tier(table, variant)))
    found += [
        about | {"region": region, "uplift_factor": str(factor)}
        for region, factor in _uplifts(rates_per_token, location)
    ]
    return found


def _table(rates_per_token: Mapping[str, float], at_least: bool) -> dict[tuple[str, int], dict[str, Decimal]]:
    """USD per token by unit, for each (variant, number of input tokens above which it holds)."""
    table: dict[tuple[str, int], dict[str, Decimal]] = {}
    for key, rate in rates_per_token.items():
        if match := _KEY.fullmatch(key):
            above = int(match["above"] or 0) * (1000 if match["thousands"] else 1)
            above -= 1 if above and at_least else 0
            table.setdefault((match["variant"] or "", above), {})[UNITS[match["base"]]] = Decimal(repr(rate))
    return table


def _thresholds(table: Mapping, variant: str) -> list[int]:
    return sorted(above for name, above in table if name == variant and above and "input_tokens" in table[name, above])


def _standard(table: Mapping) -> dict[int, dict]:
    unpriced = dict.fromkeys(OF_CACHE, Decimal(0))
    base = unpriced | table.get(("", 0), {})
    return {0: base} | {above: base | table["", above] for above in _thresholds(table, "")}


def _tier(table: Mapping, variant: str) -> dict[int, dict]:
    standard, own = _standard(table), table.get((variant, 0), {})
    return {
        above: standard[0]
        | own
        | (table["", above] | table.get((variant, above), {}) if above else {})
        | {CACHE_WRITE_1H: rates[CACHE_WRITE_1H]}
        for above, rates in standard.items()
    }


def _batch(table: Mapping) -> dict[int, dict]:
    standard, batch = _standard(table)[0], table.get(("batches", 0), {})
    half = {unit: standard[unit] / 2 for unit in ("input_tokens", "output_tokens", *OF_CACHE)}
    half[CACHE_WRITE_1H] = half["cache_write_tokens"]
    base = {"output_tokens": half["output_tokens"]}
    base |= {unit: rate for unit, rate in half.items() if "input_tokens" not in batch}
    base |= batch
    if "cache_write_tokens" in base:
        base[CACHE_WRITE_1H] = base["cache_write_tokens"]
    tiers = {0: base}
    for above in _thresholds(table, "batches"):
        own = table["batches", above]
        one_hour = {CACHE_WRITE_1H: own["cache_write_tokens"]} if "cache_write_tokens" in own else {}
        tiers[above] = base | own | one_hour
    return tiers


def _uplifts(rates_per_token: Mapping[str, float], location: str | None) -> Iterator[tuple[str, Decimal]]:
    """Region and factor: a multiplier per data residency, or one for every Vertex location but the global one."""
    for key, factor in rates_per_token.items():
        if key.startswith("regional_processing_uplift_multiplier_"):
            yield key.rpartition("_")[2], Decimal(repr(factor))
        if key == "regional_endpoint_uplift_multiplier" and location not in (None, "global"):
            yield location, Decimal(repr(factor))


def _rates(tiers: Mapping[int, Rates]) -> dict:
    per_million = {
        above: _covered({unit: rate * 1_000_000 for unit, rate in rates.items()}) for above, rates in tiers.items()
    }
    found: dict = {"per_million_tokens": per_million.pop(0)}
    if per_million:
        found["tiers"] = [
            {"above_input_tokens": above, "per_million_tokens": rates} for above, rates in sorted(per_million.items())
        ]
    return found


def _covered(rates: dict) -> dict:
    """Where two rates overlap, what they share needs one: a cached audio token is both."""
    for modality in ("audio", "image"):
        for cache in ("read", "write", "write_1h"):
            if f"input_{modality}_tokens" in rates and f"cache_{cache}_tokens" in rates:
                rates.setdefault(f"cache_{modality}_{cache}_tokens", rates[f"cache_{cache}_tokens"])
    return {unit: str(rate) for unit, rate in rates.items()}


def scope_of(case: Mapping) -> dict[str, str]:
    """What an event says of a case: processing, service_tier, region."""
    context = {name: value for name, value in case["price_context"].items() if value is not None}
    region = context.pop("data_residency", None) or context.pop("vertex_location", None)
    return context | ({"region": region} if region else {})


def location_of(case: Mapping) -> str | None:
    """The Vertex location of a case, where LiteLLM looks at it: it prices Claude on Vertex alike everywhere."""
    return None if "anthropic" in case["provider"] else case["price_context"].get("vertex_location")
