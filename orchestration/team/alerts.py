"""alert_rules.csv: which changes of spending are alerts, and where."""

from collections.abc import Callable, Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from orchestration.team.columns import (
    ANY,
    Day,
    NotNegative,
    Positive,
    Ratio,
    Share,
    Switch,
    Text,
    Word,
)
from orchestration.team.rows import Found, Name, TeamFile

WATCHED = {
    "cost_drift": {"total", "endpoint", "tenant", "user", "model", "endpoint x model"},
    "cost_per_request_drift": {"endpoint", "endpoint x prompt_version", "endpoint x model", "model"},
    "unknown_model": {"model", "endpoint x model"},
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


def _every_scope_has_limits(rules: list[Found[AlertRule]]) -> Iterable[str]:
    general = {
        (rule.alert_type, rule.scope_dimension): rule
        for rule in (each.row for each in rules)
        if rule.environment == ANY == rule.scope_value
    }
    for kind, dimension in sorted({(each.row.alert_type, each.row.scope_dimension) for each in rules}):
        missing = [name for name in LIMITS if getattr(general.get((kind, dimension)), name, None) is None]
        if missing:
            yield (
                f"alert_rules.csv: {kind} by {dimension} has no row for environment {ANY} and scope_value {ANY} that gives "
                f"{', '.join(missing)}: add it, so that every scope has limits."
            )


def _names(rule: AlertRule) -> Iterable[Name]:
    if rule.environment != ANY:
        yield Name("environment", "environment", rule.environment)
    if rule.scope_value != ANY:
        kinds = rule.scope_dimension.split(" x ")
        for kind, name in zip(kinds, rule.scope_value.split(" | ", len(kinds) - 1), strict=False):
            yield Name("scope_value", kind, name)


def _as_kept(rule: AlertRule, kept: Callable[[str], str]) -> AlertRule:
    return rule.model_copy(update={"environment": kept(rule.environment)})


ALERT_RULES = TeamFile(
    "alert_rules",
    AlertRule,
    key=("alert_type", "scope_dimension", "environment", "data_mode", "scope_value", "muted_from"),
    check=_every_scope_has_limits,
    names=_names,
    as_kept=_as_kept,
)
