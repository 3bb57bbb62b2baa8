"""What differs between two editions of a week, in words: rows are compared by what they are about, then column by column."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

from orchestration.weekly.figures import (
    DRIVER,
    INCIDENT,
    RECURRENCE,
    SUMMARY,
    Columns,
    DaySpend,
    EnvironmentFigures,
    Figures,
    Finding,
    Recurrence,
    Summary,
    WeekSpend,
)
from orchestration.wording import change, day, exact, listed, many, usd, written

ABSENT = "not in the report"
R = TypeVar("R")  # a row
K = TypeVar("K")  # what a row is about


@dataclass(frozen=True)
class Change:
    """One figure that differs in another edition."""

    what: str
    before: str
    after: str


def changes(before: Figures, after: Figures) -> list[Change]:
    """Every difference, money first: (what, before, after). Never empty for figures that differ."""
    parts = (_of_environments, _of_budgets, _of_problems, _of_incidents, _of_rows_left_out)
    found = [each for part in parts for each in part(before, after)]
    if not found and before != after:
        found = [Change("The order of rows", "as it was", "another")]
    return found


def why(before: Figures, after: Figures) -> str:
    """What changed, and why, in one sentence: spend and the calls behind it first, else what people recorded."""
    moved = [
        sentence
        for name, old, new in _paired(before["environments"], after["environments"], lambda row: row["environment"])
        if (sentence := _moved_spend(name, old and old["summary"], new and new["summary"]))
    ]
    others = {
        "incidents": [*_of_incidents(before, after)],
        "problems": [*_of_problems(before, after)],
        "budgets": [*_of_budgets(before, after)],
    }
    about = [name for name, found in others.items() if found]
    if moved:
        return f"{'; '.join(moved)}."
    if not about:
        return "No spend changed; counts or sentences that explain it did."
    because = ", after what people recorded about incidents" if others["incidents"] else ""
    return f"No spend changed; {listed(about)} did{because}."


def _moved_spend(name: str, before: Summary | None, after: Summary | None) -> str:
    """How an environment's spend differs, with the cause that its calls show; nothing where it does not."""
    if before is None or after is None:
        return f"{name} {'came into' if before is None else 'left'} the report"
    was, now = before["spend_usd"], after["spend_usd"]
    calls = _difference(before, after, "attempts")
    unpriced = _difference(before, after, "unpriced_attempts")
    if was == now and not calls:
        return ""
    causes = [
        f"{many(abs(calls), 'call')} {'arrived late' if calls > 0 else 'no longer count'}" if calls else "",
        f"{many(abs(unpriced), 'call')} {'got a price' if unpriced < 0 else 'have no price'}" if unpriced else "",
    ]
    cause = listed([each for each in causes if each]) or "the same calls have another price or other token counts"
    if was is None or now is None:
        return f"spend of {name} is {_amount(now)} instead of {_amount(was)}: {cause}"
    return f"spend of {name} is {usd(now)}, {change(str(Decimal(now) - Decimal(was)))}: {cause}"


def _difference(before: Summary, after: Summary, column: Literal["attempts", "unpriced_attempts"]) -> int:
    return (after.get(column) or 0) - (before.get(column) or 0)


def _of_environments(before: Figures, after: Figures) -> Iterator[Change]:
    for name, old, new in _paired(before["environments"], after["environments"], lambda row: row["environment"]):
        if old is None or new is None:
            yield _come_or_gone(name, old, new, lambda row: f"{_amount(row['summary']['spend_usd'])} spent")
            continue
        yield from _differing(name, SUMMARY, old["summary"], new["summary"])
        earlier, later = _spends(old), _spends(new)
        for time in later:
            if time in earlier and time != after["iso_week"]:
                yield from _differing(name, {"spend_usd": (f"spend of {time}", "usd")}, earlier[time], later[time])
        for about, was, now in _paired(old["drivers"], new["drivers"], lambda row: (row["dimension"], row["member"])):
            driver = f"{name}, {about[0].replace('_', ' ')} {about[1]}"
            if was and now:
                yield from _differing(driver, DRIVER, was, now)
            else:
                among = f"{driver}: among the top drivers"
                yield _come_or_gone(among, was, now, lambda row: _amount(row["spend_usd"]))
        yield from _of_findings(name, old, new)


def _spends(shown: EnvironmentFigures) -> dict[str, WeekSpend | DaySpend]:
    """The bars of the charts, by the name of their week or day."""
    weeks: dict[str, WeekSpend | DaySpend] = {row["iso_week"]: row for row in shown.get("weeks", [])}
    return weeks | {day(row["date"]): row for row in shown.get("days", [])}


def _of_findings(name: str, before: EnvironmentFigures, after: EnvironmentFigures) -> Iterator[Change]:
    yield from _of_sentences(f"{name}: ", before["findings"], after["findings"])
    yield from _counted(f"{name}: findings not printed", before["findings_left_out"], after["findings_left_out"])


def _of_budgets(before: Figures, after: Figures) -> Iterator[Change]:
    if "budgets" in before:  # an older release has them among the findings
        yield from _of_sentences("", before["budgets"], after["budgets"])


def _of_sentences(about: str, before: list[Finding], after: list[Finding]) -> Iterator[Change]:
    """Sentences that are the same are not news; of the others, those of one kind are taken for one another in their order."""
    old, new = ([_finding(row) for row in side] for side in (before, after))
    gone, come = [row for row in old if row not in new], [row for row in new if row not in old]
    for kind in dict.fromkeys(kind for kind, _ in [*gone, *come]):
        was, now = ([text for of, text in side if of == kind] for side in (gone, come))
        for place in range(max(len(was), len(now))):
            yield Change(
                f"{about}finding ({kind})",
                was[place] if place < len(was) else ABSENT,
                now[place] if place < len(now) else ABSENT,
            )


def _finding(row: Finding) -> tuple[str, str]:
    amount = "" if row["amount_usd"] is None else f", {usd(row['amount_usd'])}"
    return row["kind"], f"{row['sentence']} ({row['severity']}{amount})"


def _of_problems(before: Figures, after: Figures) -> Iterator[Change]:
    for _, old, new in _paired(before["recurrence"], after["recurrence"], lambda row: row["problem_id"]):
        if old and new:
            about = _problem(new)
            yield from _differing(about, RECURRENCE, old, new)
            for week, was, now in _paired(old["weeks"], new["weeks"], lambda row: row["iso_week"]):
                columns = {"status": (f"status in {week}", "text"), "occurrences": (f"alerts in {week}", "count")}
                if was and now and week != after["iso_week"]:
                    yield from _differing(about, columns, was, now)
        elif either := new or old:
            yield _come_or_gone(_problem(either), old, new, lambda row: row["status"])


def _problem(row: Recurrence) -> str:
    return f"{row['problem']} ({row['environment']})"


def _of_incidents(before: Figures, after: Figures) -> Iterator[Change]:
    for name, old, new in _paired(before["incidents"], after["incidents"], lambda row: row["incident_id"]):
        if old and new:
            yield from _differing(f"incident {name}", INCIDENT, old, new)
        else:
            yield _come_or_gone(f"incident {name}", old, new, lambda row: row["status"])


def _of_rows_left_out(before: Figures, after: Figures) -> Iterator[Change]:
    yield from _counted("problems not printed", before["recurrence_left_out"], after["recurrence_left_out"])
    yield from _counted("incidents not printed", before["incidents_left_out"], after["incidents_left_out"])


def _paired(before: list[R], after: list[R], about: Callable[[R], K]) -> Iterator[tuple[K, R | None, R | None]]:
    """Rows of both editions by what they are about, in the order of the later one; what is gone comes last."""
    old, new = ({about(row): row for row in rows} for rows in (before, after))
    for at in [*new, *(at for at in old if at not in new)]:
        yield at, old.get(at), new.get(at)


def _differing(
    about: str, columns: Columns, before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[Change]:
    for name, (label, kind) in columns.items():
        was, now = before.get(name), after.get(name)
        if was != now:
            texts = written(kind, was), written(kind, now)
            if texts[0] == texts[1]:
                texts = exact(kind, was), exact(kind, now)
            yield Change(f"{about}: {label}", *texts)


def _come_or_gone(what: str, before: R | None, after: R | None, says: Callable[[R], str]) -> Change:
    return Change(what, says(before) if before else ABSENT, says(after) if after else ABSENT)


def _counted(what: str, before: int, after: int) -> Iterator[Change]:
    if before != after:
        yield Change(what, str(before), str(after))


def _amount(value: str | None) -> str:
    return usd(value) if value is not None else "unknown"
