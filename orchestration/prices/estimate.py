"""What lines that are not loaded would cost: the price rows that a run would compile, and the reference that SQL equals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache

from pricing.compiler import compile_key
from pricing.overrides import Overrides
from pricing.reference import price_by
from pricing.rows import PriceKey, Row
from pricing.units import Usage

PER_MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Call:
    """One call: what selects its price, its usage, and whether an earlier line reported it too."""

    key: PriceKey
    usage: Usage
    occurred_at: datetime
    tenant_id: str | None
    is_repeated: bool = False


@dataclass
class ModelCost:
    """The calls of one (provider, model) and their cost; of `calls`, those without a price or without usage cost nothing known."""

    provider: str
    model: str
    calls: int = 0
    unpriced: int = 0
    no_usage: int = 0
    approximate: int = 0
    repeated: int = 0
    cost_usd: Decimal = Decimal(0)
    repeated_usd: Decimal = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0
    priced_as: set[str] = field(default_factory=set)  # models of the catalogue or of an override, as `provider/model`
    input_usd: set[Decimal] = field(default_factory=set)  # per million tokens
    output_usd: set[Decimal] = field(default_factory=set)
    suggestions: tuple[str, ...] = ()
    reasons: set[str] = field(default_factory=set)  # why a price is approximate

    @property
    def priced(self) -> int:
        """Calls with a known cost."""
        return self.calls - self.unpriced - self.no_usage


def costs_by_model(calls: Iterable[Call], overrides: Overrides) -> list[ModelCost]:
    """Every (provider, model), the largest cost first, models without any known cost last. Each call is priced at its own time."""
    rows_of = cache(lambda key: compile_key(key, overrides))
    found: dict[tuple[str, str], ModelCost] = {}
    for call in calls:
        pair = (call.key.provider, call.key.model)
        _add(found.setdefault(pair, ModelCost(*pair)), call, rows_of(call.key))
    return sorted(found.values(), key=lambda cost: (not cost.priced, -cost.cost_usd, cost.provider, cost.model))


def _add(cost: ModelCost, call: Call, rows: list[Row]) -> None:
    priced = price_by(rows, call.usage, call.occurred_at, call.tenant_id)
    row = priced.row
    cost.calls += 1
    cost.repeated += call.is_repeated
    cost.input_tokens += call.usage.total_input_tokens or 0
    cost.output_tokens += call.usage.total_output_tokens or 0
    if row["price_model_id"]:
        cost.priced_as.add(f"{row['price_provider_id']}/{row['price_model_id']}")
    for seen, column in ((cost.input_usd, "uncached_input_price_usd"), (cost.output_usd, "text_output_price_usd")):
        if row[column] is not None:
            seen.add(row[column] * PER_MILLION)
    cost.suggestions = cost.suggestions or tuple(row["suggestions"] or ())
    if priced.cost_usd is None:
        cost.unpriced += priced.status == "unpriced"
        cost.no_usage += priced.status == "no_usage"
        return
    cost.cost_usd += priced.cost_usd
    cost.repeated_usd += priced.cost_usd if call.is_repeated else 0
    reasons = filter(None, (row["approximate_reason"], row["missing_variant"] and "missing_variant"))
    cost.approximate += bool(row["approximate_reason"] or row["missing_variant"])
    cost.reasons.update(reasons)
