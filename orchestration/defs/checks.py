"""Coverage as asset checks: Great Expectations suites over small profiles that SQL computed, and senders that fell silent.

Loud, but coverage never stops a publication.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC

import dagster as dg

from expectations.run import Outcome, definition_of
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
    "calls_seen_twice": dg.AssetCheckSpec(
        "calls_that_two_sources_saw",
        asset=dg.AssetKey("fct_attempts"),
        description="Calls that a gateway and a tracer, or two instrumentations, may both have reported, and which are counted twice.",
    ),
}
# Suites whose expectations are checks of their own: the asset of all of them, and what else they read.
SUITES_OF_BILLS = {
    "invoices": ("invoice_exports", ("unmapped_invoice_lines", "provider_usage_lines")),
    "reconciliation": ("reconciliation_monthly", ("reconciliation_daily", "invoice_exports")),
}


def _checks_of(suite: str) -> dict[str, dg.AssetCheckSpec]:
    """The checks of a suite of bills by name, each with the sentence of its expectation."""
    asset, others = SUITES_OF_BILLS[suite]
    return {
        expectation["meta"]["check"]: dg.AssetCheckSpec(
            expectation["meta"]["check"],
            asset=dg.AssetKey(asset),
            additional_deps=[dg.AssetKey(each) for each in others],
            description=expectation["meta"]["says"],
        )
        for expectation in definition_of(suite)["expectations"]
    }


CHECKS_OF_BILLS = {suite: _checks_of(suite) for suite in SUITES_OF_BILLS}
SPECS = [*SUITES.values(), *(spec for checks in CHECKS_OF_BILLS.values() for spec in checks.values())]


@dg.multi_asset_check(specs=SPECS, name="expectations")
def expectations(settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
    """Each suite's outcome, in sentences, with the rows that fail."""
    # a file that is open stays loaded, and each suite reads it
    with warehouse(settings) if settings.warehouse.exists() else nullcontext():
        for suite, spec in SUITES.items():
            outcome = validate(settings, suite)
            yield _result(settings, spec, outcome, list(zip(outcome.sentences, outcome.severities, strict=True)))
        for suite, checks in CHECKS_OF_BILLS.items():
            outcome = validate(settings, suite)
            for name, spec in checks.items():
                found = zip(outcome.checks, outcome.sentences, outcome.severities, strict=True)
                yield _result(
                    settings, spec, outcome, [(said, severity) for check, said, severity in found if check == name]
                )


def _result(
    settings: Settings, spec: dg.AssetCheckSpec, outcome: Outcome, failures: list[tuple[str, str]]
) -> dg.AssetCheckResult:
    """What a check found: its sentences, each with a severity."""
    is_error = any(severity == "error" for _, severity in failures)
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=not failures,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=" ".join(said for said, _ in failures) or None,
        metadata={
            "rows": outcome.rows,
            "failing": dg.MetadataValue.md(outcome.table if failures else "-"),
            "unchanged": outcome.cached,
            "data_docs": dg.MetadataValue.path(settings.published / "docs" / "data_docs" / f"{outcome.suite}.html"),
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
