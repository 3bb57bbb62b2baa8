"""The scores as tables, and where they are in the documentation."""

import re
from math import isfinite
from pathlib import Path

from benchmarks.alerts.score import BUDGETS, LEAST_SHARE, Figure, Scores
from benchmarks.report import table

BLOCK = re.compile(r"(<!-- begin bench-alerts -->\n).*?(<!-- end bench-alerts -->)", re.DOTALL)
PLAYBOOK = "z-score, same weekdays"  # whose causes are the largest dollar delta, as looked up by hand


def markdown(scores: dict[str, Scores], product: str, seeds: list[int]) -> str:
    """Every table; without those of the product where only the simple monitors were scored."""
    own, (first, *_) = scores.get(product), scores.values()
    incidents = next(iter(first.recall.values())).same_day.count
    title = (
        f"{len(seeds)} worlds (seeds {seeds[0]} to {seeds[-1]}), {incidents} incidents; in brackets 90 % intervals over "
        f"worlds. Rates are per week of days without incidents."
    )
    parts = [title, _recall(scores)]
    if own:
        parts += [_groups("Incident by kind", [at.by_kind for at in own.recall.values()])]
        parts += [_groups("Share of the first day's spend", [_percent(at.by_share) for at in own.recall.values()])]
        parts += [_late(own)]
    causes = [_drivers(scores, product), *([_kinds(own)] if own else [])]
    return "\n\n".join([*parts, *causes, _rest(scores), _negatives(scores)]) + "\n"


def _late(own: Scores) -> str:
    late = [_cell(at.late) for at in own.recall.values()]
    count = next(iter(own.recall.values())).late.count
    fired, launches = own.planned
    return (
        f"Begun so late that the first day cost less: {count} more incidents; found by the next day "
        f"{' and '.join(late)}. Planned launches: {launches}, of which {fired} with an alert; they count as neither."
    )


def _kinds(own: Scores) -> str:
    """Of incidents of one spike type, several kinds are distinguished."""
    head = (
        f"Kind of detected incident of at least {LEAST_SHARE:.0%}",
        "top 1",
        "spike type",
        "direction of tokens",
        "incidents",
    )
    rows = [
        (
            kind,
            *(_cell(figures[what]) for what in ("top_1", "spike_type_right")),
            _cell(figures["direction_right"]) if figures["direction_right"].count else "",
            str(figures["top_1"].count),
        )
        for kind, figures in own.kinds.items()
    ]
    return table(head, rows)


def _recall(scores: dict[str, Scores]) -> str:
    limits = [f"at most {budget:g} a week" for budget in BUDGETS]
    head = ("Detected the same day, false alarms:", *limits, *(f"by the next day, {limit}" for limit in limits))
    rows = [
        (
            name,
            *(_cell(at.same_day) for at in each.recall.values()),
            *(_cell(at.next_day) for at in each.recall.values()),
        )
        for name, each in scores.items()
    ]
    return table(head, rows)


def _groups(title: str, parts: list[dict]) -> str:
    head = (title, *(f"at most {budget:g} a week" for budget in BUDGETS), "incidents")
    names = list(parts[0])
    return table(
        head, [(str(name), *(_cell(part[name]) for part in parts), str(parts[0][name].count)) for name in names]
    )


def _percent(by_share: dict[float, Figure]) -> dict[str, Figure]:
    return {f"{share:.0%}": figure for share, figure in by_share.items()}


def _drivers(scores: dict[str, Scores], product: str) -> str:
    """Of detected incidents; the playbook has no spike types."""
    head = (f"Cause of detected incidents of at least {LEAST_SHARE:.0%}", "top 1", "top 3", "spike type", "incidents")
    named = {product: product, PLAYBOOK: "largest dollar delta"}
    rows = []
    for name in (name for name in named if name in scores):
        for group, figures in scores[name].drivers.items():
            kind = _cell(figures["spike_type_right"]) if name == product else ""
            top = [_cell(figures[what]) for what in ("top_1", "top_3")]
            rows.append((f"{named[name]}, {group}", *top, kind, str(figures["top_1"].count)))
    return table(head, rows)


def _rest(scores: dict[str, Scores]) -> str:
    head = (f"At most {BUDGETS[0]:g} a week", "margin", "false alarms a week of any kind", "error of the dollar effect (median)",
            "of the driver's dollars", "alerts per incident", "alerts outside prod/real")  # fmt: skip
    rows = []
    for name, each in scores.items():
        at = each.recall[BUDGETS[0]]
        rates = (f"{at.margin:.2f}" if isfinite(at.margin) else "any", f"{at.false_alarms_per_week:.2f}")
        rows.append((name, *rates, _cell(each.dollar_error), _cell(each.driver_dollar_error),
                     _cell(each.alerts_per_incident), str(each.outside)))  # fmt: skip
    return table(head, rows)


def _negatives(scores: dict[str, Scores]) -> str:
    """Coincidences count: a false alarm of the total during a week of growth is counted under growth, whatever its cause."""
    kinds = sorted(next(iter(scores.values())).negatives)
    head = ("Hard negatives with a false alarm about them, of how many", *scores)
    rows = [(kind, *("{} / {}".format(*each.negatives[kind]) for each in scores.values())) for kind in kinds]
    return table(head, rows)


def _cell(figure: Figure) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}-{figure.high:.2f})" if figure.count else "none"


def write_into(page: Path, text: str) -> None:
    """Puts the tables between the page's markers. Raises ValueError when it has none, or when there is no page."""
    if not page.exists() or not BLOCK.search(page.read_text()):
        raise ValueError(
            f"{page} has no <!-- begin bench-alerts --> and <!-- end bench-alerts -->: add them where the tables go."
        )
    page.write_text(BLOCK.sub(lambda match: match[1] + text + match[2], page.read_text()))
