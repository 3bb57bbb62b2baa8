"""What differs between two editions of a week, in words: rows are compared by what they are about, then column by column."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orchestration.weekly.figures import DRIVER, INCIDENT, RECURRENCE, SUMMARY, Figures, Row
from orchestration.wording import day, exact, usd, written

ABSENT = "not in the report"
Columns = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Change:
    """One figure that another edition has otherwise."""

    what: str
    before: str
    after: str


def changes(before: Figures, after: Figures) -> list[Change]:
    """All that differs, money first: (what, before, after). Never empty for figures that differ."""
    found = [*_of_environments(before, after), *_of_problems(before, after)]
    if not found and before != after:
        found = [Change("The order of rows", "as it was", "another")]
    return found


def _of_environments(before: Figures, after: Figures) -> Iterator[Change]:
    for name, old, new in _paired(before["environments"], after["environments"], "environment"):
        if old is None or new is None:
            yield _come_or_gone(name, old, new, lambda row: f"{_spend(row['summary'])} spent")
            continue
        yield from _differing(name, SUMMARY, old["summary"], new["summary"])
        for part, key, label in (("weeks", "iso_week", str), ("days", "date", day)):
            for at, was, now in _paired(old.get(part, []), new.get(part, []), key):
                if was and now and at != after["iso_week"]:
                    yield from _differing(name, {"spend_usd": (f"spend of {label(at)}", "usd")}, was, now)
        for (dimension, member), was, now in _paired(old["drivers"], new["drivers"], "dimension", "member"):
            about = f"{name}, {dimension.replace('_', ' ')} {member}"
            if was and now:
                yield from _differing(about, DRIVER, was, now)
            else:
                yield _come_or_gone(f"{about}: among the top drivers", was, now, _spend)
        yield from _of_findings(name, old, new)


def _of_findings(name: str, before: Row, after: Row) -> Iterator[Change]:
    """Sentences that are the same are no news; of the others, those of one kind are taken for one another in their order."""
    old, new = ([_finding(row) for row in side["findings"]] for side in (before, after))
    gone, come = [row for row in old if row not in new], [row for row in new if row not in old]
    for kind in dict.fromkeys(kind for kind, _ in [*gone, *come]):
        was, now = ([text for of, text in side if of == kind] for side in (gone, come))
        for place in range(max(len(was), len(now))):
            yield Change(
                f"{name}: finding ({kind})",
                was[place] if place < len(was) else ABSENT,
                now[place] if place < len(now) else ABSENT,
            )
    yield from _counted(f"{name}: findings not printed", before["findings_left_out"], after["findings_left_out"])


def _finding(row: Row) -> tuple[str, str]:
    amount = "" if row["amount_usd"] is None else f", {usd(row['amount_usd'])}"
    return row["kind"], f"{row['sentence']} ({row['severity']}{amount})"


def _of_problems(before: Figures, after: Figures) -> Iterator[Change]:
    for _, old, new in _paired(before["recurrence"], after["recurrence"], "problem_id"):
        about = f"{(new or old)['problem']} ({(new or old)['environment']})"
        if old is None or new is None:
            yield _come_or_gone(about, old, new, lambda row: row["status"])
            continue
        yield from _differing(about, RECURRENCE, old, new)
        for week, was, now in _paired(old["weeks"], new["weeks"], "iso_week"):
            columns = {"status": (f"status in {week}", "text"), "occurrences": (f"alerts in {week}", "count")}
            if was and now and week != after["iso_week"]:
                yield from _differing(about, columns, was, now)
    for name, old, new in _paired(before["incidents"], after["incidents"], "incident_id"):
        if old is None or new is None:
            yield _come_or_gone(f"incident {name}", old, new, lambda row: row["status"])
        else:
            yield from _differing(f"incident {name}", INCIDENT, old, new)
    for kind in ("recurrence", "incidents"):
        label = "problems" if kind == "recurrence" else kind
        yield from _counted(f"{label} not printed", before[f"{kind}_left_out"], after[f"{kind}_left_out"])


def _paired(before: list[Row], after: list[Row], *key: str) -> Iterator[tuple[object, Row | None, Row | None]]:
    """Rows of both editions by key, in the order of the later one; what is gone comes last."""
    sides = [{tuple(row[name] for name in key): row for row in rows} for rows in (before, after)]
    for at in [*sides[1], *(at for at in sides[0] if at not in sides[1])]:
        yield at if len(key) > 1 else at[0], sides[0].get(at), sides[1].get(at)


def _differing(about: str, columns: Columns, before: Row, after: Row) -> Iterator[Change]:
    for name, (label, kind) in columns.items():
        was, now = before.get(name), after.get(name)
        if was != now:
            texts = written(kind, was), written(kind, now)
            if texts[0] == texts[1]:
                texts = exact(kind, was), exact(kind, now)
            yield Change(f"{about}: {label}", *texts)


def _come_or_gone(what: str, before: Row | None, after: Row | None, says: Callable[[Row], str]) -> Change:
    return Change(what, says(before) if before else ABSENT, says(after) if after else ABSENT)


def _counted(what: str, before: int, after: int) -> Iterator[Change]:
    if before != after:
        yield Change(what, str(before), str(after))


def _spend(row: Row) -> str:
    return _amount(row["spend_usd"])


def _amount(value: str | None) -> str:
    return usd(value) if value is not None else "unknown"
