"""What vendors bill for a month of the demo: three exports that land in the month after, and what each cause adds to a bill.

OpenAI says amounts with quantities, Google too, with credits and tax, Anthropic amounts alone. A bill is what senders report,
at the world's rates, and what happens besides: events that were lost, a line billed twice, a rate that nobody agreed to.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from demo import wire
from demo.delivery import day_deliveries
from demo.traffic import DATA_MODES, ESTIMATE, MISSING, TIERS, midnight
from demo.world import EMBEDDING, ENDPOINT, MODEL, MODELS, UNKNOWN_MODELS, World

ACCOUNT = "main"
FIRST_EXPORT, LAST_EXPORT = 3, 8  # days of the month after: an export that comes again and says the same is final
LEAVES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning", "web_searches")
FACTORS = {  # of the rates of a model, by tier
    "batch": dict.fromkeys(range(len(MODELS)), Decimal("0.5")),
    "flex": {MODEL["gpt-5.2"]: Decimal("0.5"), MODEL["gpt-5-mini"]: Decimal("0.5")},
    "priority": {MODEL["gpt-5.2"]: Decimal(2), MODEL["gpt-5-mini"]: Decimal("1.8")},
}
# Until then a tier costs what others do. Embeddings cost less in batches for longer.
FACTORS_SINCE = {"batch": date(2026, 10, 14), "flex": date(2026, 10, 12), "priority": date(2026, 10, 12)}
LONG_INPUT, LONG_MODELS = 200_000, (MODEL["claude-sonnet-4-5"], MODEL["gemini-2.5-pro"])  # that cost more beyond it
SEARCH_RATES = {"openai": 10_000, "anthropic": 10_000, "google": 35_000}  # USD per million
NEW_RATE_SINCE, NEW_RATE = date(2026, 10, 20), Decimal("1.1")  # of gpt-5.2's output: not in our book
# In October, days on which hardly anybody estimates what OpenAI's lost events are of: of two causes in one cell only the sum is known.
LOST_DAYS, TWICE_DAY = (7, 17, 18), 9
OVERESTIMATED = 0.8  # what really was used of what senders estimate
KEY = ["day", "model", "tier", "full", "long", "leaf"]  # full: at the rate of any tier; long: at that of long inputs


@dataclass(frozen=True)
class Vendor:
    """Who bills, by which clock, and what goes wrong on its bill."""

    name: str
    provider: str
    export: Callable[["Bill"], Iterator[tuple[str, list[dict]]]]  # (name of the file, its documents)
    days: tuple[int, ...]
    zone: str = "UTC"
    delay_minutes: int = 0
    lost: tuple[str, str] | None = None  # endpoint and model whose events are lost on LOST_DAYS
    bills_failures: bool | None = None  # True what failed calls asked, False none that failed, None what they report
    says_quantities: bool = True


@dataclass(frozen=True)
class Bill:
    """A month of a vendor: `lines` with day, model, tier, long, leaf, quantity and amount, what is on it besides, and the truth."""

    vendor: Vendor
    month: date
    lines: pd.DataFrame
    others: dict[str, Decimal]  # by type of line
    truth: list[dict]


def land(world: World, day: date, landing: Path, opening: date) -> list[dict]:
    """Writes the exports that arrive on a day; the truth of those that are final, a row for each cause."""
    month = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
    if day.day not in (FIRST_EXPORT, LAST_EXPORT) or opening >= day.replace(day=1):
        return []
    truth = []
    for bill in _bills(world, month, opening):
        if day.day not in bill.vendor.days:
            continue
        for name, documents in bill.vendor.export(bill):
            path = landing / "invoices" / bill.vendor.name / ACCOUNT / f"dt={day}" / name
            wire.write(path, [json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in documents])
        if day.day == LAST_EXPORT:
            truth += [{"arrival_date": str(day)} | row for row in bill.truth]
    return truth


@cache
def _bills(world: World, month: date, opening: date) -> list[Bill]:
    calls = _calls(world, month, opening)
    return [_bill(vendor, calls, month) for vendor in VENDORS]


def _calls(world: World, month: date, opening: date) -> pd.DataFrame:
    """Every call that a vendor may bill in a month, once, as it is kept of its deliveries."""
    after = _after(month)
    kept = []
    for day in pd.date_range(max(opening, month - timedelta(days=1)), after).date:
        rows = day_deliveries(world, day)
        rows = rows[rows["data_mode"] != DATA_MODES.index("demo")]
        rows = rows.sort_values(["usage", "arrival"], ascending=[True, False], kind="stable")
        kept.append(rows.drop_duplicates(["request", "attempt"])[COLUMNS])
    calls = pd.concat(kept, ignore_index=True)
    tokens = {name: np.maximum(calls[name].to_numpy(), 0) for name in COLUMNS[:7]}
    calls["long"] = (tokens["input"] > LONG_INPUT) & np.isin(calls["model"], LONG_MODELS)
    calls["tier"] = np.where(
        calls["batch"], "batch", np.array([*TIERS, "default"])[np.maximum(calls["served_tier"].to_numpy(), -1)]
    )
    calls["tier"] = calls["tier"].replace("default", "standard")
    since = calls["tier"].map({tier: midnight(day) for tier, day in FACTORS_SINCE.items()}).fillna(0)
    calls["full"] = (calls["at"] < since) & (calls["model"] != EMBEDDING)
    counts = (
        tokens["input"] - tokens["cache_read"] - tokens["cache_write"],
        tokens["cache_read"],
        tokens["cache_write"] - tokens["cache_write_1h"],
        tokens["cache_write_1h"],
        tokens["output"] - tokens["reasoning"],
        tokens["reasoning"],
        tokens["searches"],
    )
    return calls.assign(**{f"n_{leaf}": count for leaf, count in zip(LEAVES, counts, strict=True)})


COLUMNS = [
    *("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "searches"),
    *("at", "latency", "model", "endpoint", "error", "usage", "served_tier", "batch", "asked"),
]


def _bill(vendor: Vendor, everybody: pd.DataFrame, month: date) -> Bill:
    """A vendor's month. Each cause is a table of quantities, at our rates; what they add up to is billed at the vendor's."""
    of_vendor = [code for code, model in enumerate(MODELS) if model.provider == vendor.provider]
    calls = everybody[np.isin(everybody["model"], of_vendor)].copy()
    clocked = calls["at"] + np.where(vendor.delay_minutes > 0, calls["latency"] * 1_000, 0)
    clocked += vendor.delay_minutes * 60_000_000
    calls["day"] = pd.to_datetime(clocked, unit="us", utc=True).dt.tz_convert(vendor.zone).dt.date
    ours = _sums(calls.assign(day=pd.to_datetime(calls["at"], unit="us", utc=True).dt.date))
    captured = _sums(calls)
    causes = {cause: _in_month(found, month) for cause, found in _causes(vendor, calls).items()}
    usage = pd.concat([_in_month(captured, month), *causes.values()]).groupby(KEY, as_index=False)["quantity"].sum()
    usage = usage[usage["quantity"] > 0].reset_index(drop=True)
    usage["usd"] = [_usd(row.quantity, _rate(row, theirs=True)) for row in usage.itertuples()]
    known = [_cost(found) for found in (_in_month(captured, month), _in_month(ours, month))]
    effects = {cause: _cost(found) for cause, found in causes.items()} | {
        "timing at midnight": known[0] - known[1],
        "a rate that is not in our book": sum((row.usd - _usd(row.quantity, _rate(row)) for row in usage.itertuples()), ZERO),
        "a model without a price": sum((row.usd for row in usage.itertuples() if _is_unknown(row.model)), ZERO),
    }  # fmt: skip
    others: dict[str, Decimal] = {}
    if vendor.name == "openai":
        usage, effects["a line billed twice"] = _billed_twice(usage)
    elif vendor.name == "anthropic":
        usage, effects["a key that nobody reports"] = _with_a_stranger(usage, month)
    else:
        others["credit"] = Decimal(-20)
        others["tax"] = ((usage["usd"].sum() + others["credit"]) * Decimal("0.19")).quantize(Decimal("0.01"))
        effects |= {"a promotion": others["credit"], "value added tax": others["tax"]}
    return Bill(vendor, month, usage, others, [_truth(vendor, month, *each) for each in effects.items() if each[1]])


def _causes(vendor: Vendor, calls: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What is billed of calls besides what senders report: quantities, below 0 where less is billed."""
    failed = calls["error"] >= 0
    guessed = calls[(calls["usage"] == ESTIMATE) & ~failed]
    counts = [f"n_{leaf}" for leaf in LEAVES]
    used = (guessed[counts] * OVERESTIMATED).astype(np.int64)
    causes = {"estimates that are too high": _sums(guessed.assign(**(used - guessed[counts])))}
    if vendor.lost:
        endpoint, model = vendor.lost
        of_days = np.isin([day.day for day in calls["day"]], LOST_DAYS)
        of_endpoint = (calls["endpoint"] == ENDPOINT[endpoint]) & (calls["model"] == MODEL[model])
        causes["events that were lost"] = _sums(calls[of_days & of_endpoint & (calls["usage"] != MISSING)])
    if vendor.bills_failures is False:
        of_failed = calls[failed & (calls["usage"] != MISSING)]
        causes["failed calls that are free"] = _sums(of_failed.assign(**-of_failed[counts]))
    elif vendor.bills_failures:
        asked = calls[calls["usage"] == MISSING]
        causes["failed calls that are billed"] = _sums(
            asked.assign(**(dict.fromkeys(counts, 0) | {"n_input": asked["asked"]}))
        )
    return causes


def _sums(calls: pd.DataFrame) -> pd.DataFrame:
    """Quantities by day, model, tier and kind of token."""
    columns = {f"n_{leaf}": leaf for leaf in LEAVES}
    wide = calls.groupby(KEY[:-1], as_index=False)[list(columns)].sum().rename(columns=columns)
    long = wide.melt(KEY[:-1], var_name="leaf", value_name="quantity")
    return long[long["quantity"] != 0]


def _in_month(found: pd.DataFrame, month: date) -> pd.DataFrame:
    return found[(found["day"] >= month) & (found["day"] < _after(month))]


def _after(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


ZERO = Decimal(0)


def _usd(quantity: int, rate: Decimal) -> Decimal:
    return int(quantity) * rate / 1_000_000


def _is_unknown(model: int) -> bool:
    return MODELS[model].name in UNKNOWN_MODELS


def _cost(found: pd.DataFrame) -> Decimal:
    """What quantities cost by our book, which does not know every model."""
    return sum((_usd(row.quantity, _rate(row)) for row in found.itertuples() if not _is_unknown(row.model)), ZERO)


def _rate(row, theirs: bool = False) -> Decimal:
    """USD per million of a kind of token: as agreed, or what the vendor takes."""
    model, leaf = MODELS[row.model], row.leaf
    if leaf == "web_searches":
        return Decimal(SEARCH_RATES[model.provider])
    of_output = leaf in ("output", "reasoning")
    rate = Decimal(
        str(model.output_rate if of_output else model.cached_rate if leaf == "cache_read" else model.input_rate)
    )
    rate *= {"cache_write_5m": Decimal("1.25"), "cache_write_1h": Decimal(2)}.get(leaf, Decimal(1))
    rate *= Decimal(1) if row.full else FACTORS.get(row.tier, {}).get(row.model, Decimal(1))
    if row.long:
        rate *= Decimal("1.5") if of_output else 2
    is_new = model.name == "gpt-5.2" and of_output and row.day >= NEW_RATE_SINCE
    return rate * NEW_RATE if theirs and is_new else rate


def _billed_twice(usage: pd.DataFrame) -> tuple[pd.DataFrame, Decimal]:
    """The input of gpt-5.2 on a day, once more."""
    of_day = np.array([day.day == TWICE_DAY for day in usage["day"]])
    twice = usage[
        of_day & (usage["model"] == MODEL["gpt-5.2"]) & (usage["leaf"] == "input") & (usage["tier"] == "standard")
    ]
    return pd.concat([usage, twice]), sum(twice["usd"], ZERO)


def _with_a_stranger(usage: pd.DataFrame, month: date) -> tuple[pd.DataFrame, Decimal]:
    """Somebody's own key: a model that no sender calls. Its code is past the world's models."""
    days = [day for day in sorted(set(usage["day"])) if day.day in (21, 22, 23) and day.month == month.month]
    amount = Decimal("3.75")
    more = [(day, STRANGER, "standard", False, False, "input", 250_000, amount) for day in days]
    return pd.concat([usage, pd.DataFrame(more, columns=[*KEY, "quantity", "usd"])]), amount * len(more)


STRANGER = len(MODELS)
NAMES = (*(model.name for model in MODELS), "claude-opus-4-1")
BUCKETS = {
    "estimates that are too high": "estimated",
    "events that were lost": "uncaptured",
    "failed calls that are free": "failed",
    "failed calls that are billed": "failed",
    "timing at midnight": "timing",
    "a rate that is not in our book": "rate",
    "a model without a price": "unpriced",
    "a line billed twice": "billed_twice",
    "a key that nobody reports": "uncaptured",
    "a promotion": "credit",
    "value added tax": "tax",
}


def _truth(vendor: Vendor, month: date, cause: str, usd: Decimal) -> dict:
    """A row of the truth. Where no quantity is said, the causes of a captured model cannot be distinguished."""
    is_told = vendor.says_quantities or cause in ("a key that nobody reports", "timing at midnight")
    bucket = BUCKETS[cause] if is_told else "unexplained"
    about = {"vendor": vendor.name, "account": ACCOUNT, "billing_month": str(month)}
    return about | {"cause": cause, "bucket": bucket, "usd": f"{usd:.12f}"}


# --- As each vendor writes it ---

OPENAI_LEAVES = {"input": "input", "cache_read": "cached input", "output": "output", "reasoning": "output"}
GOOGLE_LEAVES = {
    "input": "Text Input - {}Predictions",
    "cache_read": "Text Input Caching - {}Predictions",
    "output": "Text Output - {}Predictions",
    "reasoning": "Thinking Text Output - {}Predictions",
}
ANTHROPIC_LEAVES = {
    "input": "uncached_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write_5m": "cache_creation.ephemeral_5m_input_tokens",
    "cache_write_1h": "cache_creation.ephemeral_1h_input_tokens",
    "output": "output_tokens",
}


def _openai(bill: Bill) -> Iterator[tuple[str, list[dict]]]:
    """A page of organization/costs, grouped by line item and project."""
    buckets = []
    for day, lines in bill.lines.groupby("day"):
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        results = [_openai_result(name, *each) for name, each in _openai_items(lines)]
        buckets.append({"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": results})
    page = {"object": "page", "data": buckets, "has_more": False, "next_page": None}
    yield f"costs_{bill.month:%Y-%m}.json", [page]


def _openai_items(lines: pd.DataFrame) -> Iterator[tuple[str, tuple[int, Decimal]]]:
    """(line item, quantity and USD): reasoning is output, and a line that is there twice stays twice."""
    sums: dict[tuple[str, int], tuple[int, Decimal]] = {}
    seen: dict[tuple, int] = {}
    for row in lines.itertuples():
        name = "web search" if row.leaf == "web_searches" else f"{NAMES[row.model]}, {_tiered(row)}"
        place = seen[tuple(getattr(row, each) for each in KEY)] = (
            seen.get(tuple(getattr(row, each) for each in KEY), -1) + 1
        )
        quantity, usd = sums.get((name, place), (0, ZERO))
        sums[name, place] = quantity + int(row.quantity), usd + row.usd
    for (name, _), found in sorted(sums.items()):
        yield name, found


def _tiered(row) -> str:
    leaf = OPENAI_LEAVES[row.leaf]
    return leaf if row.tier == "standard" else f"{row.tier} {leaf}"


def _openai_result(name: str, quantity: int, usd: Decimal) -> dict:
    return {
        "object": "organization.costs.result",
        "amount": {"value": float(usd), "currency": "usd"},
        "line_item": name,
        "project_id": "proj_demo",
        "quantity": quantity,
        "quantity_unit": "requests" if name == "web search" else "tokens",
    }


def _anthropic(bill: Bill) -> Iterator[tuple[str, list[dict]]]:
    """A page of the cost report by description: amounts in cents, and no quantity."""
    buckets = []
    for day, lines in bill.lines.groupby("day"):
        results = [_anthropic_result(row) for row in lines.itertuples()]
        until = f"{day + timedelta(days=1)}T00:00:00Z"
        buckets.append({"starting_at": f"{day}T00:00:00Z", "ending_at": until, "results": results})
    yield f"cost_report_{bill.month:%Y-%m}.json", [{"data": buckets, "has_more": False, "next_page": None}]


def _anthropic_result(row) -> dict:
    is_search, name = row.leaf == "web_searches", NAMES[row.model]
    leaf = None if is_search else ANTHROPIC_LEAVES[row.leaf]
    about = "Web search" if is_search else f"{name} usage, {leaf}"
    return {
        "amount": f"{row.usd * 100:f}",
        "currency": "USD",
        "cost_type": "web_search" if is_search else "tokens",
        "description": about,
        "model": None if is_search else name,
        "token_type": leaf,
        "service_tier": None if is_search else row.tier,
        "context_window": None if is_search else "200k-1M" if row.long else "0-200k",
        "workspace_id": "wrkspc_demo",
    }


def _google(bill: Bill) -> Iterator[tuple[str, list[dict]]]:
    """Rows of the detailed billing export, by Pacific days; a credit is in a row of usage, a tax has no service."""
    about = {
        "billing_account_id": "01DEMO-000000-000001",
        "currency": "USD",
        "currency_conversion_rate": 1.0,
        "invoice": {"month": f"{bill.month:%Y%m}", "publisher_type": "GOOGLE"},
        "export_time": f"{_after(bill.month) + timedelta(days=6)} 09:15:00 UTC",
    }
    rows = [about | _google_row(row, bill.vendor.zone) for row in bill.lines.itertuples()]
    rows[0]["credits"] = [
        {"id": "promo", "name": "promo", "full_name": "Startup programme", "type": "PROMOTION", "amount": float(usd)}
        for kind, usd in bill.others.items() if kind == "credit"
    ]  # fmt: skip
    last = {name: rows[-1][name] for name in ("usage_start_time", "usage_end_time")}
    rows.append(about | last | {"cost": float(bill.others["tax"]), "cost_type": "tax", "credits": []})
    machine = {
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": "C", "description": "N2 Core"},
    }
    rows.append(about | last | machine | {"cost": 42.5, "cost_type": "regular", "credits": []})
    yield f"billing_export_{bill.month:%Y-%m}.jsonl", rows


def _google_row(row, zone: str) -> dict:
    model = NAMES[row.model].replace("-", " ").title()
    batch = "Batch " if row.tier == "batch" else ""
    is_search = row.leaf == "web_searches"
    sku = "Grounding with Google Search - Gemini" if is_search else f"{model} {GOOGLE_LEAVES[row.leaf].format(batch)}"
    sku += " (Long)" if row.long else ""
    start = datetime(row.day.year, row.day.month, row.day.day, tzinfo=ZoneInfo(zone))
    ends = start + timedelta(days=1)  # of the wall
    return {
        "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
        "sku": {"id": f"{abs(hash_of(sku)):08X}", "description": sku},
        "usage_start_time": f"{start.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "usage_end_time": f"{ends.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "project": {"id": "demo-prod"},
        "cost": float(row.usd),
        "usage": {"amount": float(row.quantity), "unit": "count"},
        "credits": [],
        "cost_type": "regular",
    }


def hash_of(text: str) -> int:
    """A number for a name, the same in every process."""
    return int.from_bytes(text.encode(), "big") % 0xFFFFFFFF


VENDORS = (
    Vendor("openai", "openai", _openai, (FIRST_EXPORT, LAST_EXPORT), delay_minutes=15,
           lost=("chat.reply", "gpt-5.2"), bills_failures=True),
    Vendor("anthropic", "anthropic", _anthropic, (FIRST_EXPORT, LAST_EXPORT), lost=("support.triage", "claude-haiku-4-5"),
           says_quantities=False),
    Vendor("gcp", "google", _google, (LAST_EXPORT,), zone="America/Los_Angeles", bills_failures=False),
)  # fmt: skip
