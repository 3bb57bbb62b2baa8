"""What assets show of themselves in Dagster."""

import dagster as dg

ROWS = 20  # of a table, so that a page of the UI stays readable


def preview(rows: list[dict], most: int = ROWS) -> dg.TableMetadataValue | str:
    """A small table for the metadata of an asset; a dash where there is nothing to show."""
    if not rows:
        return "-"
    return dg.MetadataValue.table(
        [dg.TableRecord({key: _plain(value) for key, value in row.items()}) for row in rows[:most]]
    )


def _plain(value: object) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else "-" if value is None else str(value)
