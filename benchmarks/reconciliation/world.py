"""A warehouse that holds what reconciliation reads, and nothing else: calls, prices, lines of bills, usage reports. Real dbt and DuckDB.

The tests and the benchmark build theirs here.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.dbt import run_dbt
from orchestration.settings import Settings, from_environment
from orchestration.team.tables import write_team_tables
from pricing.units import LEAVES

AS_OF = "2026-11-20T12:00:00"
LAST_DIGIT = Decimal("0.000000000001")
MODELS = (
    *("stg_vendor_billing_rules", "billable_days", "int_billable_usage", "int_billed_lines", "int_billed_requests"),
    *("int_failed_inputs", "int_captured_kinds", "int_billed_months", "int_matched_cells", "int_valued_cells"),
    *(
        "int_captured_weights",
        "int_allocated_cost",
        "int_reconciled_periods",
        "int_judged_periods",
        "int_evidence_calls",
    ),
    *(
        "int_reconciliation_evidence",
        "reconciled_months",
        "reconciled_days",
        "int_reconciled_names",
        "int_captured_cells",
    ),
    *("int_compared_cells", "int_reconciliation_cells", "int_reconciliation", "reconciliation_daily"),
    *("reconciliation_monthly", "reconciliation_evidence", "allocated_cost"),
)
BUCKETS = (
    *("tax", "fee", "credit", "discount", "prior_period", "currency", "timing", "billed_twice", "unpriced", "failed"),
    *("estimated", "uncaptured", "unbilled", "rate", "rounding", "unexplained"),
)
# Our token kinds by what bills call them.
KINDS = {
    "input": "uncached_input", "cache_read": "cached_input", "cache_write_5m": "cache_write_5m",
    "cache_write_1h": "cache_write_1h", "output": "text_output", "reasoning": "reasoning",
}  # fmt: skip
INPUTS = ("input", "cache_read", "cache_write_5m", "cache_write_1h")


def usd(tokens: int | Decimal, price: Decimal) -> Decimal:
    """What tokens cost, as the warehouse rounds it."""
    return (Decimal(tokens) * price).quantize(LAST_DIGIT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Call:
    """An attempt of ours. `price` names a row of the price book; None is a model without a price."""

    at: str
    model: str = "alpha"
    tokens: dict[str, int] = field(default_factory=lambda: {"input": 1000, "output": 100})
    price: str | None = "alpha"
    provider: str = "openai"
    status: str = "success"
    usage_source: str = "provider"
    request: str = ""
    generation: str | None = None
    tenant: str = "acme"
    endpoint: str = "chat"
    version: str = "v1"
    environment: str = "prod"
    data_mode: str = "real"
    processing: str | None = None
    account: str = "(unattributed)"
    latency_ms: float = 0


@dataclass(frozen=True)
class Line:
    """A line of a bill. `day` None is a line of the whole month."""

    usd: Decimal
    day: str | None = None
    month: str = "2026-10-01"
    model: str | None = "alpha"
    leaf: str | None = "input"
    quantity: Decimal | int | None = None
    line_type: str = "usage"
    vendor: str = "openai"
    account: str = "main"
    charge_class: str | None = None
    occurrence: int = 1
    request_id: str | None = None
    processing: str | None = None
    list_usd: Decimal | None = None
    effective_usd: Decimal | None = None
    seed_usd: Decimal | None = None
    currency: str = "USD"
    is_provisional: bool = False
    is_mapped: bool = True
    is_without_rate: bool = False


@dataclass(frozen=True)
class Report:
    """Tokens that a usage report of the vendor counts."""

    day: str
    quantity: int
    model: str = "alpha"
    leaf: str = "input"
    vendor: str = "openai"
    account: str = "main"


@dataclass(frozen=True)
class Account:
    """An account of a vendor and the calls that it bills."""

    vendor: str = "openai"
    account: str = "main"
    providers: str = "openai"
    regions: str = "*"
    billing_account_ids: str = "*"
    sub_account_ids: str = "*"
    vendor_clock: str = "start"
    clock_delay_minutes: int = 0
    zone: str = "UTC"
    day_tolerance_share: float = 0.05
    day_tolerance_usd: float = 5
    month_tolerance_share: float = 0.01
    month_tolerance_usd: float = 25
    invoice_delay_days: int = 5
    export_delay_days: int = 2
    tolerance_owner: str = "finance"
    reason: str = ""
    is_described: bool = True


PRICES = {
    "alpha": {"input": Decimal("0.000003"), "output": Decimal("0.000015"), "cache_read": Decimal("0.0000003")},
    "beta": {"input": Decimal("0.00000025"), "output": Decimal("0.00000125")},
}


@dataclass
class World:
    """Calls, lines and reports; prices by name of a row and by token kind."""

    settings: Settings
    calls: list[Call] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=lambda: [Account()])
    prices: dict[str, dict[str, Decimal]] = field(default_factory=lambda: dict(PRICES))
    overrides: set[str] = field(default_factory=set)  # names of prices that were agreed upon
    copies: int = 1  # of each call, of other tenants, on a bill that is as many times as large
    failed_calls: dict[str, str] = field(default_factory=lambda: {"*": "unknown"})  # by vendor

    def build(self, *arguments: str, command: str = "build") -> "World":
        """Builds reconciliation over what the world holds."""
        self.prepare()
        self.run(*arguments, command=command)
        return self

    def prepare(self) -> None:
        """Writes what reconciliation reads."""
        (self.settings.state / "spill").mkdir(parents=True, exist_ok=True)
        with (self.settings.team / "vendor_billing_rules.csv").open("w", newline="") as file:
            rules = [(vendor, rule, "test") for vendor, rule in self.failed_calls.items()]
            csv.writer(file).writerows([("vendor", "failed_calls", "reason"), *rules])
        with duckdb.connect(str(self.settings.warehouse)) as warehouse:
            self.write(warehouse)
        write_team_tables(self.settings)

    def run(self, *arguments: str, command: str = "build", models: Sequence[str] = MODELS) -> None:
        """dbt over the models of reconciliation."""
        run_dbt(
            self.settings,
            *(command, "--quiet", *(("--exclude-resource-type", "unit_test") if command == "build" else ())),
            *(*arguments, "--select", *models),
        )

    def write(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """The tables that reconciliation reads."""
        for schema in ("marts", "intermediate"):
            warehouse.execute(f"create schema if not exists {schema}")
        for name, rows in {
            "marts.fct_attempts": [self._attempt(*each) for each in enumerate(self.calls)],
            "intermediate.int_price_book": [self._price(name) for name in self.prices],
            "intermediate.int_invoice_lines": [_line(*each) for each in enumerate(self.lines)],
            "intermediate.int_provider_usage_lines": [_report(each) for each in self.reports],
            "intermediate.int_vendor_accounts": [
                {each.name: getattr(account, each.name) for each in fields(Account)} for account in self.accounts
            ],
        }.items():
            write_rows(warehouse, name, rows)
        if self.copies > 1:
            warehouse.execute(COPIED_CALLS, [self.copies])
            warehouse.execute(COPIED_LINES, {"copies": self.copies})
        warehouse.execute(
            """create or replace table intermediate.request_days as
            select event_date, md5(count(*) || ' ' || bit_xor(hash(attempts))) as input_fingerprint
            from marts.fct_attempts as attempts group by event_date"""
        )

    def _attempt(self, number: int, call: Call) -> dict:
        tokens = call.tokens if call.status == "success" or call.tokens else {}
        price = self.prices.get(call.price or "", {})
        known = bool(tokens)
        is_priced = known and call.price is not None
        kinds = {KINDS[leaf]: count for leaf, count in tokens.items()}
        costs = {KINDS[leaf]: usd(count, price[leaf]) for leaf, count in tokens.items()} if is_priced else {}
        row = {
            "request_id": call.request or f"request {number}",
            "attempt_key": f"attempt {number:06}",
            "source": "events",
            "provider_request_id": call.generation,
            "occurred_at": datetime.fromisoformat(call.at),
            "event_date": datetime.fromisoformat(call.at).date(),
            "environment": call.environment,
            "data_mode": call.data_mode,
            "endpoint_tag": call.endpoint,
            "prompt_version": call.version,
            "tenant_id": call.tenant,
            "billing_account_id": call.account,
            "sub_account_id": None,
            "provider": call.provider,
            "model": call.model,
            "status": call.status,
            "processing": call.processing,
            "service_tier": None,
            "region": None,
            "is_future": False,
            "input_tokens": sum(tokens.get(kind, 0) for kind in INPUTS) if known else None,
            "latency_ms": float(call.latency_ms),
            "other_cost_usd": Decimal(0) if is_priced else None,
            "cost_usd": sum(costs.values(), Decimal(0)) if is_priced else None,
            "pricing_status": "priced" if is_priced else "unpriced" if known else "no_usage",
            "usage_source": call.usage_source if known else "missing",
            "price_row_key": call.price,
            "price_model_id": None,
        }
        for leaf in LEAVES:
            row[leaf.quantity] = kinds.get(leaf.name, 0) if known else None
            row[leaf.cost_column] = costs.get(leaf.name, Decimal(0)) if is_priced else None
        return row

    def _price(self, name: str) -> dict:
        row = {"price_row_key": name, "approved_by": "cfo" if name in self.overrides else None, "adjustments": None}
        by_kind = {KINDS[leaf]: price for leaf, price in self.prices[name].items()}
        return row | {f"{leaf.name}_price_usd": by_kind.get(leaf.name) for leaf in LEAVES}

    def ask(self, sql: str, *parameters: object) -> list[tuple]:
        """Rows of the warehouse, schema marts first."""
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as warehouse:
            warehouse.execute("use marts")
            return warehouse.execute(sql, list(parameters)).fetchall()

    def buckets(self, where: str = "true") -> dict[str, Decimal]:
        """By bucket: its sum over the months, without those that are 0."""
        sums = ", ".join(f"sum({bucket}_usd)" for bucket in BUCKETS)
        row = self.ask(f"select {sums} from reconciliation_monthly where {where}")[0]  # noqa: S608
        return {bucket: amount for bucket, amount in zip(BUCKETS, row, strict=True) if amount}

    def difference(self) -> Decimal:
        """Billed less ours, over the months."""
        return self.ask("select sum(difference_usd) from reconciliation_monthly")[0][0]


# Calls in as many copies, and a bill of all of them. A tenant becomes six.
COPIED_CALLS = """
    create or replace table marts.fct_attempts as
    select * replace (
        attempt_key || ' ' || copies.copy as attempt_key, request_id || ' ' || copies.copy as request_id,
        tenant_id || ' ' || copies.copy % 6 as tenant_id
    )
    from marts.fct_attempts cross join (select unnest(range(?)) as copy) as copies
"""
COPIED_LINES = """
    update intermediate.int_invoice_lines set
        quantity = quantity * $copies, billed_usd = cast(billed_usd as decimal(26, 12)) * $copies,
        billed_usd_at_seed_rate = cast(billed_usd_at_seed_rate as decimal(26, 12)) * $copies
"""


def world_at(root: Path, as_of: str = AS_OF) -> World:
    """An empty world over a data root, with a team folder next to it."""
    team = root.parent / f"{root.name}-team"
    team.mkdir(parents=True, exist_ok=True)
    return World(
        from_environment({"TOKENTRAIL_DATA": str(root), "TOKENTRAIL_TEAM": str(team), "TOKENTRAIL_AS_OF": as_of})
    )


def _line(number: int, line: Line) -> dict:
    day = date.fromisoformat(line.day) if line.day else None
    month = date.fromisoformat(line.month)
    starts = day or month
    known = None if line.is_without_rate else line.usd
    grain = "request" if line.request_id else "day" if day else "month"
    return {
        "invoice_line_key": hashlib.md5(f"line {number}".encode(), usedforsecurity=False).hexdigest(),
        "vendor": line.vendor,
        "account": line.account,
        "billing_month": month,
        "charge_grain": grain,
        "charge_date": day,
        "charge_period_start": datetime.combine(starts, datetime.min.time()),
        "charge_period_end": datetime.combine(starts, datetime.min.time()) + timedelta(days=1),
        "invoice_id": None if line.is_provisional else "INV-1",
        "request_id": line.request_id,
        "description": f"{line.model}, {line.leaf}",
        "service": None,
        "is_mapped": line.is_mapped,
        "model": line.model,
        "our_model": line.model,
        "leaf": line.leaf,
        "is_metered": line.leaf in KINDS,
        "processing": line.processing,
        "service_tier": None,
        "line_type": line.line_type,
        "charge_class": line.charge_class,
        "occurrence": line.occurrence,
        "quantity": None if line.quantity is None else Decimal(line.quantity).quantize(Decimal("0.000001")),
        "currency": line.currency,
        "billed_usd": known,
        "billed_usd_at_seed_rate": line.seed_usd if line.seed_usd is not None else known,
        "list_usd": line.list_usd,
        "effective_usd": line.effective_usd,
        "is_provisional": line.is_provisional,
        "is_counted": True,
        "landing_file": f"invoices/{line.vendor}/{line.account}/dt={line.month}/bill.csv",
        "line_number": number + 1,
    }


def _report(report: Report) -> dict:
    day = date.fromisoformat(report.day)
    return {
        "vendor": report.vendor,
        "account": report.account,
        "billing_month": day.replace(day=1),
        "charge_date": day,
        "model": report.model,
        "our_model": report.model,
        "leaf": report.leaf,
        "processing": None,
        "service_tier": None,
        "quantity": Decimal(report.quantity).quantize(Decimal("0.000001")),
        "is_counted": True,
    }


MONEY, PRICE, QUANTITY = pa.decimal128(38, 12), pa.decimal128(23, 18), pa.decimal128(20, 6)
PLAIN = {
    "attempts": pa.int64(), "input_tokens": pa.int64(), "line_number": pa.int64(), "quantity": QUANTITY,
    "occurrence": pa.int32(), "clock_delay_minutes": pa.int32(), "latency_ms": pa.float64(), "charge_date": pa.date32(),
}  # fmt: skip


def _type(name: str, row: type) -> pa.DataType:
    if name in PLAIN:
        return PLAIN[name]
    if name.endswith("_price_usd"):
        return PRICE
    if name.startswith("billed_requests") and not name.endswith("_usd"):
        return pa.int32()
    if name in {leaf.quantity for leaf in LEAVES}:
        return pa.int64()
    if name.endswith("_tolerance_usd"):
        return pa.float64()
    if name.endswith("_usd") or name.startswith("billed_usd"):
        return MONEY
    return {
        date: pa.date32(),
        datetime: pa.timestamp("us"),
        bool: pa.bool_(),
        int: pa.int32(),
        float: pa.float64(),
    }.get(row, pa.string())


def write_rows(warehouse: duckdb.DuckDBPyConnection, table: str, rows: list[dict]) -> None:
    """A table with the rows; one without rows has the columns of a row of its kind."""
    shape = rows or [EMPTY[table]]
    kinds = {name: next((type(row[name]) for row in shape if row[name] is not None), str) for name in shape[0]}
    columns = {name: pa.array([row[name] for row in rows], _type(name, kind)) for name, kind in kinds.items()}
    warehouse.register("landed", pa.table(columns))
    warehouse.execute(f"create or replace table {table} as from landed")
    warehouse.unregister("landed")


EMPTY = {
    "intermediate.int_invoice_lines": _line(0, Line(Decimal(1), "2026-10-01")),
    "intermediate.int_provider_usage_lines": _report(Report("2026-10-01", 1)),
    "intermediate.int_vendor_accounts": {each.name: getattr(Account(), each.name) for each in fields(Account)},
}
