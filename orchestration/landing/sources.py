"""The sources of the landing zone: how the lines of each become rows, and which columns its raw files have."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestration.landing import convert, fields, incidents, invoices
from orchestration.landing.invoice_kinds import hash_of_kinds
from orchestration.landing.mapped import convert_mapped
from orchestration.landing.mapping import Mapping, read_mappings
from orchestration.settings import Settings


@dataclass(frozen=True)
class Source:
    """One folder of landing. `convert` types, judges and writes a batch of its lines."""

    convert: Callable[..., convert.Converted]
    raw_columns: dict[str, str]  # name -> DuckDB type, in order
    takes_fields: bool = False  # whether `convert` takes typed columns too
    mapping: Mapping | None = None  # onto the native event
    mapping_hash: str | None = None  # what a file was read with: with another mapping it is read again
    identity: Callable[[str, str], str] | None = None  # of a content, by its path, where folders tell contents apart
    problem_of_path: Callable[[str], str | None] | None = None  # what keeps a file from being read, by its path

    @property
    def reads_documents(self) -> bool:
        """Whether a line may hold many records: then it may be long, and says its file."""
        return self.mapping is not None or self.identity is not None

    @property
    def takes_any_name(self) -> bool:
        """Whether files without an ending are JSON."""
        return self.mapping is not None and self.mapping.takes_any_name


NO_TEAM = Path("/nonexistent")  # the shipped kinds alone
# Sources whose lines are read as they are; those of sources_of besides have a mapping onto `events`.
OWN_SOURCES = {
    "events": Source(convert.convert, fields.RAW_COLUMNS, takes_fields=True),
    "incidents": Source(incidents.convert, incidents.RAW_COLUMNS),
    "invoices": Source(
        invoices.convert_invoices(NO_TEAM),
        invoices.RAW_COLUMNS,
        identity=invoices.content_of,
        problem_of_path=invoices.problem_of_path,
    ),
}
NOT_USAGE = ("incidents", "invoices")  # sources that hold other things than calls (dbt: macro `is_usage`)


def sources_of(settings: Settings) -> dict[str, Source]:
    """Every source by name, the team's own included. Raises MappingError with a sentence for each mistake in a mapping."""
    mapped = {
        name: Source(convert_mapped(mapping), fields.RAW_COLUMNS, mapping=mapping, mapping_hash=mapping.hash)
        for name, mapping in read_mappings(settings.team).items()
    }
    of_team = replace(
        OWN_SOURCES["invoices"],
        convert=invoices.convert_invoices(settings.team),
        mapping_hash=hash_of_kinds(settings.team),
    )
    return OWN_SOURCES | {"invoices": of_team} | mapped
