"""What the series of alerts cost day by day: the alert's own series, likely cost of unpriced calls included, as alerts count it."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from inbox.filters import DIMENSIONS
from inbox.marts import Marts, Row

ZERO = Decimal(0)
WIDE, USERS, CALLS = "cost_daily", "cost_by_user_daily", "fct_attempts"
WITH_EXPOSURE = {WIDE}
# The days of alerts are those of alert_series, and the days that they are compared with those of alert_baseline_days.
SEEN = """
    select alert_id, event_date, sum(observed_usd) as usd, sum(baseline_usd) as usual_usd
    from alert_series where list_contains($ids, alert_id) group by all
"""
COMPARED = """
    select alert_id, baseline_date as event_date, any_value(cost_usd + exposure_usd) as usd
    from alert_baseline_days where list_contains($ids, alert_id) group by all
"""
DAILY = """
    select shown.alert_id, days.event_date, {usd} as usd
    from (select unnest($ids_{number}) as alert_id) as wanted
    inner join alerts as shown on wanted.alert_id = shown.alert_id
    inner join {mart} as days
        on shown.environment = days.environment
        and shown.data_mode = days.data_mode
        and shown.scope_value = {member}
        and days.event_date between shown.onset_date - {before} and shown.onset_date + {after}
    where days.event_date between $since and $until
    group by all
"""


def mart_of(dimensions: Iterable[str]) -> str:
    """The smallest mart that has all of these dimensions."""
    names = set(dimensions)
    if "user" not in names:
        return WIDE
    return USERS if names <= {"user", "tenant"} else CALLS


def daily(marts: Marts, alerts: list[Row], before: int, after: int) -> dict[str, dict[date, Decimal]]:
    """Dollars of each alert's series by day, from so many days before its onset to so many after it; days without calls are missing.

    They are read once for each publication: the inbox is what everybody looks at first.
    """
    kept = marts.publication.kept.setdefault(("daily", before, after), {})
    if wanted := [row for row in alerts if row["alert_id"] not in kept]:
        kept |= _read(marts, wanted, before, after)
    return {row["alert_id"]: kept[row["alert_id"]] for row in alerts}


def _read(marts: Marts, alerts: list[Row], before: int, after: int) -> dict[str, dict[date, Decimal]]:
    found: dict[str, dict[date, Decimal]] = {row["alert_id"]: {} for row in alerts}
    by_dimension: dict[str, list[str]] = {}
    for row in alerts:
        by_dimension.setdefault(row["scope_dimension"], []).append(row["alert_id"])
    parts, parameters = [], {}
    for number, (dimension, ids) in enumerate(by_dimension.items()):
        names = [] if dimension == "total" else dimension.split(" x ")
        if any(name not in DIMENSIONS for name in names):
            continue
        mart = mart_of(names)
        exposure = " + coalesce(days.exposure_usd, 0)" if mart in WITH_EXPOSURE else ""
        columns = [f"days.{DIMENSIONS[name]}" for name in names]
        member = f"concat_ws(' | ', {', '.join(columns)})" if len(columns) > 1 else (columns or ["'all'"])[0]
        usd = f"sum(coalesce(days.cost_usd, 0){exposure})"
        parts.append(DAILY.format(usd=usd, number=number, mart=mart, member=member, before=before, after=after))
        parameters[f"ids_{number}"] = ids
    since = min(row["onset_date"] for row in alerts) - timedelta(days=before)
    until = max(row["onset_date"] for row in alerts) + timedelta(days=after)
    if parts:
        for row in marts.rows("union all".join(parts), **parameters, since=since, until=until):
            found[row["alert_id"]][row["event_date"]] = row["usd"]
    for sql in (COMPARED, SEEN):
        for row in marts.rows(sql, ids=list(found)):
            found[row["alert_id"]][row["event_date"]] = row["usd"]
    return found
