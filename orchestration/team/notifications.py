"""notification_channels.csv: where messages go, when, and who is notified next."""

from collections.abc import Iterable
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orchestration.team.columns import Blank, Day, Text, TimeZone, Whole
from orchestration.team.rows import Found, TeamFile, read_rows

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Severity = Literal["info", "warning", "critical"]  # in order
WEEKDAYS, SEVERITIES = get_args(Weekday), get_args(Severity)


def _address_variable(value: str) -> str:
    prefix, name = "TOKENTRAIL_CHANNEL_", value.removeprefix("TOKENTRAIL_CHANNEL_")
    if name == value or not name or not set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"):
        # the value is not repeated: it may be an address, and addresses are secrets
        raise ValueError(
            f"it is not the name of an environment variable that begins with {prefix}, such as {prefix}FINANCE: "
            "an address is never written in this file"
        )
    return value


def _time_of_day(value: str) -> time | None:
    try:
        return datetime.strptime(value, "%H:%M").time() if value else None  # noqa: DTZ007 - a local time, whatever the day
    except ValueError:
        raise ValueError(f"{value!r} is not a time of day: give HH:MM") from None


class NotificationChannel(BaseModel):
    """One row of notification_channels.csv: where messages go, when, and who is notified next. The address is in the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: Text
    address_variable: Annotated[str, AfterValidator(_address_variable)]
    min_severity: Severity
    digest: Literal["immediate", "daily", "weekly"]
    digest_at: Annotated[time | None, BeforeValidator(_time_of_day)]
    digest_weekday: Annotated[Weekday | None, Blank]
    time_zone: TimeZone
    cooldown_minutes: Annotated[Whole, Field(ge=0)]
    escalate_after_minutes: Annotated[Annotated[Whole, Field(gt=0)] | None, Blank]
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
            raise ValueError("muted_until has no muted_from: give the first muted day")
        if self.muted_from and self.muted_until and self.muted_from >= self.muted_until:
            raise ValueError(
                f"muted_until {self.muted_until} is not after muted_from {self.muted_from}: give the first day that is no longer muted"
            )
        return self


def _escalations_lead_somewhere(rows: list[Found[NotificationChannel]]) -> Iterable[str]:
    channels = [each.row.channel for each in rows]
    for each in rows:
        if each.row.escalate_to and each.row.escalate_to not in channels:
            yield (
                f"{each.place}: escalate_to: {each.row.escalate_to!r} is not a channel of this file: "
                f"write one of {', '.join(channels)}."
            )


NOTIFICATION_CHANNELS = TeamFile(
    "notification_channels", NotificationChannel, key=("channel",), check=_escalations_lead_somewhere
)


def read_channels(folder: Path) -> dict[str, NotificationChannel]:
    """The channels by name. Raises TeamFileError with a sentence for each mistake, by line."""
    return {row.channel: row for row in read_rows(folder, NOTIFICATION_CHANNELS)}
