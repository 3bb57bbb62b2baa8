"""How the lines of each source become rows of the raw zone."""

from collections.abc import Callable
from pathlib import Path

from orchestration.landing import convert, incidents
from orchestration.landing.invoices import convert_invoices
from orchestration.landing.mapped import convert_mapped
from orchestration.landing.sources import Source


def conversion_of(source: str, described: Source, team: Path) -> Callable[..., convert.Converted]:
    """What types, judges and writes a batch of the lines of a source."""
    if described.mapping:
        return convert_mapped(described.mapping)
    own: dict[str, Callable[..., convert.Converted]] = {
        "events": convert.convert,
        "incidents": incidents.convert,
        "invoices": convert_invoices(team),
    }
    return own[source]
