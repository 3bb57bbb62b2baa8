select
    {% for c in ["incident_id","event_id","event_type","actor"] + incident_event_fields() if c != "started_at" %}
        cast(null as varchar) as {{ c }},
    {% endfor %}
    cast(null as timestamp) as occurred_at,
    cast(null as timestamp) as started_at,
    cast(null as date) as arrival_date,
    cast(null as varchar) as landing_file,
    cast(null as varchar) as content_hash,
    cast(null as bigint) as line_number
where false
