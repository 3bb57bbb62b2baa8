"""The sources of the landing zone: how the files of each are read, and which columns its raw files have."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestration.landing import fields, incident_events, invoice_records
from orchestration.landing.invoice_kinds import hash_of_kinds
from orchestration.landing.mapping import Mapping, read_mappings
from orchestration.settings import Settings


@dataclass(frozen=True)
class Source:
    """One folder of landing; conversions.py says what becomes of its lines."""

    raw_columns: dict[str, str]  # name -> DuckDB type, in order
    takes_fields: bool = False  # whether its conversion takes typed columns too
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


# Sources whose lines are read as they are; those of sources_of besides have a mapping onto `events`.
OWN_SOURCES = {
    "events": Source(fields.RAW_COLUMNS, takes_fields=True),
    "incidents": Source(incident_events.RAW_COLUMNS),
    "invoices": Source(
        invoice_records.RAW_COLUMNS,
        identity=invoice_records.content_of,
        problem_of_path=invoice_records.problem_of_path,
    ),
}
NOT_USAGE = ("incidents", "invoices")  # sources that hold other things than calls (dbt: macro `is_usage`)


def sources_of(settings: Settings) -> dict[str, Source]:
    """Every source by name, the team's own included. Raises MappingError with a sentence for each mistake in a mapping."""
    own = {name: source_of(settings, name) for name in OWN_SOURCES}
    return own | {name: _onto_events(mapping) for name, mapping in read_mappings(settings.team).items()}


def source_of(settings: Settings, name: str) -> Source:
    """One source. Only for those that have a mapping all of them are read, which takes 0.4 s. Raises MappingError."""
    if name == "invoices":
        return replace(OWN_SOURCES[name], mapping_hash=hash_of_kinds(settings.team))
    return OWN_SOURCES.get(name) or _onto_events(read_mappings(settings.team)[name])


def _onto_events(mapping: Mapping) -> Source:
    return Source(fields.RAW_COLUMNS, mapping=mapping, mapping_hash=mapping.hash)
