"""The price book: the catalogue and the team's overrides, resolved for the models that were seen."""

import dagster as dg

from orchestration.defs.metadata import preview
from orchestration.defs.raw import raw_events
from orchestration.prices.book import read_price_book, seen_price_keys, update_price_book
from orchestration.prices.diff import PROBLEMS
from orchestration.prices.diff import price_diff as compare_price_books
from orchestration.settings import Settings
from pricing.rows import PriceKey


@dg.asset(group_name="prices", kinds={"python", "parquet"}, owners=["team:finance"], deps=[raw_events])
def price_book_ledger(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """One row per price of a (provider, model, variant) as reported, append-only by version; unknown models are rows without prices."""
    book = update_price_book(settings)
    unknown = [{"provider": provider, "model": model} for provider, model in book.unknown]
    return dg.MaterializeResult(metadata=book.summary() | {"unknown_models": preview(unknown)})


@dg.asset_check(asset=price_book_ledger, blocking=True)
def every_price_key_has_rows(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Every (provider, model, variant) that was seen is in the current version, priced or as unknown."""
    rows = read_price_book(settings).select(PriceKey._fields).to_pylist()
    missing = sorted(set(seen_price_keys(settings)) - {PriceKey(**row) for row in rows}, key=str)
    return dg.AssetCheckResult(passed=not missing, metadata={"missing": [str(key) for key in missing[:20]]})


@dg.op(description="How the pending overrides, catalogue and code would change costs: the run's metadata has the rows.")
def compare_pending_prices(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Writes nothing to the ledger or the warehouse."""
    try:
        diff = compare_price_books(settings)
    except PROBLEMS as problem:
        raise dg.Failure(str(problem), allow_retries=False) from None
    moved = [row for row in diff.changes if row["attempts"]]
    context.add_output_metadata(
        {
            "price_book_in_force": diff.in_force,
            "price_book_pending": diff.pending,
            "changed_prices": len(diff.changes),
            "moved_usd": str(diff.moved_usd),
            "moved": preview(moved),
        }
    )


@dg.job(
    executor_def=dg.in_process_executor,
    description="How a pending change of prices would change costs, before it is applied. Run it at any time.",
)
def price_diff() -> None:
    """One step; nothing is materialised."""
    compare_pending_prices()
