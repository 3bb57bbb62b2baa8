"""What was reported of a week, and when: the first edition, and one more each time its figures changed.

An edition is a line of the ledger with all the figures that it prints, read from the tables that are about to be published. Files
are made of the ledger alone and go into the publication of these tables, so what readers have can be deleted, or lost to a kill,
and the next run publishes the same bytes.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.ledger import one_writer, read_log, remember_instant, why_too_early
from orchestration.notifications import Event, enqueue
from orchestration.settings import Settings
from orchestration.warehouse import open_marts
from orchestration.weekly.figures import Edition, WeekError, check_week, complete_weeks, read_figures, week_start
from orchestration.weekly.render import markdown, outdated_files, title

# Usage that arrives later than this is rare, and a correction of an older week helps nobody: `make weekly WEEK=...` does it.
LOOKS_BACK_WEEKS = 4
NEWS_FOR = timedelta(days=7)  # what the outbox would call stale
CHANNELS = ("finance", "everyone")


@dataclass(frozen=True)
class Outcome:
    """What a run did about the weekly report; `sentence` is a sentence for people."""

    week: str | None
    sentence: str
    new_editions: list[str]
    queued: Counter


def report(settings: Settings, week: str = "") -> Outcome:
    """Reports a week, by default the last complete one, and looks again at those reported lately. Raises WeekError with a sentence.

    Writes an edition only where figures are new: a repetition writes nothing. A run as of an earlier
    instant than another reports nothing, and says so.
    """
    if week:
        week_start(week)
    folder = reports_folder(settings)
    with one_writer(folder) as append:
        editions = read_editions(settings)
        lines = [line for edition in editions.values() for line in edition]
        silent = why_too_early(folder, lines, settings.as_of)
        new = [] if silent else _new_editions(settings, editions, week)
        append(new)
        for line in new:
            editions.setdefault(line["iso_week"], []).append(line)
        if not silent:
            remember_instant(folder, lines, settings.as_of)
    since = settings.as_of - NEWS_FOR
    recent = [
        _event(lines[: place + 1])
        for lines in editions.values()
        for place, line in enumerate(lines)
        if datetime.fromisoformat(line["known_at"]) >= since
    ]
    # what an earlier run wrote and could not hand on is handed on now: the outbox knows what it has
    queued = Counter() if silent else enqueue(settings, recent)
    names = [f"{line['iso_week']} edition {line['edition']}" for line in new]
    about = week or max(editions, default=None)
    return Outcome(week=about, sentence=silent or _sentence(about, names), new_editions=names, queued=queued)


def files_to_publish(settings: Settings) -> dict[str, str]:
    """By name: the pages and texts of weeks that readers do not have as the ledger has them."""
    return outdated_files(settings.published / "weekly", read_editions(settings))


def reports_folder(settings: Settings) -> Path:
    """Where editions are kept: in the ledger, because what was reported on a day cannot be computed again."""
    return settings.ledger / "weekly_reports"


def read_editions(settings: Settings) -> dict[str, list[Edition]]:
    """The editions of each week, first to last; a line that a kill left torn was never written."""
    editions: dict[str, list[Edition]] = {}
    lines: list[Edition] = read_log(reports_folder(settings))[0]
    for line in lines:
        editions.setdefault(line["iso_week"], []).append(line)
    return editions


def spend_that_does_not_tie(settings: Settings) -> list[str]:
    """A sentence for each spend of a week's last edition that is not what the daily marts add up to."""
    if not settings.warehouse.exists():
        return []
    problems = []
    editions = read_editions(settings)
    with open_marts(settings, settings.warehouse) as marts:
        for week in [name for name in complete_weeks(marts)[-LOOKS_BACK_WEEKS:] if name in editions]:
            figures = editions[week][-1]["figures"]
            daily: dict[str, str] = dict(
                marts.execute(
                    "select environment, sum(cost_usd)::varchar from cost_by_endpoint_daily "
                    "where data_mode = 'real' and event_date >= ?::date and event_date < ?::date group by environment",
                    [figures["week_start"], figures["week_end"]],
                ).fetchall()
            )
            problems += [
                f"{week}, {shown['environment']}: the report says {shown['summary']['spend_usd']} USD, "
                f"cost_by_endpoint_daily adds up to {daily.get(shown['environment'])}."
                for shown in figures["environments"]
                if shown["summary"]["spend_usd"] != daily.get(shown["environment"])
            ]
    return problems


def _sentence(week: str | None, names: list[str]) -> str:
    if week is None:
        return "Nothing to report yet: no ISO week with real usage is complete."
    return f"Reported {', '.join(names)}." if names else f"{week}: the figures are those of its last edition."


def _new_editions(settings: Settings, editions: dict[str, list[Edition]], week: str) -> list[Edition]:
    """A line for each week whose figures are not those of its last edition."""
    if not settings.warehouse.exists():
        if week:
            raise WeekError(f"WEEK is {week!r}, and nothing is built yet: `make run` says why.")
        return []
    new: list[Edition] = []
    with open_marts(settings, settings.warehouse) as marts:
        complete = complete_weeks(marts)
        if week and week not in complete:
            check_week(marts, settings, week)
        for name in [week] if week else _looked_at(complete, editions):
            figures = read_figures(marts, name)
            before = editions.get(name, [])
            if not before or before[-1]["figures"] != figures:
                new.append(
                    {
                        "iso_week": name,
                        "edition": len(before) + 1,
                        "known_at": settings.as_of.isoformat(),
                        "report_url": f"{settings.base_url.rstrip('/')}/weekly/{name}.html",
                        "figures": figures,
                    }
                )
    return new


def _looked_at(complete: list[str], editions: dict[str, list[Edition]]) -> list[str]:
    """The last complete week, and those before it that were reported lately."""
    return [name for name in complete[-LOOKS_BACK_WEEKS:] if name == complete[-1] or name in editions]


def _event(lines: list[Edition]) -> Event:
    """The last of these editions as a message."""
    line, name = lines[-1], lines[-1]["iso_week"]
    is_first = len(lines) == 1
    return Event(
        event_key=f"weekly/{name}/{line['edition']}",
        topic=f"weekly/{name}/{line['edition']}",  # a later edition is not a repetition that may be held back
        kind="weekly" if is_first else "correction",
        severity="warning" if (_is_alarming(line) if is_first else _spend(line) != _spend(lines[-2])) else "info",
        title=title(lines),
        body=markdown(lines, is_file=False).rstrip(),
        drill_url=line["report_url"],
        occurred_at=datetime.fromisoformat(line["figures"]["week_end"]).replace(tzinfo=UTC),
        channels=CHANNELS,
    )


def _is_alarming(line: Edition) -> bool:
    findings = [row for shown in line["figures"]["environments"] for row in shown["findings"]]
    return any(row["severity"] != "info" for row in findings)


def _spend(line: Edition) -> dict[str, str | None]:
    return {shown["environment"]: shown["summary"]["spend_usd"] for shown in line["figures"]["environments"]}
