"""Great Expectations suites as asset checks over small profiles that SQL computed: loud, but coverage never stops a publication."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.raw import raw_events, raw_incidents
from orchestration.quality.suites import validate
from orchestration.settings import Settings

SUITES = {
    "load_profile": dg.AssetCheckSpec(
        "rejects_are_few_and_explained",
        asset=raw_events,
        additional_deps=[raw_incidents],
        description="Each file's lines are accounted for, and rejects stay few.",
    ),
    "price_book": dg.AssetCheckSpec(
        "prices_are_plausible",
        asset=dg.AssetKey("price_book"),
        description="Prices are sane, dated half-open, and never zero by accident.",
    ),
    "unpriced_models": dg.AssetCheckSpec(
        "models_missing_from_the_pricing_map",
        asset=dg.AssetKey("unpriced_models"),
        description="Models that were called and have no price: every total that leaves them out is understated.",
    ),
    "price_coverage": dg.AssetCheckSpec(
        "approximate_costs",
        asset=dg.AssetKey("fct_attempts"),
        description="Calls whose cost is approximate: a variant without a price, a name whose meaning changed, or partial usage.",
    ),
}
SEVERITY = {
    "none": dg.AssetCheckSeverity.WARN,
    "warning": dg.AssetCheckSeverity.WARN,
    "error": dg.AssetCheckSeverity.ERROR,
}


@dg.multi_asset_check(specs=list(SUITES.values()), name="expectations")
def expectations(settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
    """Each suite's outcome, in sentences, with the rows that fail."""
    for suite, spec in SUITES.items():
        outcome = validate(settings, suite)
        yield dg.AssetCheckResult(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=outcome.passed,
            severity=SEVERITY[outcome.severity],
            description=" ".join(outcome.sentences) or None,
            metadata={
                "rows": outcome.rows,
                "failing": dg.MetadataValue.md(outcome.table),
                "unchanged": outcome.cached,
                "data_docs": dg.MetadataValue.path(settings.published / "docs" / "data_docs" / f"{suite}.html"),
            },
        )
