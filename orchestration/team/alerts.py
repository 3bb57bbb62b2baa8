"""alert_rules.csv: which changes of spending are alerts, and where."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from orchestration.team.columns import (
    ANY,
    SEEDS,
    Day,
    NotNegative,
    Positive,
    Ratio,
    SeedError,
    Share,
    Switch,
    Text,
    Word,
    duplicates,
    read_rows,
)

WATCHED = {
    "cost_drift": {"total", "endpoint", "tenant", "user", "model", "endpoint x model"},
    "cost_per_request_drift": {"endpoint", "endpoint x prompt_version", "endpoint x model"},
    "unknown_model": {"model"},
    "new_model": {"model"},
    "new_identity": {"tenant", "user"},
    "burst_falling_success": {"endpoint"},
}
LIMITS = ("is_on", "min_z", "min_z_alone", "min_share_of_spend", "min_usd", "min_ratio", "critical_share_of_spend")


def _known_type(value: str) -> str:
    if value not in WATCHED:
        raise ValueError(f"{value!r} is not an alert type: write one of {', '.join(WATCHED)}")
    return value


class AlertRule(BaseModel):
    """One row of alert_rules.csv. An empty limit leaves it to the less specific row; shares are of a usual day's spend, USD a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert_type: Annotated[str, AfterValidator(_known_type)]
    scope_dimension: str
    environment: Word
    data_mode: Word
    scope_value: Word
    is_on: Switch
    min_z: Positive
    min_z_alone: Positive
    min_share_of_spend: Share
    min_usd: NotNegative
    min_ratio: Ratio
    critical_share_of_spend: Share
    muted_from: Day
    muted_until: Day
    false_alarms_a_week: NotNegative
    reason: Text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        watched = WATCHED[self.alert_type]
        if self.scope_dimension not in watched:
            raise ValueError(
                f"{self.alert_type} does not watch {self.scope_dimension!r}: write one of {', '.join(sorted(watched))}"
            )
        if self.muted_from and self.muted_until and self.muted_from >= self.muted_until:
            raise ValueError(
                f"muted_until {self.muted_until} is not after muted_from {self.muted_from}: give the first day that is no longer muted"
            )
        return self

    @property
    def scope(self) -> tuple:
        """The scope of the rule; two rows of one scope would contradict each other."""
        return (
            self.alert_type,
            self.scope_dimension,
            self.environment,
            self.data_mode,
            self.scope_value,
            self.muted_from,
        )


def read_alert_rules(path: Path = SEEDS / "alert_rules.csv") -> list[AlertRule]:
    """The current rules. Raises SeedError with a sentence for each mistake, by line."""
    rules, problems = read_rows(path, AlertRule)
    problems += duplicates(path, rules, lambda rule: rule.scope, lambda rule: "hold for the same scope")
    general = {
        (rule.alert_type, rule.scope_dimension): rule
        for rule in rules.values()
        if rule.environment == ANY == rule.scope_value
    }
    for kind, dimension in sorted({(rule.alert_type, rule.scope_dimension) for rule in rules.values()}):
        missing = [name for name in LIMITS if getattr(general.get((kind, dimension)), name, None) is None]
        if missing:
            problems.append(
                f"{path.name}: {kind} by {dimension} has no row for environment {ANY} and scope_value {ANY} that gives "
                f"{', '.join(missing)}: add it, so that every scope has limits."
            )
    if problems:
        raise SeedError("\n".join(problems))
    return list(rules.values())
