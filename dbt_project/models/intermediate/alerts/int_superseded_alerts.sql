{{ config(materialized="view") }}
-- Under which id an alert was announced before, where the complete day, late data or
-- new prices changed it.
select alert_id, max_by(supersedes_alert_id, known_at) as supersedes_alert_id
from {{ ref("stg_alert_announcements") }}
where supersedes_alert_id is not null
group by alert_id
