"""A large history from a small one: the marts of a data root, each call many times over, by users and tenants of other names.

Every call of a day is there `copies` times, under other request ids and users, and under one of four names of its tenant; marts of
days have the sums of that. Alerts, budgets and the rest stay as they are. The pipeline is not run, publishing is.
"""

from pathlib import Path

import duckdb

from benchmarks.inbox.clock import Timed
from orchestration.publishing.marts_file import write_marts
from orchestration.publishing.publications import new_publication, replace_file
from orchestration.settings import Settings
from orchestration.warehouse import duckdb_config

TENANTS = 4  # names of each tenant: they grow in number slower than users and calls
NAMED_BY_COPY = ("request_id", "attempt_key", "provider_request_id", "trace_id", "span_id", "parent_span_id", "user_id")
SUMS = ("BIGINT", "HUGEINT", "DECIMAL(38,12)")
SAMPLED = "select count(*) from warehouse.marts.fct_attempts"
SOME = "select * from warehouse.marts.{mart} limit 0"
ROWS = "select {columns} from warehouse.marts.{mart}, range({copies}) as copies(copy)"
DATES = "select distinct event_date from warehouse.marts.{mart} order by 1"


def multiplied(small: Settings, large: Settings, attempts: int) -> int:
    """Write a warehouse of at least so many attempts; returns how many it has."""
    large.data.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config=duckdb_config(large)) as connection:
        connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false")
        for path, name in ((small.warehouse, "warehouse (read_only)"), (large.warehouse, "large")):
            address = str(path.resolve()).replace("'", "''")
            connection.execute(f"attach '{address}' as {name}")
        connection.execute("create schema large.marts; create schema large.tokentrail")
        connection.execute("create table large.tokentrail.built as select * from warehouse.tokentrail.built")
        [(sampled,)] = connection.execute(SAMPLED).fetchall()
        copies = -(-attempts // sampled)
        copies += -copies % TENANTS
        for mart, columns in _marts(connection).items():
            _multiply(connection, mart, columns, copies)
        connection.execute("checkpoint large")
    return sampled * copies


def published(large: Settings, signature: str) -> Timed:
    """Publish that warehouse, marts only; what it took."""
    with new_publication(large) as folder:
        with Timed() as timed:
            write_marts(large, folder / large.published_marts.name, signature)
        replace_file(folder / "marts.json", '{"published_at": "2026-11-23T07:00:00+00:00"}')
    return timed


def changed(large: Settings, days: int) -> None:
    """The last days were built again."""
    with duckdb.connect(str(large.warehouse)) as connection:
        connection.execute(
            "update tokentrail.built set built_at = built_at + interval 1 second "
            "where event_date > (select max(event_date) from marts.fct_attempts) - cast(? as integer)",
            [days],
        )


def size(path: Path) -> tuple[float, float]:
    """Megabytes of a file, and the share of its blocks that are free."""
    with duckdb.connect(str(path.resolve()), read_only=True) as connection:
        [(share,)] = connection.execute("select free_blocks / total_blocks from pragma_database_size()").fetchall()
    return path.stat().st_size / 1e6, share


def _marts(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    names = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'warehouse' and schema_name = 'marts' union all "
        "select view_name from duckdb_views() where database_name = 'warehouse' and schema_name = 'marts'"
    ).fetchall()
    described = {name: connection.execute(SOME.format(mart=name)).description or () for (name,) in names}
    return {name: {column: str(kind) for column, kind, *_ in about} for name, about in described.items()}


def _multiply(connection: duckdb.DuckDBPyConnection, mart: str, columns: dict[str, str], copies: int) -> None:
    """The mart, date by date where it is one of calls or of days, as a pipeline would have filled it."""
    is_daily = "event_date" in columns and mart.startswith(("fct_", "cost_by_", "cost_daily", "data_quality"))
    of_user, of_tenant = (
        is_daily and "user_id" in columns,
        "tenant_id" in columns and (is_daily or mart == "dim_tenants"),
    )
    rows = copies if of_user else TENANTS if of_tenant else 1
    times = copies // rows if is_daily or rows > 1 else 1
    chosen = ", ".join(_column(column, kind, times, of_user, of_tenant) for column, kind in columns.items())
    sql = ROWS.format(columns=chosen, mart=mart, copies=rows)
    days = connection.execute(DATES.format(mart=mart)).fetchall() if is_daily else []
    connection.execute("begin")
    connection.execute(f"create table large.marts.{mart} as {sql} {'limit 0' if is_daily else ''}")
    for (day,) in days:
        connection.execute(f"insert into large.marts.{mart} {sql} where event_date = ?", [day])
    connection.execute("commit")


def _column(column: str, kind: str, times: int, of_user: bool, of_tenant: bool) -> str:
    if of_user and column in NAMED_BY_COPY:
        return f"case when copy = 0 or {column} = '(unattributed)' then {column} else {column} || '-' || copy end as {column}"
    if of_tenant and column == "tenant_id":
        name = f"{column} || '-' || copy % {TENANTS}"
        return (
            f"case when copy % {TENANTS} = 0 or {column} = '(unattributed)' then {column} else {name} end as {column}"
        )
    if times > 1 and kind in SUMS:
        return f"cast({column} * {times} as {kind}) as {column}"
    return column
