"""The last month that vendors billed, next to what calls cost: ten lines of a screen for three accounts."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypedDict

import duckdb

from orchestration.plain import visible
from orchestration.wording import change, count, many, usd

ACCOUNTS, PARTS = 3, 4  # shown of a month, and of a difference; what is more is counted, or summed up
# Parts of the difference, in the order in which they are taken from it, as people call them.
BUCKETS = {
    "tax": "Tax",
    "fee": "Fees",
    "credit": "Credits",
    "discount": "Discounts",
    "prior_period": "Other periods",
    "currency": "Exchange rate",
    "timing": "Vendor's clock",
    "billed_twice": "Billed twice",
    "unpriced": "Calls without a price",
    "failed": "Failed calls",
    "estimated": "Estimated usage",
    "uncaptured": "Not captured",
    "unbilled": "Not billed",
    "rate": "Another rate",
    "rounding": "Rounding",
    "unexplained": "Unexplained",
}
STATUSES = {
    "within": "within the tolerance",
    "outside": "outside the tolerance",
    "provisional": "outside the tolerance, and not final yet",
    "late": "days are missing",
    "not_billed_yet": "days are not billed yet",
    "no_rate": "an exchange rate is missing",
}


class Account(TypedDict):
    """A month of an account, as its rows of reconciliation_monthly add up."""

    vendor: str
    account: str
    account_status: str
    ours_usd: Decimal | None
    billed_usd: Decimal | None
    difference_usd: Decimal | None
    account_variance_usd: Decimal
    account_tolerance_usd: Decimal
    tolerance_owner: str | None
    next_action: str | None
    parts: dict[str, Decimal]


MONTH = """
    select max(billing_month) from reconciliation_monthly
    where is_billed and billing_month + interval 1 month <= $as_of
"""
ACCOUNTS_SQL = f"""
    select vendor, account, any_value(account_status) as account_status,
        sum(ours_usd) filter (where difference_usd is not null) as ours_usd,
        sum(billed_usd) filter (where difference_usd is not null) as billed_usd,
        sum(difference_usd) as difference_usd, any_value(account_variance_usd) as account_variance_usd,
        any_value(account_tolerance_usd) as account_tolerance_usd, any_value(tolerance_owner) as tolerance_owner,
        arg_max(next_action, abs(usage_variance_usd)) as next_action,
        {{{", ".join(f"'{name}': sum({name}_usd) filter (where difference_usd is not null)" for name in BUCKETS)}}} as parts
    from reconciliation_monthly where billing_month = $month
    group by vendor, account having bool_or(is_billed)
    order by abs(sum(difference_usd)) desc nulls last, vendor, account
"""  # noqa: S608 (our own names)


def last_month(marts: duckdb.DuckDBPyConnection, as_of: datetime) -> Iterator[str]:
    """Each account of the last complete month that is billed; nothing where none is."""
    if not marts.execute("from duckdb_tables() where table_name = 'reconciliation_monthly'").fetchall():
        return
    [(month,)] = marts.execute(MONTH, {"as_of": as_of.astimezone(UTC).replace(tzinfo=None)}).fetchall()
    if month is None:
        return
    found = marts.execute(ACCOUNTS_SQL, {"month": month})
    names = [column[0] for column in found.description]
    accounts: list[Account] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]  # type: ignore[misc]  # by its SQL
    yield f"{month:%B %Y}: what vendors bill next to what calls cost."
    for account in accounts[:ACCOUNTS]:
        yield from _lines(account, month)
    if len(accounts) > ACCOUNTS:
        yield f"{many(len(accounts) - ACCOUNTS, 'more account')}: the page Finance of make inbox"


def _lines(account: Account, month: date) -> Iterator[str]:
    name = visible(f"{account['vendor']} {account['account']}")
    if account["difference_usd"] is None or account["billed_usd"] is None or account["ours_usd"] is None:
        yield f"{name}: {STATUSES[account['account_status']]}, so that nothing can be compared in {month:%B}."
        return
    difference, variance = account["difference_usd"], account["account_variance_usd"]
    owner = f" of {visible(account['tolerance_owner'])}" if account["tolerance_owner"] else ""
    usage = "" if variance == difference else f", of usage {change(variance)}"
    yield (
        f"{name}: billed {usd(account['billed_usd'])}, ours {usd(account['ours_usd'])}: {change(difference)}{usage}, "
        f"{STATUSES[account['account_status']]}{owner} ({usd(account['account_tolerance_usd'])})."
    )
    if parts := _parts(account):
        yield f"  {parts}"
    if account["account_status"] != "within" and account["next_action"]:
        yield f"  Next: {account['next_action']}"


def _parts(account: Account) -> str:
    """The largest parts, and the sum of the others: together the difference."""
    parts = sorted(((usd, name) for name, usd in account["parts"].items() if usd), key=lambda part: -abs(part[0]))
    most = PARTS if len(parts) > PARTS + 1 else len(parts)  # one more would be as long by its name
    shown = [f"{BUCKETS[name]} {change(amount)}" for amount, name in parts[:most]]
    rest = parts[most:]
    more = [f"{count(len(rest))} more {change(sum((amount for amount, _ in rest), Decimal(0)))}"] if rest else []
    return ", ".join(shown + more)
