"""What a team edits by pull request (dbt_project/seeds), checked before it is used: every mistake is a sentence that names the line."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from orchestration.settings import PROJECT
from orchestration.team.files import read_table

SEEDS = PROJECT / "dbt_project" / "seeds"
ANY = "*"
WATCHED = {
    "cost_drift": {"total", "endpoint", "tenant", "user", "model", "endpoint x model"},
    "cost_per_request_drift": {"endpoint", "endpoint x prompt_version", "endpoint x model"},
    "unknown_model": {"model"},
    "new_model": {"model"},
    "new_identity": {"tenant", "user"},
    "burst_falling_success": {"endpoint"},
}
# What may have made spending rise; macro spike_type decides which it was, containment_map.csv says what to do about it.
SPIKE_TYPES = ("volume", "token", "deploy", "abuse", "concentration", "retry", "price_mix", "unknown_model")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEVERITIES = ("info", "warning", "critical")  # in order
LIMITS = ("is_on", "min_z", "min_z_alone", "min_share_of_spend", "min_usd", "min_ratio", "critical_share_of_spend")


class SeedError(ValueError):
    """A seed that cannot be used; the message has a sentence for each mistake."""


def _known_type(value: str) -> str:
    if value not in WATCHED:
        raise ValueError(f"{value!r} is no alert type: write one of {', '.join(WATCHED)}")
    return value


def _named(value: str) -> str:
    if not value:
        raise ValueError(f"it is empty: write {ANY} for any")
    return value


def _iso_date(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError(f"{value!r} is no date: write it as 2026-03-01")
    return value


def _iso_instant(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?", value, re.ASCII):
        raise ValueError(
            f"{value!r} is no local quarter-hour: write 2026-11-01, or 2026-11-01T14:15, in the budget's own zone"
        )
    return value


def _number(value: object) -> object:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", str(value), re.ASCII):
        raise ValueError(f"{value!r} is no number: write it as 1234.5, without spaces, signs of currency or of percent")
    return value


def _yes_or_no(value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


IsoDate, IsoInstant, Number, YesOrNo = map(BeforeValidator, (_iso_date, _iso_instant, _number, _yes_or_no))
Blank = BeforeValidator(lambda value: None if value == "" else value)
Share = Annotated[Annotated[float, Field(ge=0, le=1), Number] | None, Blank]
Positive = Annotated[Annotated[float, Field(gt=0), Number] | None, Blank]
NotNegative = Annotated[Annotated[float, Field(ge=0), Number] | None, Blank]
Ratio = Annotated[Annotated[float, Field(ge=1), Number] | None, Blank]
Day = Annotated[Annotated[date, IsoDate] | None, Blank]
Switch = Annotated[Annotated[bool, YesOrNo] | None, Blank]
Word = Annotated[str, AfterValidator(_named)]
Text = Annotated[str, Field(min_length=1)]
MaybeText = Annotated[str | None, Blank]
Row = TypeVar("Row", bound=BaseModel)


def _iana_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{value!r} is no IANA zone such as Europe/Berlin") from None
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
                f"muted_until {self.muted_until} is not after muted_from {self.muted_from}: it is the first day that speaks again"
            )
        return self

    @property
    def scope(self) -> tuple:
        """What the rule holds for; two rows of one scope would contradict each other."""
        return (
            self.alert_type,
            self.scope_dimension,
            self.environment,
            self.data_mode,
            self.scope_value,
            self.muted_from,
        )


def read_alert_rules(path: Path = SEEDS / "alert_rules.csv") -> list[AlertRule]:
    """The rules in force. Raises SeedError with a sentence for each mistake, by line."""
    rules, problems = _read(path, AlertRule)
    problems += _said_twice(path, rules, lambda rule: rule.scope, lambda rule: "hold for the same scope")
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


def _a_quarter_hour(value: datetime | None) -> datetime | None:
    if value and (value.tzinfo or value.minute % 15 or value.second or value.microsecond):
        raise ValueError(
            f"{value} is no local quarter-hour: write 2026-11-01, or 2026-11-01T14:15, in the budget's own zone"
        )
    return value


def _address_variable(value: str) -> str:
    prefix, name = "TOKENTRAIL_CHANNEL_", value.removeprefix("TOKENTRAIL_CHANNEL_")
    if name == value or not name or not set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"):
        # the value is not repeated: it may be an address, and addresses are secrets
        raise ValueError(
            f"it is no name of an environment variable that begins with {prefix}, such as {prefix}FINANCE: "
            "an address never stands in this file"
        )
    return value


QuarterHour = Annotated[datetime, AfterValidator(_a_quarter_hour), IsoInstant]
Instant = Annotated[QuarterHour | None, Blank]
Words = Annotated[str, Field(pattern=r"^(\*|[^\s*,;|]+( [^\s*,;|]+)*)$")]


class Budget(BaseModel):
    """One row of budgets.csv: one limit (USD a period) of a budget. A blank scope column is any; times are local to the budget's zone."""

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
    time_zone: Annotated[str, AfterValidator(_iana_zone)]
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
                raise ValueError(f"{end} {last} is not after {start} {first}: it is the first moment outside")
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
    rows, problems = _read(path, Budget)
    known = read_notification_channels(channels)
    problems += [
        f"{path.name} line {line}: {column} {getattr(row, column)!r} is no channel of {channels.name}: write one of {', '.join(known)}."
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
            yield f"{lines} {', '.join(differing)} differ; another scope or period is another budget: give it its own budget_id."
        if earlier.valid_to is None or earlier.valid_to > later.valid_from:
            yield f"{lines} both hold at {later.valid_from}: let valid_to of the first be {later.valid_from} or earlier."
        elif earlier.valid_to < later.valid_from:
            yield f"{lines} no limit holds from {earlier.valid_to} to {later.valid_from}: close the gap, or give the later another id."


def read_budget_adjustments(
    path: Path = SEEDS / "budget_adjustments.csv", budgets: Path = SEEDS / "budgets.csv"
) -> list[BudgetAdjustment]:
    """Every adjustment. Raises SeedError with a sentence for each mistake, by line."""
    rows, problems = _read(path, BudgetAdjustment)
    known = {budget.budget_id for budget in read_budgets(budgets)}
    problems += [
        f"{path.name} line {line}: {row.budget_id!r} is no budget of {budgets.name}: correct the name."
        for line, row in rows.items()
        if row.budget_id not in known
    ]
    if problems:
        raise SeedError("\n".join(problems))
    return list(rows.values())


def _time_of_day(value: str) -> time | None:
    try:
        return datetime.strptime(value, "%H:%M").time() if value else None  # noqa: DTZ007 - a local time, whatever the day
    except ValueError:
        raise ValueError(f"{value!r} is no time of day: give HH:MM") from None


class NotificationChannel(BaseModel):
    """One row of notification_channels.csv: where messages go, when, and who is told next. The address stands in the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: Text
    address_variable: Annotated[str, AfterValidator(_address_variable)]
    min_severity: Literal[SEVERITIES]
    digest: Literal["immediate", "daily", "weekly"]
    digest_at: Annotated[time | None, BeforeValidator(_time_of_day)]
    digest_weekday: Annotated[Literal[WEEKDAYS] | None, Blank]
    time_zone: Annotated[str, AfterValidator(_iana_zone)]
    cooldown_minutes: Annotated[int, Field(ge=0), Number]
    escalate_after_minutes: Annotated[Annotated[int, Field(gt=0), Number] | None, Blank]
    escalate_to: Annotated[str | None, Blank]
    muted_from: Day
    muted_until: Day
    reason: Text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.digest != "immediate") != (self.digest_at is not None):
            raise ValueError(
                f"digest is {self.digest}: give digest_at (local HH:MM) with daily and weekly, and only then"
            )
        if (self.digest == "weekly") != (self.digest_weekday is not None):
            raise ValueError(f"digest is {self.digest}: give digest_weekday with weekly, and only then")
        if (self.escalate_to is None) != (self.escalate_after_minutes is None):
            raise ValueError("give both of escalate_after_minutes and escalate_to, or neither")
        if self.escalate_to == self.channel:
            raise ValueError(f"{self.channel} escalates to itself: name another channel")
        if self.muted_until and not self.muted_from:
            raise ValueError("muted_until has no muted_from: give the first day of silence")
        if self.muted_from and self.muted_until and self.muted_from >= self.muted_until:
            raise ValueError(
                f"muted_until {self.muted_until} is not after muted_from {self.muted_from}: it is the first day that speaks again"
            )
        return self


def read_notification_channels(path: Path = SEEDS / "notification_channels.csv") -> dict[str, NotificationChannel]:
    """The channels by name. Raises SeedError with a sentence for each mistake, by line."""
    rows, problems = _read(path, NotificationChannel)
    problems += _said_twice(path, rows, lambda row: row.channel, lambda row: f"are both {row.channel}")
    channels = dict.fromkeys(row.channel for row in rows.values())
    for line, row in rows.items():
        if row.escalate_to and row.escalate_to not in channels:
            problems.append(
                f"{path.name} line {line}: escalate_to: {row.escalate_to!r} is no channel of this file: "
                f"write one of {', '.join(channels)}."
            )
    if problems:
        raise SeedError("\n".join(problems))
    return {row.channel: row for row in rows.values()}


def _spike_type(value: str) -> str:
    if value not in SPIKE_TYPES:
        raise ValueError(f"{value!r} is no spike type: write one of {', '.join(SPIKE_TYPES)}")
    return value


def _web_address(value: str | None) -> str | None:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError(f"{value!r} is no address of a page: write it whole, with https://")
    return value


class Containment(BaseModel):
    """One row of containment_map.csv: what to do about a spike type now, and which rule keeps it from coming back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spike_type: Annotated[str, AfterValidator(_spike_type)]
    containment_action: Text
    guardrail: Text
    reason: Text


class EndpointOwner(BaseModel):
    """One row of endpoint_owners.csv: who answers for an endpoint, and where its runbook is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint_tag: Text
    owner: Text
    runbook_url: Annotated[Annotated[str | None, AfterValidator(_web_address)], Blank]
    escalation_channel: MaybeText
    runbook_reviewed_on: Day


def read_containment_map(path: Path = SEEDS / "containment_map.csv") -> dict[str, Containment]:
    """What to do about each spike type. Raises SeedError with a sentence for each mistake, by line."""
    rows = _read_by(path, Containment, "spike_type", SPIKE_TYPES)
    return {row.spike_type: row for row in rows}


def read_endpoint_owners(path: Path = SEEDS / "endpoint_owners.csv") -> list[EndpointOwner]:
    """Who answers for which endpoint. Raises SeedError with a sentence for each mistake, by line."""
    return _read_by(path, EndpointOwner, "endpoint_tag")


def _read_by(path: Path, kind: type[Row], key: str, needed: Iterable[str] = ()) -> list[Row]:
    """Rows of which each has a key of its own, and every key that is needed has one. Raises SeedError."""
    rows, problems = _read(path, kind)
    problems += _said_twice(path, rows, lambda row: getattr(row, key), lambda row: f"are both {getattr(row, key)}")
    named = {getattr(row, key) for row in rows.values()}
    missing = [name for name in needed if name not in named]
    if missing and not problems:  # a row with a mistake in it is not missing
        problems.append(
            f"{path.name} has no row for {', '.join(missing)}: add one, so that everybody knows what to do."
        )
    if problems:
        raise SeedError("\n".join(problems))
    return list(rows.values())


def _said_twice(
    path: Path, rows: dict[int, Row], key: Callable[[Row], object], what: Callable[[Row], str]
) -> Iterable[str]:
    """A sentence for each line whose key an earlier one has."""
    first: dict[object, int] = {}
    for line, row in rows.items():
        if first.setdefault(key(row), line) != line:
            yield f"{path.name} lines {first[key(row)]} and {line} {what(row)}: keep one of them."


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


def _read(path: Path, kind: type[Row]) -> tuple[dict[int, Row], list[str]]:
    """Rows by line number, and a sentence for each line that is none."""
    table, problems = read_table(path)
    rows = {}
    for line, fields in table.items():
        try:
            rows[line] = kind.model_validate(fields)
        except ValidationError as error:
            problems += [f"{path.name} line {line}: {sentence}" for sentence in _sentences(error)]
    return rows, problems


def _sentences(error: ValidationError) -> Iterable[str]:
    for detail in error.errors():
        column = f"{detail['loc'][0]}: " if detail["loc"] else ""
        is_address = "://" in str(detail["input"])  # never repeated: it may hold a password
        found = "" if detail["type"] == "value_error" or is_address else f" (found {detail['input']!r})"
        yield f"{column}{detail['msg'].removeprefix('Value error, ')}{found}."
