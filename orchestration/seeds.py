"""What a team edits by pull request (dbt_project/seeds), checked before it is used: every mistake is a sentence that names the line."""

import csv
from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from orchestration.settings import PROJECT

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
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEVERITIES = ("info", "warning", "critical")  # in order
LIMITS = ("is_on", "min_z", "min_share_of_spend", "min_usd", "min_ratio", "critical_share_of_spend")


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


Blank = BeforeValidator(lambda value: None if value == "" else value)
Share = Annotated[Annotated[float, Field(ge=0, le=1)] | None, Blank]
Positive = Annotated[Annotated[float, Field(gt=0)] | None, Blank]
NotNegative = Annotated[Annotated[float, Field(ge=0)] | None, Blank]
Ratio = Annotated[Annotated[float, Field(ge=1)] | None, Blank]
Day = Annotated[date | None, Blank]
Word = Annotated[str, AfterValidator(_named)]
Text = Annotated[str, Field(min_length=1)]
Row = TypeVar("Row", bound=BaseModel)


class AlertRule(BaseModel):
    """One row of alert_rules.csv. An empty limit leaves it to the less specific row; shares are of a usual day's spend, USD a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert_type: Annotated[str, AfterValidator(_known_type)]
    scope_dimension: str
    environment: Word
    data_mode: Word
    scope_value: Word
    is_on: Annotated[bool | None, Blank]
    min_z: Positive
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
    seen: dict[tuple, int] = {}
    for line, rule in rules.items():
        if rule.scope in seen:
            problems.append(
                f"{path.name} lines {seen[rule.scope]} and {line} hold for the same scope: keep one of them."
            )
        seen.setdefault(rule.scope, line)
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


def _address_variable(value: str) -> str:
    prefix, name = "TOKENTRAIL_CHANNEL_", value.removeprefix("TOKENTRAIL_CHANNEL_")
    if name == value or not name or not set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"):
        # the value is not repeated: it may be an address, and addresses are secrets
        raise ValueError(
            f"it is no name of an environment variable that begins with {prefix}, such as {prefix}FINANCE: "
            "an address never stands in this file"
        )
    return value


def _iana_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{value!r} is no IANA zone such as Europe/Berlin") from None
    return value


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
    cooldown_minutes: Annotated[int, Field(ge=0)]
    escalate_after_minutes: Annotated[Annotated[int, Field(gt=0)] | None, Blank]
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
    seen: dict[str, int] = {}
    for line, row in rows.items():
        if row.channel in seen:
            problems.append(
                f"{path.name} lines {seen[row.channel]} and {line} are both {row.channel}: keep one of them."
            )
        seen.setdefault(row.channel, line)
    for line, row in rows.items():
        if row.escalate_to and row.escalate_to not in seen:
            problems.append(
                f"{path.name} line {line}: escalate_to: {row.escalate_to!r} is no channel of this file: "
                f"write one of {', '.join(seen)}."
            )
    if problems:
        raise SeedError("\n".join(problems))
    return {row.channel: row for row in rows.values()}


def _read(path: Path, kind: type[Row]) -> tuple[dict[int, Row], list[str]]:
    """Rows by line number, and a sentence for each line that is none."""
    rows, problems = {}, []
    with path.open(newline="") as file:
        for line, fields in enumerate(csv.DictReader(file), start=2):
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
