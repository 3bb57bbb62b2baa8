-- The budgets that lack usage because a sender is silent, and until when theirs is
-- whole. A sender counts that made up more than a trifle of the budget on a day of the
-- four weeks before: a member that is small on a date is listed with the others.
with
    silent as (
        select {{ sender_name() }} as sender, last_event_at, cast(last_event_at as date) as last_date
        from {{ ref("int_source_freshness") }}
        where is_silent
    ),

    waiting as (
        select distinct members.budget_id, silent.sender, silent.last_event_at
        from silent
        inner join
            {{ ref("int_budget_members") }} as members
            on silent.sender = members.member
            and members.dimension = 'sender'
            and members.local_date >= silent.last_date - {{ budget_history_days() }}
    )

select
    budget_id,
    min({{ quarter_hour("last_event_at") }}) as data_until,
    string_agg(sender, ', ' order by sender) as silent_senders
from waiting
group by budget_id
