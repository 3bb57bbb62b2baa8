"""What the marts say about alerts now, read once per run, in the form of the ledger: dates and times as text, money in all its digits."""

from typing import TypedDict

import duckdb

from orchestration.ledger import rows_as_text


class Alert(TypedDict):
    """The columns used of a row of alerts."""

    alert_id: str
    problem_id: str
    environment: str
    data_mode: str
    scope_dimension: str
    scope_value: str
    severity: str
    status: str
    close_reason: str | None
    is_provisional: bool
    supersedes_alert_id: str | None
    alert_date: str
    started_at: str | None
    last_date: str
    days: int
    window_start: str
    window_end: str
    observed: str
    delta_usd: str
    delta_is_understated: bool
    total_excess_usd: str
    spike_type: str
    top_driver_dimension: str
    top_driver_value: str
    token_direction: str | None
    top_error_code: str | None
    top_error_share: str | None
    top_http_status: int | None
    containment_action: str | None
    endpoint_tag: str | None
    owner: str | None
    runbook_url: str | None
    escalation_channel: str | None
    drill_url: str


class Driver(TypedDict):
    """The columns used of the first row of alert_drivers: what the driver is about."""

    alert_id: str
    endpoint_tag: str | None
    prompt_version: str | None
    tenant_id: str | None
    user_id: str | None
    model: str | None


class Facts:
    """Every alert, with its effects and its first driver."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection
        self.alerts: dict[str, Alert] = {
            row["alert_id"]: {name: row[name] for name in Alert.__annotations__}  # type: ignore[misc]
            for row in rows_as_text(connection, "select * from marts.alerts")
        }
        self.drivers: dict[str, Driver] = {row["alert_id"]: row for row in rows_as_text(connection, DRIVERS_SQL)}
        self.effects: dict[str, dict[str, str]] = {}
        for row in rows_as_text(connection, EFFECTS_SQL):
            self.effects.setdefault(row["alert_id"], {})[row["effect"]] = row["effect_usd"]
        self.attempts: dict[str, str] = {
            row["alert_id"]: row["attempts"]
            for row in rows_as_text(
                connection,
                "select alert_id, cast(current as bigint)::text as attempts from marts.alert_compare "
                "where metric = 'attempts' and token_kind is null",
            )
        }

    def attempts_now(self, alert: Alert) -> str | None:
        """Calls of its series on its day, as they are known now; None where the name of the series cannot be taken apart."""
        columns, members = alert["scope_dimension"].split(" x "), alert["scope_value"].split(" | ")
        if alert["scope_dimension"] == "total":
            columns = members = []
        if len(columns) != len(members) or not {*columns} <= COLUMNS.keys():
            return None
        where = "".join(f" and {COLUMNS[column]} = ?" for column in columns)
        parameters = [alert["alert_date"], alert["environment"], alert["data_mode"], *members]
        [(attempts,)] = self._connection.execute(ATTEMPTS_SQL + where, parameters).fetchall()
        return str(attempts)


COLUMNS = {
    "endpoint": "endpoint_tag",
    "prompt_version": "prompt_version",
    "tenant": "tenant_id",
    "user": "user_id",
    "model": "model",
}
DRIVERS_SQL = """
    select alert_id, endpoint_tag, prompt_version, tenant_id, user_id, model from marts.alert_drivers where rank = 1
"""
EFFECTS_SQL = """
    select alert_id, effect, effect_usd from marts.alert_compare
    where effect_usd is not null and token_kind is null order by abs(effect_usd) desc, effect
"""
ATTEMPTS_SQL = (
    "select count(*) from marts.fct_attempts where event_date = ?::date and environment = ? and data_mode = ?"
)
