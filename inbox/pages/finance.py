"""Finance: what each vendor billed next to what calls cost, the bridge between both, and what is behind each part of it.

`/finance?month=2026-10&vendor=openai&account=main&cell=<reconciliation_key>`: without a month the latest that is billed, without a
vendor its first account, with a cell the lines and calls behind it. Environment and data mode do not apply: a vendor bills them all.
"""

from datetime import date
from decimal import Decimal

from inbox import charts, words
from inbox.marts import Row
from inbox.page import File, NotFoundError, Page, Visit
from inbox.tables import csv_file, pasted
from orchestration.invoices.months import BUCKETS

MART = "reconciliation_monthly"
SUMS = ", ".join(f"sum({name}_usd) filter (where difference_usd is not null) as {name}_usd" for name in BUCKETS)
ACCOUNTS = f"""
    select billing_month, vendor, account, any_value(account_status) as account_status,
        sum(ours_usd) filter (where difference_usd is not null) as ours_usd,
        sum(billed_usd) filter (where difference_usd is not null) as billed_usd,
        sum(difference_usd) as difference_usd, any_value(account_variance_usd) as account_variance_usd,
        any_value(tolerance_owner) as tolerance_owner, any_value(account_tolerance_usd) as account_tolerance_usd,
        sum(provisional_lines) as provisional_lines, sum(lines) as lines,
        sum(ours_usd) filter (where difference_usd is null) as not_billed_usd, {SUMS}
    from {MART}
    group by billing_month, vendor, account
    order by billing_month desc, abs(sum(difference_usd)) desc nulls last, vendor, account
"""  # noqa: S608 (our own names)
CELLS = f"""
    select * from {MART}
    where billing_month = $month and vendor = $vendor and account = $account
    order by abs(difference_usd) desc nulls last, model nulls last, token_kind nulls last, tier nulls last
"""  # noqa: S608
COLUMNS = (
    *("vendor", "account", "billing_month", "model", "token_kind", "tier", "ours_usd", "billed_usd", "difference_usd"),
    *(f"{name}_usd" for name in BUCKETS),
    *("status", "tolerance_usd", "captured_quantity", "billed_quantity", "reason", "next_action"),
)
EVIDENCE = """
    select charge_date, bucket, evidence_kind, landing_file, endpoint_tag, tenant_id, request_id, items, amount_usd, query
    from reconciliation_evidence
    where vendor = $vendor and account = $account and billing_month = $month and model is not distinct from $model
        and token_kind is not distinct from $token_kind and tier is not distinct from $tier
    order by abs(amount_usd) desc nulls last, charge_date, bucket limit 200
"""
UNMAPPED = (
    "select * from unmapped_invoice_lines order by abs(billed_usd) desc nulls last, vendor, account, label limit 100"
)
EXPORTS = """
    select * from invoice_exports order by arrival_date desc, vendor, account, landing_file limit 50
"""


def show(visit: Visit) -> Page | File:
    """The page, or the cells of an account and month as CSV."""
    accounts = visit.marts.rows(ACCOUNTS)
    chosen = _chosen(visit, accounts)
    values: dict[str, object] = {
        "accounts": [row | {"address": _address(visit, row), "is_chosen": row is chosen} for row in accounts],
        "unmapped": visit.marts.rows(UNMAPPED),
        "exports": visit.marts.rows(EXPORTS),
        "explore": visit.filters.address("explore", by="provider"),
        "at": chosen,
    }
    if chosen:
        of_account = {name: chosen[column] for name, column in {"month": "billing_month"}.items()}
        of_account |= {"vendor": chosen["vendor"], "account": chosen["account"]}
        cells = visit.marts.rows(CELLS, **of_account)
        if visit.words.get("format") == "csv":
            about = f"{_address(visit, chosen)}; one row per model, kind of token and tier, dollars are USD"
            rows = ([row[name] for name in COLUMNS] for row in cells)
            return csv_file(f"reconciliation-{_month(chosen)}", about, COLUMNS, rows)
        values |= {
            "month": f"{chosen['billing_month']:%B %Y}",
            "steps": _bridge(chosen),
            "cells": [
                row | {"address": _address(visit, chosen, cell=row["reconciliation_key"]) + "#evidence"}
                for row in cells
            ],
            "csv": _address(visit, chosen, format="csv"),
            "sql": pasted(CELLS, of_account),
            **_evidence(visit, cells, of_account),
        }
    return Page("finance.html", "Finance", values)


def _chosen(visit: Visit, accounts: list[Row]) -> Row | None:
    """The month and account that the address names, or the first of the latest month that is billed."""
    wanted = {name: visit.words[name] for name in ("month", "vendor", "account") if name in visit.words}
    found = [row for row in accounts if all(_named(row)[name] == value for name, value in wanted.items())]
    if wanted and not found:
        links = [(f"{row['vendor']} {row['account']}, {_month(row)}", _address(visit, row)) for row in accounts[:5]]
        named = ", ".join(words.name(value) for value in wanted.values())
        raise NotFoundError("Which bill?", f"No bill is known for {named}.", links)
    return next((row for row in found if row["difference_usd"] is not None), found[0] if found else None)


def _named(row: Row) -> dict[str, str]:
    return {"month": _month(row), "vendor": row["vendor"], "account": row["account"]}


def _month(row: Row) -> str:
    month: date = row["billing_month"]
    return f"{month:%Y-%m}"


def _address(visit: Visit, row: Row, **changes: object) -> str:
    return visit.filters.address("finance", **_named(row), **changes)


def _bridge(row: Row) -> list[charts.Step]:
    """From what calls cost to what is billed, part by part; empty where nothing is billed yet."""
    if row["difference_usd"] is None:
        return []
    parts = ((label, row[f"{name}_usd"] or Decimal(0)) for name, label in BUCKETS.items())
    return charts.waterfall(
        ("What the calls cost", row["ours_usd"]), ((label, amount) for label, amount in parts if amount), "Billed"
    )


def _evidence(visit: Visit, cells: list[Row], of_account: dict[str, object]) -> dict[str, object]:
    key = visit.words.get("cell")
    cell = next((row for row in cells if row["reconciliation_key"] == key), None)
    if cell is None:
        return {"cell": None, "evidence": []}
    of_cell = {name: cell[name] for name in ("model", "token_kind", "tier")}
    rows = visit.marts.rows(EVIDENCE, **of_account, **of_cell)
    return {
        "cell": cell,
        "parts": [(label, cell[f"{name}_usd"]) for name, label in BUCKETS.items() if cell[f"{name}_usd"]],
        "evidence": [
            row
            | {
                "called": BUCKETS.get(row["bucket"], row["bucket"]),
                "address": visit.filters.address("request", id=row["request_id"]) if row["request_id"] else None,
            }
            for row in rows
        ],
    }
