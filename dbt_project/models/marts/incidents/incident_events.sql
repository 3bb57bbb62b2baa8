select
    incident_id,
    sequence,
    event_type,
    occurred_at,
    actor,
    nullif(
        concat_ws(
            '; ',
            {% for field in incident_event_fields() if field not in ["alert_id", "problem_id", "started_at"] %}
                '{{ field | replace("_", " ") }}: ' || {{ field }} {{- "," if not loop.last }}
            {% endfor %}
        ),
        ''
    ) as detail,
    is_applied,
    remark,
    landing_file,
    line_number
from {{ ref("int_incident_events") }}
