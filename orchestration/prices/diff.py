"""How a pending change of prices would change costs, before it is applied: `make price-diff`.

Pending is whatever the next run would book: edited overrides, a newer catalogue, newer code. A trial data root gets a ledger
with the current version and the pending one, and the published attempts of the models whose prices differ; there dbt builds
`price_book_changes` as it does in a run. Nothing is written to the ledger or to the warehouse, and no run is waited for.
"""

import json
import shutil
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration.dbt import run_dbt
from orchestration.prices.book import PriceBookError, book_home, update_price_book, versions
from orchestration.settings import Settings
from orchestration.storage import LockHeldError
from orchestration.warehouse import warehouse
from pricing.catalogue import UnrepresentableError
from pricing.overrides import OverrideError
from pricing.rows import Row


class NothingToCompareError(RuntimeError):
    """There is no price book, or nothing is published: the sentence says what to do."""


PROBLEMS = (
    LockHeldError,
    OverrideError,
    UnrepresentableError,
    PriceBookError,
    NothingToCompareError,
)  # their sentences say what to do


@dataclass(frozen=True)
class PriceDiff:
    """The current version, the pending one, and rows as `price_book_changes` will have them; equal versions: none."""

    in_force: str
    pending: str
    changes: list[Row]

    @property
    def moved_usd(self) -> Decimal:
        """USD by which totals would change."""
        return sum((row["moved_usd"] for row in self.changes), Decimal(0))


def price_diff(settings: Settings) -> PriceDiff:
    """Compare the pending price book with the current one over the published fact.

    Raises one of PROBLEMS: wrong overrides, a catalogue that no row can say, a book that cannot be read, or none before the first run.
    """
    home, published = book_home(settings), settings.published_marts
    listed = versions(home)
    if not listed or not published.exists():
        raise NothingToCompareError(f"{settings.data} has no price book or no published marts yet: `make run` first.")
    settings.state.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="price-diff-", dir=settings.state) as folder:
        trial = replace(settings, data=Path(folder))
        in_force, trial_home = listed[-1]["price_book_version"], book_home(trial)
        shutil.copytree(home / in_force, trial_home / in_force)
        (trial_home / "versions.jsonl").write_text(json.dumps(listed[-1]) + "\n")
        pending = update_price_book(settings, trial_home).version
        if pending == in_force:
            return PriceDiff(in_force, pending, [])
        _lend_attempts(trial, published, trial_home / in_force, trial_home / pending)
        run_dbt(trial, "run", "--quiet", "--select", "+int_price_book_changes", "--exclude", "+fct_attempts")
        with warehouse(trial) as connection:
            changes = connection.execute("from intermediate.int_price_book_changes").to_arrow_table().to_pylist()
        return PriceDiff(in_force, pending, changes)


def _lend_attempts(trial: Settings, published: Path, in_force: Path, pending: Path) -> None:
    """Fill a new trial warehouse with what the comparison reads: attempts whose model has other price rows now, and their dates."""
    with warehouse(trial, read_only=False) as connection:
        connection.execute("create schema marts; create schema intermediate")
        connection.execute(f"attach {_quoted(published)} as published (read_only)")
        rows = "select provider, model, price_row_key from read_parquet({})"
        old, new = (rows.format(_quoted(version / "*.parquet")) for version in (in_force, pending))
        connection.execute(
            f"""
            create table marts.fct_attempts as
            select * from published.marts.fct_attempts
            where (provider, model) in (
                select provider, model from (({old} except {new}) union all ({new} except {old}))
            )
            """  # noqa: S608
        )
        connection.execute(
            "create table intermediate.attempt_days as "
            "select distinct event_date, 'trial' as input_fingerprint from marts.fct_attempts"
        )


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
