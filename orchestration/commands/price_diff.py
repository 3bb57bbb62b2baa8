"""What a pending change of prices would move: `make price-diff`."""

import sys
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.plain import plain_console, visible
from orchestration.prices.diff import PROBLEMS, PriceDiff, price_diff
from orchestration.settings import from_environment
from orchestration.wording import count, millionths, minute
from pricing.rows import Row, price_name

MILLION = 1_000_000
WIDTH = 150  # characters


def print_price_diff(diff: PriceDiff, console: Console) -> None:
    """Money by model and month, then every changed price; sentences where there is nothing to show."""
    if diff.pending == diff.in_force:
        console.print(f"Nothing is pending: price book {diff.in_force} is the one that the next run would use.")
        return
    console.print(
        f"Pending: price book {diff.pending} in place of {diff.in_force}. Nothing is applied yet; `make run` does."
    )
    if not diff.changes:
        console.print("It changes no price of a model that was seen.")
        return
    console.print(_money(diff))
    console.print(_prices(diff))
    console.print(f"Totals would move by {millionths(diff.moved_usd, signed=True)} USD.")


def _money(diff: PriceDiff) -> Table:
    table = Table(title="Money by model and month", title_justify="left")
    for name in ("model", "month", "environment", "data mode", "attempts", "USD before", "USD after", "USD moved"):
        table.add_column(name, justify="right" if name.startswith(("USD", "attempts")) else "left")
    moved: dict[tuple, list] = {}
    for row in diff.changes:
        if row["attempts"]:
            key = (price_name(row["provider"], row["model"]), row["usage_month"], row["environment"], row["data_mode"])
            sums = moved.setdefault(key, [0, None, None, Decimal(0)])
            sums[0] += row["attempts"]
            sums[1], sums[2] = _plus(sums[1], row["cost_before_usd"]), _plus(sums[2], row["cost_after_usd"])
            sums[3] += row["moved_usd"]
    for (model, month, *scope), (attempts, before, after, difference) in sorted(moved.items(), key=str):
        money = (_usd(before), _usd(after), millionths(difference, signed=True))
        table.add_row(
            Text(visible(model)), f"{month:%Y-%m}", *(Text(visible(each)) for each in scope), count(attempts), *money
        )
    return table


def _prices(diff: PriceDiff) -> Table:
    table = Table(title="Prices, USD per million tokens: input / output", title_justify="left")
    for name in ("change", "price", "from", "to", "before", "after", "by"):
        table.add_column(name, overflow="fold")
    lines: set[tuple[str, ...]] = set()
    for row in diff.changes:
        scope = (row["processing"], row["service_tier"], row["region"], row["tenant_id"])
        before, after = (_rates(row, side) for side in ("old", "new"))
        by = row["adjustments"] or row["new_source"] or row["old_source"] or ""
        name = price_name(row["provider"], row["model"], *scope)
        lines.add((row["change_type"], name, _day(row["valid_from"]), _day(row["valid_to"]), before, after, by))
    for line in sorted(lines):
        table.add_row(*(Text(visible(cell)) for cell in line))
    return table


def _rates(row: Row, side: str) -> str:
    rates = (row[f"{side}_input_price_usd"], row[f"{side}_output_price_usd"])
    return " / ".join("-" if rate is None else f"{(rate * MILLION).normalize():f}" for rate in rates)


def _plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return one if other is None else other + (one or 0)


def _usd(amount: Decimal | None) -> str:
    return "unpriced" if amount is None else millionths(amount)


def _day(instant: datetime | None) -> str:
    return "always" if instant is None else minute(instant).removesuffix(" 00:00")


def main() -> int:
    """Print the difference; 2 with a sentence on stderr where there is none to be had."""
    try:
        print_price_diff(price_diff(from_environment()), plain_console(WIDTH))
    except (*PROBLEMS, ValueError) as error:  # ValueError: a setting
        print(visible(error, keep="\n"), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
