"""An alert with the members of its top driver, as pages and forms read it."""

from inbox.marts import Marts, Row

WITH_DRIVER = """
    select
        alerts.*,
        drivers.endpoint_tag as driver_endpoint, drivers.prompt_version, drivers.tenant_id, drivers.user_id,
        drivers.model
    from alerts left join alert_drivers as drivers on alerts.alert_id = drivers.alert_id and drivers.rank = 1
"""
# In the order of the inbox, newest first, among those of its environment and data mode.
NEIGHBOURS = """
    with ordered as (
        select
            alert_id,
            row_number() over (order by onset_date desc, window_delta_usd desc, alert_id) as place
        from alerts where environment = $environment and data_mode = $data_mode
    ),

    described as ({described})

    select described.*, other.place - here.place as step
    from ordered as here
    inner join ordered as other on abs(other.place - here.place) = 1
    inner join described on other.alert_id = described.alert_id
    where here.alert_id = $id
"""


def alert_of(marts: Marts, alert_id: str | None) -> Row | None:
    """The alert of an id, if it is there."""
    return marts.row(f"{WITH_DRIVER} where alerts.alert_id = $id", id=alert_id) if alert_id else None


def neighbours(marts: Marts, alert: Row) -> dict[int, Row]:
    """The alert that is newer (-1) and the one that is older (1), where there are any."""
    about = {name: alert[name] for name in ("environment", "data_mode")}
    return {
        row["step"]: row for row in marts.rows(NEIGHBOURS.format(described=WITH_DRIVER), id=alert["alert_id"], **about)
    }
