"""The sources of the landing zone: how the lines of each become rows, and which columns its raw files have."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestration.landing import convert, fields, incidents


@dataclass(frozen=True)
class Source:
    """One folder of landing. `convert` types, judges and writes a batch of its lines."""

    convert: Callable[..., convert.Converted]
    raw_columns: dict[str, str]  # name -> DuckDB type, in order
    takes_fields: bool = False  # whether `convert` takes typed columns too


SOURCES = {
    "events": Source(convert.convert, fields.RAW_COLUMNS, takes_fields=True),
    "incidents": Source(incidents.convert, incidents.RAW_COLUMNS),
}
