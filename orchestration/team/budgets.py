"""budgets.csv and budget_adjustments.csv: limits of spending, and what a person added to a budget's spend."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.team.columns import (
    SEEDS,
    Blank,
    Instant,
    MaybeText,
    NotNegative,
    Number,
    QuarterHour,
    Ratio,
    SeedError,
    Share,
    Switch,
    Text,
    TimeZone,
    read_rows,
)
from orchestration.team.notifications import read_notification_channels

Words = Annotated[str, Field(pattern=r"^(\*|[^\s*,;|]+( [^\s*,;|]+)*)$")]


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
    warning_ratio: Annotated[Annotated[Decimal, Field(gt=0, le=1, decimal_places=4), Number] | None, Blank]
    carry_over: Annotated[Literal["none", "unused"] | None, Blank]
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
    "environments", "data_modes", "endpoint_tag", "feature_tag", "tenant_id", "user_id", "provider", "model",
    "period", "time_zone", "carry_over",
)  # fmt: skip


class BudgetAdjustment(BaseModel):
    """One row of budget_adjustments.csv: USD that a person added to a budget's spend, or took off (negative)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget_id: Text
    effective_at: QuarterHour
    amount_usd: Annotated[Decimal, Field(max_digits=38, decimal_places=12), Number]
    reason: Text
    approved_by: Text


def read_budgets(
    path: Path = SEEDS / "budgets.csv", channels: Path = SEEDS / "notification_channels.csv"
) -> list[Budget]:
    """Every limit of every budget. Raises SeedError with a sentence for each mistake, by line."""
    rows, problems = read_rows(path, Budget)
    known = read_notification_channels(channels)
    problems += [
        f"{path.name} line {line}: {column} {getattr(row, column)!r} is not a channel of {channels.name}: write one of {', '.join(known)}."
        for line, row in rows.items()
        for column in ("channel", "escalation_channel")
        if getattr(row, column) not in (None, *known)
    ]
    by_id: dict[str, list[tuple[int, Budget]]] = {}
    for line, row in rows.items():
        by_id.setdefault(row.budget_id, []).append((line, row))
    for name, limits in by_id.items():
        problems += _contradictions(path, name, sorted(limits, key=lambda limit: limit[1].valid_from))
    if problems:
        raise SeedError("\n".join(problems))
    return list(rows.values())


def _contradictions(path: Path, name: str, limits: list[tuple[int, Budget]]) -> Iterable[str]:
    for (line, earlier), (next_line, later) in pairwise(limits):
        lines = f"{path.name} lines {line} and {next_line}, {name}:"
        differing = [key for key, value in earlier.identity.items() if later.identity[key] != value]
        if differing:
            yield f"{lines} {', '.join(differing)} differ: another scope or period needs its own budget_id."
        if earlier.valid_to is None or earlier.valid_to > later.valid_from:
            yield f"{lines} both hold at {later.valid_from}: set valid_to of the first to {later.valid_from} or earlier."
        elif earlier.valid_to < later.valid_from:
            yield f"{lines} no limit holds from {earlier.valid_to} to {later.valid_from}: close the gap, or rename the later one."


def read_budget_adjustments(
    path: Path = SEEDS / "budget_adjustments.csv", budgets: Path = SEEDS / "budgets.csv"
) -> list[BudgetAdjustment]:
    """Every adjustment. Raises SeedError with a sentence for each mistake, by line."""
    rows, problems = read_rows(path, BudgetAdjustment)
    known = {budget.budget_id for budget in read_budgets(budgets)}
    problems += [
        f"{path.name} line {line}: {row.budget_id!r} is not a budget of {budgets.name}: correct the name."
        for line, row in rows.items()
        if row.budget_id not in known
    ]
    if problems:
        raise SeedError("\n".join(problems))
    return list(rows.values())
