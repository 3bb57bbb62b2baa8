"""A file of an invoice, judged as the loader would and loaded nowhere: its lines, what is skipped or out of scope, what is refused."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from orchestration.landing.convert import open_database
from orchestration.landing.files import LandingFile, judged, reading
from orchestration.landing.invoice_kinds import read_kinds
from orchestration.landing.invoice_records import FOLDER
from orchestration.landing.invoices import taken_from
from orchestration.landing.lines import read_blocks
from orchestration.landing.load import table_of
from orchestration.landing.reasons import FILE_PROBLEMS
from orchestration.settings import Settings

CONTENT = "checked"  # its content hash: there is one file
OUTCOMES = ("loaded", "out_of_scope", "skipped", "rejected")


@dataclass
class CheckedInvoice:
    """What a load would make of a file of a vendor."""

    vendor: str
    rows: list[dict] = field(default_factory=list)  # as they would be in the raw zone
    skips: Counter[str] = field(default_factory=Counter)  # items, by reason
    amounts: dict[str, dict[str, Decimal]] = field(default_factory=dict)  # by outcome, by currency
    refused: list[tuple[int, int, str, str]] = field(
        default_factory=list
    )  # line (0: the file), item, reason code, detail

    @property
    def items(self) -> dict[str, int]:
        """How many items have each outcome."""
        skipped = self.skips.total() - self.skips["out_of_scope"]
        return dict(
            zip(OUTCOMES, (len(self.rows), self.skips["out_of_scope"], skipped, len(self.refused)), strict=True)
        )


def check_invoice(path: Path, settings: Settings, vendor: str) -> CheckedInvoice:
    """Judges a file as if it had landed in the folder of a vendor. Raises MappingError, OSError and duckdb.Error."""
    found, kinds = CheckedInvoice(vendor), read_kinds(settings.team)
    file = judged(LandingFile(f"{FOLDER}/{vendor}/checked/dt=2000-01-01/{path.name}", path.stat().st_size, ""))
    if file.problem:
        found.refused.append((0, 1, file.problem, FILE_PROBLEMS[file.problem]))
        return found
    tables: list[pa.Table] = []
    with (
        TemporaryDirectory(prefix="tokentrail-check-") as spill,
        open_database(settings.memory_limit, Path(spill), settings.id_secret) as database,
    ):
        with reading(file):
            for block in read_blocks(path, file.extension, settings, database, False, True, True):
                found.refused += [(each.line_number, 1, each.reason_code, each.detail) for each in block.broken]
                if len(block.numbers):
                    tables.append(table_of(CONTENT, block, file.path))
        if not tables:
            return found
        taken = taken_from(database, pa.concat_tables(tables, promote_options="default"), kinds)
    found.rows = [row for rows in taken.rows.values() for row in rows]
    found.skips = taken.found.skips.get(CONTENT, Counter())
    for key, amount in taken.found.amounts.get(CONTENT, {}).items():
        outcome, _, currency = key.rpartition(" ")
        found.amounts.setdefault(outcome, {})[currency] = amount
    for _, line_number, item, reason, _ in taken.found.rejects:
        code, _, detail = reason.partition("\t")
        found.refused.append((line_number, item, code, detail))
    found.refused.sort()
    return found
