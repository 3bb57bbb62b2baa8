"""What a publication holds, and what is different from the former one: what people look for first after a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import Settings
from orchestration.warehouse import open_marts
from orchestration.wording import change, listed, many

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Contents:
    """What is published: totals by environment and data mode, and rows and dates of each mart."""

    totals: Rows
    marts: Rows


@dataclass(frozen=True)
class Changes:
    """Days whose attempts or cost differ from the former publication, newest first, and marts that have more or fewer rows.

    `comparable` is False where there is no former publication, or one of a release with other columns.
    """

    days: Rows
    marts: Rows
    comparable: bool = True

    def sentence(self) -> str:
        """The same in a line that fits into a narrow column."""
        if not self.comparable:
            return "no earlier publication to compare with"
        if not self.days and not self.marts:
            return "no day and no number of rows"
        attempts = sum(day["attempts"] - day["attempts_before"] for day in self.days)
        known = [day["change_usd"] for day in self.days if day["change_usd"] is not None]
        cost = change(sum(known)) if known else "cost unknown"
        days = [f"{many(len(self.days), 'day')} ({attempts:+,} attempts, {cost})"] if self.days else []
        return listed([*days, *([f"rows of {many(len(self.marts), 'mart')}"] if self.marts else [])])


def contents(settings: Settings) -> Contents:
    """What readers see now."""
    with open_marts(settings) as marts:
        return Contents(totals=_rows(marts, TOTALS), marts=_rows(marts, ROWS.format(publication="published")))


def changes(settings: Settings, former: Path | None) -> Changes:
    """What readers see now, compared with the folder of a former publication."""
    published = settings.published_marts
    database = former / published.name if former else None
    if not database or not database.exists():
        return Changes([], [], comparable=False)
    if database.samefile(published):
        return Changes([], [])
    with open_marts(settings) as marts:
        address = str(database.resolve()).replace("'", "''")
        marts.execute(f"attach '{address}' as former (read_only)")
        before, now = ROWS.format(publication="former"), ROWS.format(publication="published")
        try:
            return Changes(_rows(marts, DAYS), _rows(marts, CHANGED_ROWS.format(before=before, now=now)))
        except (duckdb.BinderException, duckdb.CatalogException):  # a release with other columns or marts made it
            return Changes([], [], comparable=False)


def _rows(marts: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    found = marts.execute(sql)
    columns = [name for name, *_ in found.description]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


TOTALS = """
    select data_mode, environment, cast(sum(attempts) as bigint) as attempts, sum(cost_usd) as cost_usd,
        cast(sum(unpriced_attempts) as bigint) as unpriced_attempts, min(event_date) as since, max(event_date) as until
    from data_quality_daily where attempts > 0
    group by data_mode, environment
    order by data_mode = 'real' desc, attempts desc, environment
"""
ROWS = "select mart, rows, since, until from {publication}.marts.catalog order by mart"
CHANGED_ROWS = """
    select mart, before.rows as rows_before, now.rows as rows
    from ({now}) as now full join ({before}) as before using (mart)
    where now.rows is distinct from before.rows
    order by mart
"""
DAYS = """
    with
        days as (
            select event_date, data_mode, sum(attempts) as attempts, sum(cost_usd) as cost_usd
            from published.marts.data_quality_daily group by event_date, data_mode
        ),
        before as (
            select event_date, data_mode, sum(attempts) as attempts, sum(cost_usd) as cost_usd
            from former.marts.data_quality_daily group by event_date, data_mode
        )
    select event_date, data_mode, cast(coalesce(before.attempts, 0) as bigint) as attempts_before,
        cast(coalesce(days.attempts, 0) as bigint) as attempts, before.cost_usd as cost_before_usd, days.cost_usd,
        -- where nothing is priced on both sides the change is unknown; on one side, the other is the change
        case when coalesce(days.cost_usd, before.cost_usd) is not null
            then coalesce(days.cost_usd, 0) - coalesce(before.cost_usd, 0) end as change_usd
    from days full join before using (event_date, data_mode)
    where days.attempts is distinct from before.attempts or days.cost_usd is distinct from before.cost_usd
    order by event_date desc, data_mode
"""
