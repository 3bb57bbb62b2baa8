"""Messages to people, through an outbox: whatever happens, each is sent once, and what is not sent stands there with the reason.

Producers (budgets, alerts, summaries, failed runs) call `enqueue` with events; runs call `deliver` at their end. outbox.py has
the rules and what the log (orchestration/ledger.py) adds up to, delivery.py one round of sending, addresses.py the channels' secrets.
Channels are rows of the team's notification_channels.csv; docs/operate.md explains them to people.
"""

from orchestration.notifications.delivery import Delivery, deliver, next_due, undelivered
from orchestration.notifications.outbox import Event, acknowledge, enqueue, read_outbox, write_snapshot

__all__ = [
    "Delivery",
    "Event",
    "acknowledge",
    "deliver",
    "enqueue",
    "next_due",
    "read_outbox",
    "undelivered",
    "write_snapshot",
]
