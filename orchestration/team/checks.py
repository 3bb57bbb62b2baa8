"""Everything that a team edits, checked at once before a run uses it."""

from orchestration.team.alerts import read_alert_rules
from orchestration.team.budgets import read_budget_adjustments, read_budgets
from orchestration.team.columns import SEEDS, SeedError
from orchestration.team.files import read_table
from orchestration.team.incidents import read_containment_map, read_endpoint_owners
from orchestration.team.notifications import read_notification_channels


def check_seeds() -> None:
    """Read everything a team edits. Raises SeedError with the sentences of all mistakes in all files."""
    problems = [sentence for path in sorted(SEEDS.glob("*.csv")) for sentence in read_table(path)[1]]
    for read in (
        read_alert_rules,
        read_notification_channels,
        read_budgets,
        read_budget_adjustments,
        read_containment_map,
        read_endpoint_owners,
    ):
        try:
            read()
        except SeedError as mistakes:
            problems += str(mistakes).splitlines()
    if problems:
        raise SeedError("\n".join(dict.fromkeys(problems)))
