"""The demo's world in each dialect, and what a dialect lacks of the native events of the same calls.

python -m tests.dialects      measures it, and writes the table of docs/sources.md
"""

import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from demo.__main__ import main as write_world
from demo.dialects import SOURCES
from orchestration.settings import PROJECT
from tests.pipeline import WITHOUT_TESTS, Pipeline, pipeline_at

DOCS = PROJECT / "docs" / "sources.md"
TABLE = re.compile(r"(?<=<!-- begin measured: dialects -->\n).*?(?=<!-- end measured -->)", re.DOTALL)
NAMES = {"litellm": "LiteLLM's log", "otlp": "OTLP spans"}
KEY = ("request_id", "occurred_at")
# The dimensions of cost_daily, and whatever else a call says.
CELL = (
    "event_date", "environment", "data_mode", "provider", "model", "endpoint_tag", "prompt_version", "feature_tag",
    "tenant_id", "billing_account_id", "region", "processing", "service_tier",
)  # fmt: skip
PRICED = (
    "service_tier", "status", "usage_source", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "web_searches",
)  # fmt: skip
OTHERS = (
    "user_id", "requested_service_tier", "attempt", "try_number", "provider_request_id", "error_code", "http_status",
    "latency_ms", "reported_cost_usd",
)  # fmt: skip
FIELDS = tuple(dict.fromkeys(CELL + PRICED + OTHERS))
MEASURES = (
    "requests", "attempts", "errors", "input_tokens", "output_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "web_searches", "cost_usd", "cache_savings_usd",
)  # fmt: skip


@dataclass(frozen=True)
class Landed:
    """A data root with the world in one dialect."""

    pipeline: Pipeline

    @cached_property
    def calls(self) -> dict[tuple, dict]:
        """Every attempt of the fact by its request and its time."""
        names = (*KEY, *FIELDS, "cost_usd", "conflicting_deliveries")
        rows = self.pipeline.inside(f"select {', '.join(names)} from marts.fct_attempts")
        return {row[: len(KEY)]: dict(zip(names, row, strict=True)) for row in rows}

    def cost_daily(self, dimensions: Iterable[str]) -> dict[tuple, tuple]:
        """The measures of cost_daily by some of its dimensions; nothing is 0 here, as all is compared with all."""
        named = ", ".join(dimensions)
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in MEASURES)
        rows = self.pipeline.inside(f"select {named}, {sums} from marts.cost_daily group by {named}")
        return {row[: -len(MEASURES)]: row[-len(MEASURES) :] for row in rows}


def landed(root: Path) -> dict[str, Landed]:
    """A small world, a data root for each dialect."""
    worlds = {}
    for dialect in SOURCES:
        pipeline = pipeline_at(root / dialect)
        size = ["--days", "2", "--requests-per-day", "400"]
        assert write_world(["--data", str(root / dialect), *size, "--dialect", dialect]) == 0
        pipeline.build(*WITHOUT_TESTS, "--select", "+cost_daily")
        worlds[dialect] = Landed(pipeline)
    return worlds


def lost(native: Landed, other: Landed) -> dict[tuple, list[str]]:
    """What each call lacks or has otherwise than its native event; KEY alone: there is no record of it at all.

    Left out are calls that were corrected later: a gateway and a tracer write a call once, when it has ended.
    """
    found = {}
    for key, call in native.calls.items():
        if call["conflicting_deliveries"]:
            continue
        same = other.calls.get(key)
        found[key] = (
            [*KEY] if same is None else [name for name in FIELDS if call[name] is not None and call[name] != same[name]]
        )
    return found


def table(worlds: dict[str, Landed]) -> str:
    """How many calls lose what, as a table in Markdown."""
    native = worlds["native"]
    losses = {dialect: lost(native, worlds[dialect]) for dialect in NAMES}
    compared = next(iter(losses.values()))
    out = [f"| of {len(compared)} calls | {' | '.join(NAMES.values())} |", "|---|---:|---:|"]
    for name in ("request_id", *FIELDS):
        stated = sum(native.calls[key][name] is not None for key in compared)
        counts = [sum(name in lacks for lacks in losses[dialect].values()) for dialect in NAMES]
        if any(counts):
            what = "no record" if name == "request_id" else f"`{name}`"
            out.append(f"| {what} | {' | '.join(f'{count} of {stated}' if count else '' for count in counts)} |")
    costs = [_cost(worlds[dialect], compared) / _cost(native, compared) for dialect in NAMES]
    out.append(f"| cost, of that of the native events | {' | '.join(f'{100 * cost:.1f} %' for cost in costs)} |")
    return "\n".join(out) + "\n"


def _cost(world: Landed, keys: Iterable[tuple]) -> Decimal:
    return sum((world.calls[key]["cost_usd"] or Decimal(0) for key in keys if key in world.calls), Decimal(0))


def comparable_days(native: Landed, other: Landed) -> tuple[dict[tuple, tuple], dict[tuple, tuple]]:
    """cost_daily of both, by the dimensions that the other has and where none of its calls lost what a price is made of."""
    losses = lost(native, other)
    kept = [name for name in CELL if not any(name in lacks for lacks in losses.values())]
    touched: dict[tuple, bool] = defaultdict(bool)
    for key, call in native.calls.items():
        cell = tuple(call[name] or "(unattributed)" for name in kept)
        touched[cell] |= bool({*KEY, *PRICED}.intersection(losses.get(key, KEY)))
    days, same_days = (
        {cell: measures for cell, measures in world.cost_daily(kept).items() if not touched[cell]}
        for world in (native, other)
    )
    return days, same_days


def main() -> int:
    """Writes the table of the docs."""
    with tempfile.TemporaryDirectory() as folder:
        measured = table(landed(Path(folder)))
    DOCS.write_text(TABLE.sub(lambda _: measured, DOCS.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
