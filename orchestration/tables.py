"""Tables for a terminal in which no name is broken: text is wrapped between words, or each row is printed as `name: value`."""

from collections.abc import Collection, Sequence
from decimal import Decimal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.plain import visible
from orchestration.wording import cell

GAP = 2  # blanks between columns, as rich sets them


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[tuple], numbers: Collection[str] = ()
) -> None:
    """A titled table, numbers to the right; with no rows, a line that says so. Cells are shown as they are, whatever the console.

    `numbers` are columns of numbers that are written already.

    Where the longest words of all columns do not fit next to each other, every row becomes lines of `name: value`.
    """
    if not rows:
        console.print(Text(f"{title}: none\n"))
        return
    names = [column.replace("_", " ") for column in columns]
    cells = [[visible(cell(column, value)) for column, value in zip(columns, row, strict=True)] for row in rows]
    widths = _widths([names, *cells], console.width)
    if widths is None:
        lines = [Text(f"{name}: {value}") for row in cells for name, value in zip(names, row, strict=True)]
        console.print(Text(title, style="bold"), *lines, "", sep="\n", soft_wrap=True)
        return
    table = Table(
        title=title or None, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for index, (column, name, width) in enumerate(zip(columns, names, widths, strict=True)):
        first = next((row[index] for row in rows if row[index] is not None), None)
        is_number = column in numbers or isinstance(first, int | float | Decimal)
        table.add_column(name, justify="right" if is_number else "left", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table, "")


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """How wide each column is where all fit without breaking a word, the space that is left to who needs it; else None."""
    wanted = [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]
    widths = [
        max(cell_len(word) for text in cells for word in text.split() or [""]) for cells in zip(*rows, strict=True)
    ]
    left = width - GAP * (len(widths) - 1) - sum(widths)
    if left < 0:
        return None
    for _ in range(left):
        at = max(range(len(widths)), key=lambda at: wanted[at] / (widths[at] or 1))
        widths[at] += widths[at] < wanted[at]
    return widths
