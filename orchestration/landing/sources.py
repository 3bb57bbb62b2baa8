"""The sources of the landing zone: how the lines of each become rows, and which columns its raw files have."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestration.landing import convert, fields, incidents
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

    @property
    def mapping_hash(self) -> str | None:
        """What a file was read with: with another mapping it is read again."""
        return self.mapping.hash if self.mapping else None

    @property
    def takes_any_name(self) -> bool:
        """Whether files without an ending are JSON."""
        return self.mapping is not None and self.mapping.takes_any_name


# Sources whose lines are read as they are; those of sources_of besides have a mapping onto `events`.
OWN_SOURCES = {
    "events": Source(convert.convert, fields.RAW_COLUMNS, takes_fields=True),
    "incidents": Source(incidents.convert, incidents.RAW_COLUMNS),
}


def sources_of(settings: Settings) -> dict[str, Source]:
    """Every source by name, the team's own included. Raises MappingError with a sentence for each mistake in a mapping."""
    mapped = {
        name: Source(convert_mapped(mapping), fields.RAW_COLUMNS, mapping=mapping)
        for name, mapping in read_mappings(settings.team).items()
    }
    return OWN_SOURCES | mapped
