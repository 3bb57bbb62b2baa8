"""Coverage as asset checks: Great Expectations suites over small profiles that SQL computed, and senders that fell silent.

Loud, but coverage never stops a publication.
"""

from collections.abc import Iterator
from datetime import UTC

import dagster as dg

from orchestration.defs.raw import raw_events, raw_incidents
from orchestration.notifications.silences import real_senders, sentence
from orchestration.quality.suites import validate
from orchestration.settings import Settings
from orchestration.warehouse import warehouse

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
    "invoices": dg.AssetCheckSpec(
        "invoices_say_what_they_seem",
        asset=dg.AssetKey("invoice_exports"),
        additional_deps=[dg.AssetKey("unmapped_invoice_lines"), dg.AssetKey("provider_usage_lines")],
        description="Invoices have an exchange rate, the right month, one grouping, plausible amounts and known labels.",
    ),
    "calls_seen_twice": dg.AssetCheckSpec(
        "calls_that_two_sources_saw",
        asset=dg.AssetKey("fct_attempts"),
        description="Calls that a gateway and a tracer may both have reported, and which are counted twice.",
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


@dg.asset_check(asset=dg.AssetKey("source_freshness"))
def no_sender_is_silent(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Each sender of real data makes the calls that it usually makes: this is how fresh the data are, whenever a run was."""
    with warehouse(settings) as connection:
        connection.execute("use marts")
        senders = real_senders(connection)
    silent = [sentence(row) for row in senders if row["status"] == "silent"]
    fresh_until = [row["silent_from"].replace(tzinfo=UTC) for row in senders if row["silent_from"]]
    last = [row["last_event_at"].replace(tzinfo=UTC) for row in senders]
    return dg.AssetCheckResult(
        passed=not silent,
        severity=dg.AssetCheckSeverity.ERROR,
        description="\n".join(silent) or "Every sender makes its usual calls.",
        metadata={
            "silent": silent,
            **({"dagster/last_updated_timestamp": dg.MetadataValue.timestamp(max(last))} if last else {}),
            **({"dagster/fresh_until_timestamp": dg.MetadataValue.timestamp(min(fresh_until))} if fresh_until else {}),
        },
    )
