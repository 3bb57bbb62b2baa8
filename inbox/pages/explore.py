"""Explore: what any part of the traffic cost, by any dimension, against what is usual or any period."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from inbox import charts, names, words
from inbox.comparison import PERIOD, USUAL, Comparison, compared, ends, windowed
from inbox.filters import DIMENSIONS, EARLIEST, LATEST, Filters, among
from inbox.marts import Marts, Row
from inbox.page import File, Page, Visit
from inbox.pages.alert import bar
from inbox.series import CALLS, USERS, WIDE, ZERO, mart_of
from inbox.tables import csv_file, pasted
from orchestration.wording import many

BY = ("endpoint", "prompt_version", "feature", "tenant", "user", "provider", "model")
SORTS = {"rise": "largest rise", "cost": "highest cost", "fall": "largest fall", "requests": "most requests"}
SHOWN, IN_A_FILE = 50, 100_000  # members
BEFORE, AFTER, LONGEST = 28, 7, 120  # days of the series around the window, and in all
KINDS_OF_CALLS = 10  # days of calls whose token kinds are shown unasked: they take as long as all the rest
CURVE = ("tenant", "user")  # whose concentration is worth a curve
POINTS = 40
TABLES = ("members", "days", "hours", "kinds", "savings", "curve")  # that can be had as a file
ORDERS = {
    "rise": "usd * {divisor} - usual_usd desc",
    "fall": "usd * {divisor} - usual_usd",
    "cost": "usd desc, usual_usd desc",
    "requests": "requests desc",
}
IN_THE_FILE = (
    *("cost_usd", "exposure_usd", "usual_cost_usd", "usual_exposure_usd", "delta", "share"),
    *("requests", "usual_requests", "attempts", "successes", "unpriced", "tokens", "usual_tokens"),
)
# Figure -> its expression over each mart; the fact has one row for each attempt.
FIGURES = {
    "cost_usd": "coalesce(cost_usd, 0)",
    "exposure_usd": "coalesce(exposure_usd, 0)",
    "requests": "requests",
    "attempts": "attempts",
    "successes": "successes",
    "unpriced": "unpriced_attempts",
    "tokens": "total_tokens",
}
DRAWN = ("cost_usd", "exposure_usd")  # the sum of which charts show
ABSENT: Row = {"exposure_usd": ZERO}  # a figure that only the wide mart has
OF_USERS = {name: expression for name, expression in FIGURES.items() if name not in ABSENT}
OF_USERS |= {"tokens": "coalesce(input_tokens, 0) + coalesce(output_tokens, 0)"}
OF_CALLS = {
    "cost_usd": "coalesce(cost_usd, 0)",
    "requests": "cast(is_first_try as integer)",
    "attempts": "1",
    "successes": "cast(status = 'success' as integer)",
    "unpriced": "cast(pricing_status = 'unpriced' as integer)",
    "tokens": "coalesce(total_tokens, 0)",
}
EXPRESSIONS = {WIDE: FIGURES, USERS: OF_USERS, CALLS: OF_CALLS}
# Days are summed before both sides are: a mart is read once, and the arithmetic is that of few rows.
SIDES = """
    with
        days as materialized (
            select {by_day}{columns}{in_window} as is_in_window, {weight} as weight, {sums}
            from marts.{mart}
            where {days} and {scope} and {members}
            group by all
        ),
        sides as (
            select {columns}{figures}
            from days
            group by {names}
        ),
        ranked as (
            select *, cost_usd + exposure_usd as usd, usual_cost_usd + usual_exposure_usd as usual_usd
            from sides where attempts > 0 or usual_attempts > 0
        )"""
SHOWN_MEMBERS = """
    select *, count(*) over () as members, sum(usd) over () as all_usd
    from ranked
    order by {selected}{order}, {names} limit $most
"""
WITH_DAYS = """,
        shown as ({shown}),
        by_day as (select event_date, {of_days} from days group by event_date)
    select (select list(shown) from shown) as members, (select list(by_day) from by_day) as by_day
"""
BY_DAY = """
    select event_date, {sums}
    from marts.{mart} where {days} and {scope} and {members}
    group by event_date
"""
HOURS = """
    select extract(hour from occurred_at) as hour, sum(coalesce(cost_usd, 0)) as usd, count(*) as attempts,
        count(*) filter (where status <> 'success') as errors
    from marts.fct_attempts where event_date = $day and {scope} and {members}
    group by 1
"""
NOT_A_KIND = {"retry", "estimated", "approximate", "reported"}
SAVINGS = {
    "cache_savings_usd": "Saved by reading from the cache",
    "cache_write_premium_usd": "Extra for writing to the cache",
    "batch_savings_usd": "Saved by batches",
    "long_input_premium_usd": "Extra for long inputs",
}
OF_A_CALL = ("cache_savings_usd", "cache_write_premium_usd")  # the others need the prices of the day
VERSIONS = """
    select prompt_version, first_seen_date from dim_prompt_versions
    where endpoint_tag = $endpoint and first_seen_date > $since and first_seen_date <= $until
        and prompt_version <> '(unattributed)'
    order by first_seen_date, prompt_version limit 12
"""
CURVE_POINTS = """
    with
        members as (
            select {columns}{cost} as usd
            from marts.{mart} where {window} and {scope} and {members} group by {columns_of_group}
        ),
        ranked as (
            select
                row_number() over (order by usd desc, {names}) as place, count(*) over () as members,
                sum(usd) over (order by usd desc, {names} rows unbounded preceding) / nullif(sum(usd) over (), 0) as share
            from members where usd > 0
        )
    select place, members, cast(share as double) as share from ranked
    where place = 1 or place = members or place % greatest(1, members // {points}) = 0
    order by place
"""


def show(visit: Visit) -> Page | File:
    """The page, or its table as CSV."""
    marts = visit.marts
    filters = windowed(marts, visit.filters)
    by = visit.word("by", BY)
    kind = PERIOD if visit.words.get("compare") == PERIOD else USUAL
    sort = visit.word("sort", tuple(SORTS))
    against = compared(marts, filters, kind)
    if visit.words.get("format") == "csv":
        return _as_csv(visit, filters, by, against, sort)
    sql, parameters = _members_sql(filters, by, against, sort)
    with_kinds = _has_kinds(visit, filters, against)
    members, compared_days = _members_and_days(marts, filters, by, against, sort, with_kinds)
    rows = [_member(row, filters, by, against) for row in members]
    around = _around(visit, filters)
    by_day = _by_day(marts, filters, against, around, compared_days, with_kinds)
    total = _both(_sides(by_day, list(FIGURES), against), against)
    most_moved = max((abs(row["delta"]) for row in rows), default=ZERO)
    page_words = {"by": by, "compare": visit.words.get("compare"), "sort": visit.words.get("sort")}
    return Page(
        "explore.html",
        f"{_about(filters)} by {words.DIMENSIONS[by]}",
        {
            "f": filters,
            "about": _about(filters),
            "by": by,
            "kind": kind,
            "sort": sort,
            "sorts": SORTS,
            "tabs": [(word, filters.address("explore", **(page_words | {"by": word})), word == by) for word in BY],
            "narrowed": [
                (words.DIMENSIONS[word], value, filters.address("explore", **(page_words | {word: None})))
                for word, value in filters.members.items()
            ],
            "window": against.window,
            "said": against.said,
            "total": total,
            "rows": [row | {"bar": bar(row["delta"], most_moved)} for row in rows],
            "members": rows[0]["members"] if rows else 0,
            "with_exposure": any(row["exposure_usd"] for row in rows) or bool(total["exposure_usd"]),
            "with_unpriced": any(row["unpriced"] for row in rows) or bool(total["unpriced"]),
            "days": _days(marts, filters, by, around, by_day),
            "hours": _hours(marts, filters),
            "kinds": _kinds(marts, against, by_day) if with_kinds else None,
            "kinds_address": filters.address("explore", **page_words, table="kinds") + "#kinds",
            "curve": _curve(marts, filters, by, against),
            "unknown": _unknown(marts, filters) if not total["attempts"] else [],
            "sql": pasted(sql, parameters | {"most": SHOWN}),
            "csv": {name: filters.address("explore", **page_words, table=name, format="csv") for name in TABLES},
            "requests": filters.address("requests"),
            "steps": _steps(filters, page_words),
            "alert": filters.address("alert") if filters.alert else None,
            "page_words": page_words,
        },
    )


def _about(filters: Filters) -> str:
    """The members that are chosen, in words."""
    members = list(filters.members.values())
    return " × ".join(words.name(member) for member in members) or "All calls"


def columns_of(by: str) -> dict[str, str]:
    """Columns that make a member, by their words: a prompt version is one of an endpoint."""
    named = {"endpoint": DIMENSIONS["endpoint"]} if by == "prompt_version" else {}
    return named | {by: DIMENSIONS[by]}


def _condition(filters: Filters, without: str = "") -> tuple[dict[str, str], dict[str, object]]:
    scope, of_scope = filters.of_scope()
    members, of_members = filters.of_members(without=without)
    return {"scope": scope, "members": members}, of_scope | of_members


def _sums(mart: str) -> dict[str, str]:
    """Figure -> its sum over a mart, of those that it has."""
    return {name: f"sum({expression})" for name, expression in EXPRESSIONS[mart].items()}


def _figures(mart: str) -> str:
    """Each figure on both sides, the usual one as a weighted sum."""
    sides = [f"0 as {name}, 0 as usual_{name}" for name in FIGURES if name not in EXPRESSIONS[mart]]
    for name in EXPRESSIONS[mart]:
        sides.append(f"coalesce(sum({name}) filter (where is_in_window), 0) as {name}")
        sides.append(f"coalesce(sum({name} * weight), 0) as usual_{name}")
    return ",\n                ".join(sides)


def _members_sql(
    filters: Filters, by: str, against: Comparison, sort: str, by_day: dict[str, str] | None = None
) -> tuple[str, dict[str, object]]:
    """Members of a dimension within the other filters: one that is chosen itself comes first, among the others.

    With `by_day`, more sums by their names, the days are there too, from the same scan.
    """
    columns = columns_of(by)
    mart = mart_of([*columns, *filters.members])
    conditions, parameters = _condition(filters, without=by)
    chosen = getattr(filters, by)
    sums = _sums(mart) | (by_day or {})
    shown = SHOWN_MEMBERS.format(
        names=", ".join(columns.values()),
        selected=f"{DIMENSIONS[by]} = $chosen desc, " if chosen else "",
        order=ORDERS[sort].format(divisor=against.divisor),
    )
    sql = SIDES.format(
        by_day="event_date, " if by_day is not None else "",
        columns="".join(f"{column}, " for column in columns.values()),
        in_window=against.in_window,
        weight=against.weight,
        sums=_named(sums),
        figures=_figures(mart),
        names=", ".join(columns.values()),
        mart=mart,
        days=against.in_either,
        **conditions,
    )
    of_days = _named({name: f"sum({name})" for name in sums})
    sql += shown if by_day is None else WITH_DAYS.format(shown=shown, of_days=of_days)
    return sql, parameters | ({"chosen": chosen} if chosen else {})


def _named(expressions: dict[str, str]) -> str:
    return ", ".join(f"{expression} as {name}" for name, expression in expressions.items())


def _members_and_days(
    marts: Marts, filters: Filters, by: str, against: Comparison, sort: str, with_kinds: bool
) -> tuple[list[Row], list[Row] | None]:
    """The members that are shown, and the days that are compared, where one scan gives both.

    It does not where there are about as many users as calls, or where the member that is chosen is shown among others.
    """
    mart = mart_of([*columns_of(by), *filters.members])
    if by == "user" or mart == USERS or getattr(filters, by):
        sql, parameters = _members_sql(filters, by, against, sort)
        return marts.rows(sql, **parameters, most=SHOWN), None
    kinds = _kind_sums(marts, mart) if with_kinds else {}
    sql, parameters = _members_sql(filters, by, against, sort, by_day=kinds)
    [found] = marts.rows(sql, **parameters, most=SHOWN)
    return found["members"] or [], found["by_day"] or []


def _both(row: Row, against: Comparison) -> Row:
    """A row of figures with what is usual, the change and unit costs."""
    usual = {f"usual_{name}": against.usual(row[f"usual_{name}"]) or ZERO for name in FIGURES}
    usd, usual_usd = row["cost_usd"] + row["exposure_usd"], usual["usual_cost_usd"] + usual["usual_exposure_usd"]
    return (
        row
        | usual
        | {
            "usd": usd,
            "usual_usd": usual_usd,
            "delta": usd - usual_usd,
            "per_request": words.per(usd, row["requests"], 1_000),
            "usual_per_request": words.per(usual_usd, usual["usual_requests"], 1_000),
            "per_token": words.per(usd, row["tokens"], 1_000_000),
            "usual_per_token": words.per(usual_usd, usual["usual_tokens"], 1_000_000),
            "tokens_per_request": words.per(row["tokens"], row["requests"]),
            "usual_tokens_per_request": words.per(usual["usual_tokens"], usual["usual_requests"]),
            "success": words.per(row["successes"], row["attempts"]),
            "usual_success": words.per(usual["usual_successes"], usual["usual_attempts"]),
        }
    )


def _member(row: Row, filters: Filters, by: str, against: Comparison) -> Row:
    """A member with its figures and its address, one filter further."""
    named = {word: row[column] for word, column in columns_of(by).items()}
    is_chosen = getattr(filters, by) == named[by]
    next_by = next(
        (word for word in ("prompt_version", "tenant", "user", "model") if word not in {**filters.members, **named}), by
    )
    within = filters.about(filters.members | named)
    shown = [value for word, value in named.items() if word == by or word not in filters.members]
    figures = _both(row, against)
    return figures | {
        "label": " | ".join(shown),
        "address": within.address("explore", by=next_by),
        "requests_address": within.address("requests"),
        "is_chosen": is_chosen,
        "share": float(figures["usd"] / row["all_usd"]) if row["all_usd"] else None,
    }


def _around(visit: Visit, filters: Filters) -> list[date]:
    """The days of the chart: four weeks before the window to a week after it."""
    first, end = ends(filters)
    today = visit.marts.publication.as_of.date()
    until = max(min(end - timedelta(days=1) + timedelta(days=AFTER), today - timedelta(days=1)), first)
    since = max(first - timedelta(days=BEFORE), until - timedelta(days=LONGEST - 1), EARLIEST)
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def _kind_columns(marts: Marts) -> dict[str, str]:
    """Token kind -> its column, of those that cost something at all: most of them are 0 in every row."""
    kept = marts.publication.kept
    if "token kinds" not in kept:
        matches = (re.fullmatch(r"([a-z0-9_]+)_cost_usd", column) for column in sorted(marts.publication.columns[WIDE]))
        columns = {match[1]: match[0] for match in matches if match and match[1] not in NOT_A_KIND}
        largest = ", ".join(f"max({column}) as {kind}" for kind, column in columns.items())
        [used] = marts.rows(f"select {largest} from marts.{WIDE}")  # noqa: S608 - names of columns, by the pattern above
        kept["token kinds"] = {kind: column for kind, column in columns.items() if used[kind]}
    return kept["token kinds"]


def _has_kinds(visit: Visit, filters: Filters, against: Comparison) -> bool:
    """Whether the page says what token kinds cost: one user's are in the calls alone, and those of many days are read when asked for."""
    days = len({*against.window, *against.weights})
    return mart_of(filters.members) == WIDE or days <= KINDS_OF_CALLS or visit.words.get("table") == "kinds"


def _kind_sums(marts: Marts, mart: str) -> dict[str, str]:
    """The sums of token kinds and savings that a mart has."""
    savings = [name for name in SAVINGS if mart == WIDE or name in OF_A_CALL]
    return {column: f"sum({column})" for column in (*_kind_columns(marts).values(), *savings)}


def _by_day(
    marts: Marts,
    filters: Filters,
    against: Comparison,
    around: list[date],
    found_days: list[Row] | None = None,
    with_kinds: bool = True,
    whole: bool = False,
) -> dict[date, Row]:
    """Every figure, token kind and saving of the days that are compared, by day, and what the others around them cost, or with `whole`
    their figures too. `found_days` are the days that are compared, where they were found together with the members.
    """
    conditions, parameters = _condition(filters)
    mart = mart_of(filters.members)
    # what one user's tokens cost is in the calls alone
    wide = WIDE if mart == WIDE else CALLS
    figures, kinds = _sums(mart), _kind_sums(marts, wide) if with_kinds else {}
    drawn = figures if whole else {name: figures[name] for name in DRAWN if name in figures}
    compared_days = {*against.window, *against.weights}
    scans = [(mart, drawn, {*around} - compared_days)]
    if found_days is None:
        scans.append((mart, figures | (kinds if mart == wide else {}), compared_days))
        if mart != wide and kinds:
            scans.append((wide, kinds, compared_days))
    found: dict[date, Row] = {}
    for row in found_days or []:
        found[row["event_date"]] = ABSENT | row
    for source, sums, days in scans:
        sql = BY_DAY.format(sums=_named(sums), mart=source, days=among(days), **conditions)
        for row in marts.rows(sql, **parameters) if days else []:
            found.setdefault(row["event_date"], dict(ABSENT)).update(row)
    return found


def _sides(by_day: dict[date, Row], names: list[str], against: Comparison) -> Row:
    """The sums of both sides of the comparison, from days; the usual one weighted as in `_figures`."""
    row: Row = {}
    for name in names:
        row[name] = sum((by_day.get(day, {}).get(name) or 0 for day in against.window), ZERO)
        weighted = ((by_day.get(day, {}).get(name) or 0) * weight for day, weight in against.weights.items())
        row[f"usual_{name}"] = sum(weighted, ZERO)
    return row


def _days(marts: Marts, filters: Filters, by: str, days: list[date], by_day: dict[date, Row]) -> Row:
    """Days around the window, the window shaded, with the first days of prompt versions."""
    first, end = ends(filters)
    points, rows = [], []
    for day in days:
        found = by_day.get(day)
        usd = (found["cost_usd"] + found["exposure_usd"]) if found else None
        kind = "hot" if first <= day < end else "past"
        address = filters.address("explore", **{"from": day, "to": day + timedelta(days=1)}, by=by)
        points.append(charts.Point(usd, f"{words.day(day)}: {words.money(usd)}", kind, address))
        rows.append({"day": day, "usd": usd, "kind": kind, "address": address})
    inside = [place for place, day in enumerate(days) if first <= day < end]
    chart = charts.bars(points, (inside[0], inside[-1] + 1) if inside else None)
    return {"chart": chart, "rows": rows, "axis": charts.axis(days), "deploys": _deploys(marts, filters, days)}


def _deploys(marts: Marts, filters: Filters, days: list[date]) -> list[Row]:
    """Prompt versions of the endpoint that were first seen on these days, and where on the chart that is."""
    if not filters.endpoint or not days:
        return []
    rows = marts.rows(VERSIONS, endpoint=filters.endpoint, since=days[0], until=days[-1])
    return [
        row
        | {
            "percent": round(((row["first_seen_date"] - days[0]).days + 0.5) / len(days) * 100, 2),
            "address": filters.address("explore", prompt_version=row["prompt_version"], by="prompt_version"),
        }
        for row in rows
    ]


def _hours(marts: Marts, filters: Filters) -> Row | None:
    """The hours of a window of one day."""
    first, end = ends(filters)
    if (end - first).days != 1:
        return None
    conditions, parameters = _condition(filters)
    found = {row["hour"]: row for row in marts.rows(HOURS.format(**conditions), **parameters, day=first)}
    rows = [found.get(hour, {"hour": hour, "usd": ZERO, "attempts": 0, "errors": 0}) for hour in range(24)]
    points = [
        charts.Point(
            row["usd"], f"{row['hour']:02}:00: {words.money(row['usd'])}, {many(row['attempts'], 'attempt')}", "hot"
        )
        for row in rows
    ]
    return {"chart": charts.bars(points), "rows": rows} if found else None


def _kinds(marts: Marts, against: Comparison, by_day: dict[date, Row]) -> Row:
    """What each token kind cost, and what caches and batches saved."""
    kinds = _kind_columns(marts)
    both = _sides(by_day, [*kinds.values(), *SAVINGS], against)

    def sides(column: str) -> Row:
        now, usual = both[column], against.usual(both[f"usual_{column}"]) or ZERO
        return {"now": now, "usual": usual, "delta": now - usual}

    moved = [{"label": kind.replace("_", " "), **sides(column)} for kind, column in kinds.items()]
    moved = [each for each in moved if each["now"] or each["usual"]]
    most = max((abs(each["delta"]) for each in moved), default=ZERO)
    saved = [{"label": label, **sides(column)} for column, label in SAVINGS.items()]
    return {
        "rows": [each | {"bar": bar(each["delta"], most)} for each in sorted(moved, key=lambda each: -each["now"])],
        "savings": [each for each in saved if each["now"] or each["usual"]],
    }


def _curve_points(marts: Marts, filters: Filters, by: str, against: Comparison) -> list[Row]:
    """How much of the cost so many of the largest members make."""
    if not against.window:
        return []
    mart = mart_of([by, *filters.members])
    sums, columns = _sums(mart), columns_of(by)
    conditions, parameters = _condition(filters, without=by)
    sql = CURVE_POINTS.format(
        columns="".join(f"{column}, " for column in columns.values()),
        columns_of_group=", ".join(columns.values()),
        names=", ".join(columns.values()),
        cost=" + ".join(sums[name] for name in DRAWN if name in sums),
        mart=mart,
        window=against.in_window,
        points=POINTS,
        **conditions,
    )
    return marts.rows(sql, **parameters)


def _curve(marts: Marts, filters: Filters, by: str, against: Comparison) -> Row | None:
    """The curve of a dimension of many members, and its largest tenth in words."""
    rows = _curve_points(marts, filters, by, against) if by in CURVE else []
    if not rows or rows[0]["members"] < 5:
        return None
    members = rows[0]["members"]
    tenth = max(1, members // 10)
    of_tenth = max((row for row in rows if row["place"] <= tenth), key=lambda row: row["place"])
    points = [(0.0, 100.0)] + [(row["place"] / members * 100, 100 - row["share"] * 100) for row in rows]
    return {
        "line": " ".join(f"{x:.2f},{y:.2f}" for x, y in points),
        "first": rows[0]["share"],
        "place": of_tenth["place"],
        "share": of_tenth["share"],
        "members": members,
    }


def _unknown(marts: Marts, filters: Filters) -> list[Row]:
    """Members of the filters that no call has, with the nearest that some have: 0 would look like a quiet one."""
    found = []
    for word, value in filters.members.items():
        near = names.nearest(marts, word, value, most=3)
        if not any(row["name"] == value for row in near):
            links = [(row["name"], filters.address("explore", **{word: row["name"]})) for row in near]
            found.append({"dimension": words.DIMENSIONS[word], "value": value, "near": links})
    return found


def _steps(filters: Filters, page_words: dict[str, Any]) -> Row:
    """The same window one earlier and one later."""
    first, end = ends(filters)

    def moved(by: timedelta) -> str | None:
        if not EARLIEST <= first + by < end + by <= LATEST:
            return None
        dates = {"from": first + by, "to": end + by, "baseline_from": None, "baseline_to": None}
        return filters.address("explore", **dates, alert=None, **page_words)

    return {"earlier": moved(first - end), "later": moved(end - first)}


def _as_csv(visit: Visit, filters: Filters, by: str, against: Comparison, sort: str) -> File:
    """One table of the page with all its rows, and figures that are not rounded."""
    table = visit.word("table", TABLES)
    columns, rows = _table(visit, table, filters, by, against, sort)
    page_words = {"by": by, "compare": visit.words.get("compare"), "sort": visit.words.get("sort")}
    address = filters.address("explore", **page_words, table=visit.words.get("table"))
    about = f"{address} compared with {against.said}; dollars are USD"
    return csv_file(f"explore-{table}-by-{by}", about, columns, (row.values() for row in rows))


def _table(
    visit: Visit, table: str, filters: Filters, by: str, against: Comparison, sort: str
) -> tuple[Sequence[str], Iterable[Row]]:
    """Columns and rows; members one after the other, because there may be many."""
    marts = visit.marts
    if table == "members":
        sql, parameters = _members_sql(filters, by, against, sort)
        columns = [*columns_of(by).values(), *IN_THE_FILE]
        members = (_member(row, filters, by, against) for row in marts.stream(sql, **parameters, most=IN_A_FILE))
        return columns, ({name: row[name] for name in columns} for row in members)
    rows = _small_table(visit, table, filters, by, against)
    return list(rows[0]) if rows else [], rows


def _small_table(visit: Visit, table: str, filters: Filters, by: str, against: Comparison) -> list[Row]:
    marts = visit.marts
    if table == "curve":
        return _curve_points(marts, filters, by, against)
    if table == "hours":
        return (_hours(marts, filters) or {"rows": []})["rows"]
    by_day = _by_day(marts, filters, against, _around(visit, filters), whole=table == "days")
    if table == "days":
        return [
            {"event_date": day}
            | {name: row.get(name) for name in FIGURES}
            | {"is_in_window": day in against.window, "usual_share": against.weights.get(day, 0) / against.divisor}
            for day, row in sorted(by_day.items())
        ]
    kinds = _kinds(marts, against, by_day)["rows" if table == "kinds" else "savings"]
    named = {"label": table.removesuffix("s"), "now": "usd", "usual": "usual_usd", "delta": "delta_usd"}
    return [{name: row[word] for word, name in named.items()} for row in kinds]
