"""What `make check-events FILE=... SOURCE=invoices/<vendor>` prints: what a load would make of an invoice or a cost export."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.text import Text

from orchestration.landing.invoice_checking import CheckedInvoice
from orchestration.landing.reasons import ADVICE, AGAIN
from orchestration.plain import visible
from orchestration.settings import Settings
from orchestration.tables import print_table
from orchestration.team.invoices import INVOICE_LABEL_MAPS
from orchestration.team.rows import read_rows
from orchestration.wording import all_digits, listed, many

SHOWN = 8  # refused items and labels that one screen shows; ALL=true shows everything


def print_invoice(found: CheckedInvoice, path: Path, settings: Settings, console: Console, show_all: bool) -> None:
    """Its lines by kind, month and type with their amounts, what is left out and why; the verdict is first and last."""
    _say(console, f"{path}: {_verdict(found)}", "")
    if found.rows:
        columns = ("export", "grouped_by", "month", "line_type", "items", "amount", "currency")
        print_table(console, "What would be loaded", columns, _lines(found))
    if left_out := [(why, items, _money(found, why)) for why, items in found.skips.most_common()]:
        print_table(console, "What would be left out", ("why", "items", "amount"), left_out)
    if found.refused:
        reasons = Counter(code for _, _, code, _ in found.refused)
        rows = [(code, items, ADVICE[code].removesuffix(AGAIN)) for code, items in reasons.most_common()]
        print_table(console, "What would be rejected, by reason", ("reason", "items", "what_to_do"), rows)
        _say(console, *_refused(found, show_all), "")
    if labels := _unknown_labels(found, settings):
        shown = labels if show_all else labels[:SHOWN]
        more = f", and {many(len(labels) - len(shown), 'more')}" if labels[len(shown) :] else ""
        _say(
            console,
            f"- No row of invoice_label_maps.csv knows {listed([repr(label) for label in shown])}{more}: their lines keep "
            "their amounts, and have no token kind until a row says what they are.",
            "",
        )
    land = f" Land it as landing/invoices/{found.vendor}/<account>/dt=YYYY-MM-DD/{path.name}." if found.rows else ""
    _say(console, f"{path.name}: {_verdict(found)}{land}")


def _say(console: Console, *lines: str) -> None:
    console.print(*(Text(visible(line)) for line in lines), sep="\n", soft_wrap=True)


def _verdict(found: CheckedInvoice) -> str:
    of_file = next((each for each in found.refused if not each[0]), None)
    if of_file and not found.rows:
        return f"the file would be rejected, {of_file[2]}: {of_file[3]}."
    names = {"loaded": "would be loaded", "out_of_scope": "out of scope", "skipped": "skipped", "rejected": "rejected"}
    items = found.items
    said = [
        f"{items[outcome]:,} {words}{_in_parentheses(_money(found, outcome))}"
        for outcome, words in names.items()
        if items[outcome] or outcome in ("loaded", "rejected")
    ]
    return f"of {many(sum(items.values()), 'item')} {', '.join(said)}."


def _in_parentheses(text: str) -> str:
    return f" ({text})" if text else ""


def _money(found: CheckedInvoice, outcome: str) -> str:
    of_skipped = "out_of_scope" if outcome == "out_of_scope" else "skipped"
    name = outcome if outcome in found.amounts or outcome in ("loaded", "rejected") else of_skipped
    return ", ".join(
        f"{all_digits(amount)} {currency}" for currency, amount in sorted(found.amounts.get(name, {}).items())
    )


def _lines(found: CheckedInvoice) -> list[tuple]:
    sums: defaultdict[tuple, list] = defaultdict(lambda: [0, Decimal(0)])
    for row in found.rows:
        kind = (row["source_kind"], row["grouping"] or "-", f"{row['billing_month']:%Y-%m}")
        of_kind = sums[(*kind, row["line_type"] or "quantities", row["currency"] or "-")]
        of_kind[0] += 1
        of_kind[1] += row["amount"] or 0
    return [(*key[:-1], items, all_digits(amount), key[-1]) for key, (items, amount) in sorted(sums.items())]


def _refused(found: CheckedInvoice, show_all: bool) -> Iterator[str]:
    shown = found.refused if show_all else found.refused[:SHOWN]
    for line_number, item, code, detail in shown:
        of_item = f", item {item}" if item > 1 else ""
        yield f"{f'line {line_number}{of_item}' if line_number else 'the file'}: {code}: {detail}."
    if more := len(found.refused) - len(shown):
        yield f"{many(more, 'more item')}. ALL=true shows them."


def _unknown_labels(found: CheckedInvoice, settings: Settings) -> list[str]:
    """Labels of lines for usage that no row of the label maps fits."""
    maps = [row for row in read_rows(settings.team, INVOICE_LABEL_MAPS) if row.vendor in (found.vendor, "*")]
    patterns = [re.compile(row.pattern, re.IGNORECASE) for row in maps]
    labels = {row["label"] for row in found.rows if row["line_type"] == "usage" and row["label"]}
    return sorted(label for label in labels if not any(pattern.fullmatch(label) for pattern in patterns))
