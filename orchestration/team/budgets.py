"""budgets.csv and budget_adjustments.csv: limits of spending, and what a person added to a budget's spend."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.team.columns import (
    ANY,
    Blank,
    Instant,
    MaybeText,
    NotNegative,
    Number,
    QuarterHour,
    Ratio,
    Share,
    Switch,
    Text,
    TimeZone,
)
from orchestration.team.notifications import NOTIFICATION_CHANNELS
from orchestration.team.rows import Found, Name, TeamFile

Words = Annotated[str, Field(pattern=r"^(\*|[^\s*,;|]+( [^\s*,;|]+)*)$")]


SCOPE = {
    "endpoint_tag": "endpoint",
    "feature_tag": "feature",
    "tenant_id": "tenant",
    "user_id": "user",
    "provider": "provider",
    "model": "model",
}


class Budget(BaseModel):
    """One row of budgets.csv: one limit (USD a period) of a budget. A blank scope column means any; times are in the budget's time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    environments: Words
    data_modes: Annotated[Annotated[str, Field(pattern=r"^(real|test|demo)( (real|test|demo))*$")] | None, Blank]
    endpoint_tag: MaybeText
    feature_tag: MaybeText
    tenant_id: MaybeText
    user_id: MaybeText
    provider: MaybeText
    model: MaybeText
    period: Literal["day", "week", "month", "quarter"]
    time_zone: TimeZone
    limit_usd: Annotated[Decimal, Field(ge=0, max_digits=26, decimal_places=8), Number]
    warning_ratio: Annotated[
        Annotated[Decimal, Field(gt=0, le=1, max_digits=12, decimal_places=4), Number] | None, Blank
    ]
    carry_over: Annotated[Literal["none", "unused", "unused_and_refunds"] | None, Blank]
    valid_from: QuarterHour
    valid_to: Instant
    is_spend_alert_on: Switch
    min_elapsed_share: Share
    min_spent_share: Share
    burn_ratio: Ratio
    fast_burn_ratio: Ratio
    lower_ratio: Share
    quiet_hours: NotNegative
    owner: Text
    channel: MaybeText
    escalation_channel: MaybeText
    runbook_url: MaybeText
    muted_from: Instant
    muted_until: Instant
    reason: Text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for start, end in (("valid_from", "valid_to"), ("muted_from", "muted_until")):
            first, last = getattr(self, start), getattr(self, end)
            if first and last and first >= last:
                raise ValueError(f"{end} {last} is not after {start} {first}: give the first moment after it")
        return self

    @property
    def identity(self) -> dict:
        """What all limits of one budget must share: another scope or period is another budget."""
        return self.model_dump(include=set(BUDGET_IDENTITY))


BUDGET_IDENTITY = (
    "environments", "data_modes", *SCOPE, "period", "time_zone", "carry_over",
)  # fmt: skip


class BudgetAdjustment(BaseModel):
    """One row of budget_adjustments.csv: USD that a person added to a budget's spend, or took off (negative)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget_id: Text
    effective_at: QuarterHour
    amount_usd: Annotated[Decimal, Field(max_digits=38, decimal_places=12), Number]
    reason: Text
    approved_by: Text


def _limits_follow_one_another(rows: list[Found[Budget]]) -> Iterable[str]:
    by_id: dict[str, list[Found[Budget]]] = {}
    for each in rows:
        by_id.setdefault(each.row.budget_id, []).append(each)
    for name, limits in by_id.items():
        for earlier, later in pairwise(sorted(limits, key=lambda limit: limit.row.valid_from)):
            yield from _contradictions(
                f"budgets.csv lines {earlier.line} and {later.line}, {name}:", earlier.row, later.row
            )


def _contradictions(lines: str, earlier: Budget, later: Budget) -> Iterable[str]:
    differing = [key for key, value in earlier.identity.items() if later.identity[key] != value]
    if differing:
        yield f"{lines} {', '.join(differing)} differ: another scope or period needs its own budget_id."
    if earlier.valid_to is None or earlier.valid_to > later.valid_from:
        yield f"{lines} both hold at {later.valid_from}: set valid_to of the first to {later.valid_from} or earlier."
    elif earlier.valid_to < later.valid_from:
        yield f"{lines} no limit holds from {earlier.valid_to} to {later.valid_from}: close the gap, or rename the later one."


def _names(budget: Budget) -> Iterable[Name]:
    for environment in budget.environments.split():
        if environment != ANY:
            yield Name("environments", "environment", environment)
    for column, kind in SCOPE.items():
        if name := getattr(budget, column):
            yield Name(column, kind, name)


def _as_kept(budget: Budget, kept: Callable[[str], str]) -> Budget:
    environments = dict.fromkeys(kept(environment) for environment in budget.environments.split())
    return budget.model_copy(update={"environments": " ".join(environments)})


BUDGETS = TeamFile(
    "budgets",
    Budget,
    key=("budget_id", "valid_from"),
    check=_limits_follow_one_another,
    references={"channel": NOTIFICATION_CHANNELS, "escalation_channel": NOTIFICATION_CHANNELS},
    names=_names,
    as_kept=_as_kept,
)
BUDGET_ADJUSTMENTS = TeamFile("budget_adjustments", BudgetAdjustment, references={"budget_id": BUDGETS})
