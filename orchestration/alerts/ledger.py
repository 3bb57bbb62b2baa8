"""What was announced about alerts, and when: `marts.alerts` follows today's facts, this ledger keeps what was announced.

A run compares the two, and the difference is news. Lines are only ever appended. Their `kind`:

  new         an alert that nobody was notified of
  back        one that was announced as withdrawn or over, and stands out again: in the topic that it had
  worsened    its severity rose, or a day of it costs at least PACE times as much as when it was last announced
  confirmed   the day on which it was announced is over, and says the same
  changed     the complete day, late data or new prices say something else: its severity fell, its driver or its dollars moved
  closed      it is over; or a rule mutes it, or it was planned, so that there is nothing more to say
  withdrawn   it does not stand out any more
  past        it was over before anybody could be notified, as after a backfill: one message in the digest lists all of them

Nobody is notified of severity info, of muted and of planned alerts.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from orchestration.alerts.facts import Alert, Driver
from orchestration.ledger import read_log
from orchestration.settings import Settings

ENDS = {"closed", "withdrawn", "past"}
OVER = {"closed", "muted", "planned"}  # statuses of alerts
BEGINS = {"new", "back", "worsened"}  # somebody has to act, notified before or not

Kind = Literal["new", "back", "worsened", "confirmed", "changed", "closed", "withdrawn", "past"]


class Line(TypedDict):
    """A line of the ledger: an alert as it was announced."""

    kind: Kind
    alert_id: str
    supersedes: str | None  # the id under which the same alert was announced before
    event_key: str  # of the message that tells it
    topic: str
    cause: str  # what alerts of one cause have in common
    ends: bool  # with it all alerts of its topic are over
    is_silent: (
        bool  # an end while others of its topic are open: the last one says that all are over; and a return after it
    )
    reason: str | None  # why it was withdrawn: later_hours, late_data or rules
    known_at: str
    alert: Alert
    effects: dict[str, str]
    driver: Driver | None
    attempts: str | None  # of its series on its day
    before: Alert | None  # as it was last announced
    before_at: str | None  # or when its end was announced


@dataclass
class Announced:
    """What the lines of the ledger add up to."""

    lines: list[Line] = field(default_factory=list)
    alerts: dict[str, Line] = field(default_factory=dict)  # the last line of each

    def apply(self, line: Line) -> None:
        """Takes in the next line."""
        self.lines.append(line)
        self.alerts.pop(line["supersedes"] or "", None)
        self.alerts[line["alert_id"]] = line

    def open_in(self, topic: str) -> list[Line]:
        """The last lines of the alerts of a topic that are not over."""
        return [line for line in self.alerts.values() if line["topic"] == topic and line["kind"] not in ENDS]


def announcements_folder(settings: Settings) -> Path:
    """Where announcements are kept: in the ledger, because what was announced cannot be computed again."""
    return settings.ledger / "alert_announcements"


def read_announcements(settings: Settings) -> list[Line]:
    """Every line, oldest first; a line that a kill left torn was never written."""
    return read_log(announcements_folder(settings))[0]
