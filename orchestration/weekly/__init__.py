"""The weekly report: what an ISO week cost, why, what came back, who owns it and which guardrail is missing.

figures.py reads a week from the marts, editions.py keeps what was reported in the ledger and says what changed since,
render.py makes HTML and Markdown of the ledger's last edition alone. So a file can be deleted, or written again, byte for byte.
"""

from orchestration.weekly.editions import Outcome, files_to_publish, report, spend_that_does_not_tie
from orchestration.weekly.figures import WeekError, complete_at, not_complete, week_start

__all__ = [
    "Outcome",
    "WeekError",
    "complete_at",
    "files_to_publish",
    "not_complete",
    "report",
    "spend_that_does_not_tie",
    "week_start",
]
