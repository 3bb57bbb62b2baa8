"""HTML and Markdown of a week's editions, and of nothing else: no clock, no settings, no database."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from orchestration import plain, wording
from orchestration.plain import for_chat, visible
from orchestration.weekly import charts
from orchestration.weekly.actions import actions, is_back, is_continued
from orchestration.weekly.changes import changes, why
from orchestration.weekly.figures import (
    DRIVER,
    INCIDENT,
    RECURRENCE,
    SUMMARY,
    Columns,
    Edition,
    EnvironmentFigures,
    Figures,
    Finding,
    Recurrence,
    Summary,
)

HERE = Path(__file__).parent
Effect = Literal["volume_usd", "mix_usd", "retry_usd", "token_usd", "price_usd"]
EFFECTS: dict[Effect, tuple[str, str]] = {
    "volume_usd": ("Volume", "more or fewer requests"),
    "mix_usd": ("Mix", "a different mix of endpoints and models"),
    "retry_usd": ("Retries", "more or fewer attempts per request"),
    "token_usd": ("Tokens", "longer or shorter prompts and answers"),
    "price_usd": ("Price", "a different price per token"),
}
CAUSES: dict[Effect, str] = {
    "volume_usd": "the number of requests",
    "mix_usd": "the mix of endpoints and models",
    "retry_usd": "retries",
    "token_usd": "tokens per call",
    "price_usd": "dollars per token",
}
STATUSES = {
    "regressed": "came back after an incident on it was closed with a guardrail: the guardrail does not hold",
    "recurring": "seen before, and again this week",
    "new": "seen for the first time",
    "quiet": "seen before, not this week; nothing prevents it from coming back",
    "resolved": "not seen this week, and its incident was closed with a guardrail",
}
ACTIVE = ("regressed", "recurring", "new")  # it showed in the week
OF_PROBLEMS = ("regressed", "recurring", "new", "continued", "incident")  # findings that the table of problems has
OF_SPEND = ("spend", "effect", "driver")  # findings that the first environment's charts and tables have
DIMENSIONS = {
    "endpoint": "Endpoints",
    "prompt_version": "Prompt versions",
    "tenant": "Tenants",
    "user": "Users",
    "model": "Models",
}
Total = Literal["spend_usd", "previous_spend_usd", "change_usd", Effect]
SUM_OF_TOTALS: tuple[Total, ...] = ("spend_usd", "previous_spend_usd", "change_usd", *EFFECTS)
Row = TypeVar("Row", bound=Mapping[str, object])
ON_ONE_SCREEN = 8  # things to do that are shown at once
CHAT_CHARACTERS = 2900  # what chat shows of one message without folding it is about 3,000


def title(editions: list[Edition]) -> str:
    """One line: the week, what production spent (without one, the environment that spends most), and the change."""
    figures, edition = _figures(editions[-1]), editions[-1]["edition"]
    first = figures["environments"][0]
    spend, moved = first["summary"]["spend_usd"], first["summary"]["change_usd"]
    at_least = "at least " if first["summary"].get("silent_days") and spend else ""
    what = f"{at_least}{wording.written('usd', spend)} in {first['environment']}"
    if moved is not None:
        what += f", {wording.change(moved)}"
        if _reservation(first):
            what += " from an incomplete week"
        elif ratio := _moved(first["summary"]):
            what += f" ({ratio})"
    line = f"LLM cost {figures['iso_week']}{f', edition {edition}' if edition > 1 else ''}: {what}"
    return " ".join(line.split())  # a title has no use for spaces that do not break


def html(editions: list[Edition]) -> str:
    """The report as one file that needs nothing but a browser."""
    view = _view(editions)
    return (
        _templates().get_template("weekly.html.j2").render(view, stamp=stamp_of(editions), charts=_charts(view["main"]))
    )


def markdown(editions: list[Edition], is_file: bool = True) -> str:
    """The same for chat: as many lines of each part as fit into one message, which has title and address of its own."""
    view = _view(editions)
    template = _templates().get_template("weekly.md.j2")
    for most in (8, 6, 5, 4, 3, 2, 1, 0):
        text = template.render(view, most=most, is_file=is_file, title=title(editions)).strip() + "\n"
        if len(text) <= CHAT_CHARACTERS:
            break
    return text


def outdated_files(folder: Path, editions: dict[str, list[Edition]]) -> dict[str, str]:
    """By name: <iso_week>.html and .md that are not in the folder as the ledger's editions give them."""
    files = {}
    for week, lines in sorted(editions.items()):
        page = folder / f"{week}.html"
        if not page.exists() or stamp_of(lines) not in page.read_text(encoding="utf-8")[:1000]:
            files[page.name] = html(lines)
        text, chat = markdown(lines), page.with_suffix(".md")
        if not chat.exists() or chat.read_text(encoding="utf-8") != text:
            files[chat.name] = text
    return files


def stamp_of(editions: list[Edition]) -> str:
    """A hash of what a page is made of, editions and code, printed on the page: a different stamp means that it is out of date."""
    shown = [{name: value for name, value in line.items() if name != "recorded_at"} for line in editions]
    return hashlib.sha256((_code() + json.dumps(shown, sort_keys=True)).encode()).hexdigest()[:32]


@cache
def _code() -> str:
    files = sorted(path for path in HERE.rglob("*") if path.suffix in {".py", ".j2", ".css", ".js"})
    digest = hashlib.sha256(version("vl-convert-python").encode())
    for path in [*files, Path(plain.__file__), Path(wording.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _templates() -> Environment:
    script = (HERE / "templates" / "weekly.js").read_text()
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=lambda name: (name or "").endswith(".html.j2"),  # noqa: S701 - the other one is Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "written": lambda value, kind: wording.written(kind, value),
        "usd": lambda value: wording.written("usd", value),
        "change": lambda value: wording.written("change", value),
        "percent": lambda value: wording.written("percent", value),
        "count": lambda value: wording.written("count", value),
        "instant": wording.instant,
        "minutes": wording.minutes,
        "day": wording.day,
        "stamp": wording.stamp,
        "many": wording.many,
        "listed": wording.listed,
        "parts": _parts,
        "in_short": _in_short,
        "chat": for_chat,
        "short_address": _short_address,
    }
    environment.globals |= {
        "style": _ours((HERE / "templates" / "weekly.css").read_text()),
        "script": _ours(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "EFFECTS": EFFECTS,
        "STATUSES": STATUSES,
        "ACTIVE": ACTIVE,
        "DIMENSIONS": DIMENSIONS,
        "rank_of": lambda status: [*STATUSES, status].index(status),
        "ON_ONE_SCREEN": ON_ONE_SCREEN,
        "is_link": lambda text: bool(re.match(r"https?://", text or "")),  # another scheme could be a script
    }
    return environment


def _short_address(drill_url: str | None) -> str:
    """Where an alert is, by its id alone: the page knows its days and its scope. Nothing where there is no such address."""
    parts = urlsplit(drill_url or "")
    [alert_id] = parse_qs(parts.query).get("alert", [""])[:1]
    is_safe = parts.scheme in ("http", "https") and re.fullmatch(r"\w+", alert_id, re.ASCII)
    return f"{parts.scheme}://{parts.netloc}{parts.path}?alert={alert_id}" if is_safe else ""


def _ours(text: str) -> Markup:
    """Text that goes into the page as it is: files of this folder, and drawings, in which names have been escaped."""
    return Markup(text)  # noqa: S704


def _view(editions: list[Edition]) -> dict[str, Any]:
    """What the templates show. An older edition may lack a column that is printed today: it is unknown then."""
    line = editions[-1]
    figures = _figures(line)
    environments: list[EnvironmentFigures] = [
        {
            **shown,
            "summary": _whole(SUMMARY, shown["summary"]),
            "drivers": [_whole(DRIVER, row) for row in shown["drivers"]],
        }
        for shown in figures["environments"]
    ]
    recurrence = [_whole(RECURRENCE, row) for row in figures["recurrence"]]
    incidents = [_whole(INCIDENT, row) for row in figures["incidents"]]
    active = [row for row in recurrence if row["status"] in ACTIVE]
    to_do = actions(environments, recurrence)
    said = {item["what"] for item in to_do}
    asked = {item["problem_id"] for item in to_do if item["problem_id"]}
    shown_problems = [row for row in recurrence if row["status"] in ACTIVE or row["problem_id"] in asked] or recurrence
    return {
        "figures": figures,
        "line": line,
        "editions": editions,
        "dates": wording.days(figures["week_start"], figures["week_end"]),
        "week_number": int(figures["iso_week"][-2:]),
        "environments": environments,
        "main": environments[0],
        "totals": _totals(environments),
        "headline": _headline(environments[0]),
        "moved": _moved(environments[0]["summary"]),
        "came_back_sentence": _came_back(active),
        "actions": to_do,
        "asked": asked,
        "shown_problems": shown_problems,
        "folded_problems": [row for row in recurrence if row not in shown_problems],
        "budgets": _budgets(figures),
        "remarks": {
            shown["environment"]: _remarks(shown, said, place == 0) for place, shown in enumerate(environments)
        },
        "recurrence": recurrence,
        "incidents": incidents,
        "active": active,
        "came_back": [row for row in active if is_back(row)],
        "without_guardrail": [row for row in active if not row["guardrail"]],
        "open_incidents": [row for row in incidents if row["status"] != "closed"],
        "changes": changes(_figures(editions[-2]), figures) if len(editions) > 1 else [],
        "why": why(_figures(editions[-2]), figures) if len(editions) > 1 else None,
    }


def _budgets(figures: Figures) -> list[Finding]:
    """The budgets that were not ok, each once; an older release has them among the findings of environments."""
    if "budgets" in figures:
        return figures["budgets"]
    found = [row for shown in figures["environments"] for row in shown["findings"] if row["kind"] == "budget"]
    return list({row["sentence"]: row for row in found}.values())


def _in_short(budgets: list[Finding]) -> str:
    """Every budget by its state, where there is no room for their sentences."""
    by_state: dict[str, list[str]] = {}
    for row in budgets:
        if found := re.match(r"Budget (\S+): (exceeded|spend alert|warning)", row["sentence"]):
            by_state.setdefault(found[2], []).append(found[1])
    return "; ".join(f"{state}: {', '.join(names)}" for state, names in by_state.items())


def _remarks(shown: EnvironmentFigures, said: set[str], is_first: bool) -> list[Finding]:
    """The findings that nothing else on the page says."""
    elsewhere = {*OF_PROBLEMS, "budget", *((*OF_SPEND, "unpriced") if is_first else ())}
    return [row for row in shown["findings"] if row["kind"] not in elsewhere and row["sentence"] not in said]


def _figures(line: Edition) -> Figures:
    """The figures of an edition, whose names hide nothing; a line feed joins the parts of a text."""
    return _seen(line["figures"])


def _seen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _seen(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_seen(item) for item in value]
    return visible(value, keep="\n") if isinstance(value, str) else value


def _whole(columns: Columns, row: Row) -> Row:
    return cast(Row, {**dict.fromkeys(columns), **row})


def _totals(environments: list[EnvironmentFigures]) -> dict[str, str | None]:
    """All environments together: unknown as soon as one of them is."""
    sums: dict[str, str | None] = {}
    for name in SUM_OF_TOTALS:
        amounts = [shown["summary"][name] for shown in environments]
        known = [Decimal(amount) for amount in amounts if amount is not None]
        sums[name] = format(sum(known, Decimal(0)), "f") if len(known) == len(amounts) else None
    change, before = sums["change_usd"], Decimal(sums["previous_spend_usd"] or 0)
    ratio = Decimal(change) / before if change is not None and before else None
    return sums | {"change_ratio": None if ratio is None else format(ratio, "f")}


def _moved(summary: Summary) -> str | None:
    """The change as a percentage, where there is something to compare with."""
    return None if summary["change_ratio"] is None else wording.percent(summary["change_ratio"], signed=True)


def _reservation(main: EnvironmentFigures) -> str:
    """What the week before lacks, as its finding says it: half a week is nothing to compare a whole one with."""
    said = next((row["sentence"] for row in main["findings"] if row["kind"] == "spend"), "")
    found = re.search(r" the week before(, which (?:lacks|had) usage [^.]*)\.", said)
    return found[1] if found else ""


def _headline(main: EnvironmentFigures) -> str:
    """What an environment spent, how much that is more or less, and by what mostly: one sentence."""
    summary, name = main["summary"], main["environment"]
    spend, change = summary["spend_usd"], summary["change_usd"]
    if spend is None:
        why = (
            "none of its calls has a price" if summary["unpriced_attempts"] else "each of its calls came without usage"
        )
        return f"What {name} spent is unknown: {why}."
    if summary["attempts"] == 0 and not Decimal(spend):
        less = (
            ""
            if change is None or not Decimal(change)
            else f", {wording.usd(abs(Decimal(change)))} less than the week before"
        )
        return f"{name} made no LLM call{less}."
    at_least = "at least " if summary["silent_days"] else ""
    spent, reservation = f"{name} spent {at_least}{wording.usd(spend)} on LLM calls", _reservation(main)
    if change is None:
        return f"{spent}; there is no week before to compare it with."
    amount = Decimal(change)
    if not amount:
        return f"{spent}, as much as the week before{reservation}."
    ratio = summary["change_ratio"]
    share = "" if ratio is None else f" ({wording.percent(abs(Decimal(ratio)))})"
    same_way = {
        words: Decimal(effect)
        for column, words in CAUSES.items()
        if (effect := summary[column]) is not None and Decimal(effect) * amount > 0
    }
    mostly = max(same_way, key=lambda words: abs(same_way[words]), default=None)
    if reservation:
        return (
            f"{spent}, {wording.usd(abs(amount))} {'more' if amount > 0 else 'less'} than the week before{reservation}."
        )
    why = f", mostly by {mostly} ({wording.change(same_way[mostly])})" if mostly else ""
    return f"{spent}, {wording.usd(abs(amount))}{share} {'more' if amount > 0 else 'less'} than the week before{why}."


def _came_back(active: list[Recurrence]) -> str:
    """What came back, in one sentence."""
    back = [row for row in active if is_back(row)]
    on = sum(is_continued(row) for row in active)
    new = len(active) - len(back) - on
    if not active:
        return "No alert began."
    sentence = f"{wording.many(len(back), 'problem')} came back" if back else "No problem came back"
    if regressed := sum(row["status"] == "regressed" for row in back):
        sentence += f", {regressed} of them although an incident on it was closed with a guardrail"
    also = [
        f"{number} {one if number == 1 else more}"
        for number, one, more in ((new, "is new", "are new"), (on, "goes on", "go on"))
        if number
    ]
    return f"{sentence}; {' and '.join(also)}." if also else f"{sentence}."


def _charts(main: EnvironmentFigures) -> dict[str, Markup | str | None]:
    """The drawings of the environment with the most spend; None where there is nothing to draw."""
    summary, name = main["summary"], main["environment"]
    weeks = [(week["iso_week"][-3:], week["spend_usd"]) for week in main["weeks"]]
    days = [day["spend_usd"] for day in main["days"]]
    labels = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    drawn: dict[str, Markup | str | None] = dict.fromkeys(("weeks", "days", "bridge", "bridge_base"))
    if any(amount is not None for _, amount in weeks):
        drawn["weeks"] = _ours(charts.columns(weeks, f"Spend of {name} by week: {_bars_in_words(weeks)}"))
    if any(amount is not None for amount in days):
        this = list(zip(labels, days[7:], strict=True))
        says = f"Spend of {name} by day: {_bars_in_words(this)} The week before: {_bars_in_words(list(zip(labels, days[:7], strict=True)))}"
        drawn["days"] = _ours(charts.columns(this, says, before=days[:7]))
    before, spend = summary["previous_spend_usd"], summary["spend_usd"]
    effects = [(label, amount) for column, (label, _) in EFFECTS.items() if (amount := summary[column]) is not None]
    if before is not None and spend is not None and len(effects) == len(EFFECTS):
        moves = ", ".join(f"{label} {wording.change(amount)}" for label, amount in effects)
        says = f"From {wording.usd(before)} to {wording.usd(spend)}: {moves}."
        svg, drawn["bridge_base"] = charts.bridge(("Week before", before), effects, ("This week", spend), says)
        drawn["bridge"] = _ours(svg)
    return drawn


def _bars_in_words(bars: list[tuple[str, str | None]]) -> str:
    return ", ".join(f"{label} {wording.written('usd', amount)}" for label, amount in bars) + "."


def _parts(text: str | None) -> list[str]:
    """The parts of a text that a mart joined."""
    return [part.strip() for part in re.split(r"[;\n]", text or "") if part.strip()]
