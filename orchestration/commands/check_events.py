"""`make check-events FILE=... SOURCE=...`: what a load would make of a file of one's own, and what its calls would cost. Nothing is loaded.

Exit code 0: every line would be loaded; 1: a line or the file would be rejected; 2: it could not be checked.
"""

import json
import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestration.invoices.checked_file import print_invoice
from orchestration.landing.checking import KEPT_LINES, Checked, checked
from orchestration.landing.fields import FIELDS, NATIVE_NAMES, PRICE_KEY, snake_case
from orchestration.landing.invoice_checking import check_invoice
from orchestration.landing.privacy import is_body
from orchestration.landing.reasons import ADVICE, AGAIN
from orchestration.landing.sources import NOT_USAGE, sources_of
from orchestration.landing.trouble import UnreadableNow, is_trouble
from orchestration.landing.usage import reported_usage
from orchestration.plain import ArgumentError, Arguments, argument, plain_console, readable, visible
from orchestration.prices.estimate import Call, ModelCost, costs_by_model
from orchestration.settings import Settings, from_environment
from orchestration.tables import print_table
from orchestration.team.rows import read_rows
from orchestration.team.usage import IDENTITY_MAP
from orchestration.wording import all_digits, cents, count, first_line, listed, many, minute
from pricing.overrides import OverrideError, Overrides, load_overrides
from pricing.rows import PriceKey
from pricing.units import COUNTS, inclusive_from

WIDTH = 110
BAD_LINES, REASONS_OF_A_LINE, MODELS, OTHERS = 8, 3, 8, 4  # what one screen shows; ALL=true shows everything
YES = ("true", "yes", "1")
EXAMPLE = "make check-events FILE=path/to/events.jsonl"
LABELS = ("endpointTag", "promptVersion", "featureTag", "tenantId", "userId")
# A call counts once, however many lines report it: docs/sources.md has the whole rule.
REPEATED = """
    select line_number from good where not coalesce(withdrawn, false)
    qualify
        provider_request_id is not null and row_number() over (same_mode, provider_request_id order by line_number) > 1
        or attempt is not null and row_number() over (same_mode, external_request_id, attempt order by line_number) > 1
""".replace("same_mode", "partition by environment, data_mode")
CALLS = f"""
    select line_number in ({REPEATED}) as is_repeated, occurred_at, tenant_id, usage, token_convention,
        {", ".join(PRICE_KEY)}, {", ".join(COUNTS)}
    from good where not coalesce(withdrawn, false)
"""  # noqa: S608
FACTS = f"""
    select min(event_date) as first_date, max(event_date) as last_date, count(distinct event_date) as dates,
        count(*) filter (where occurred_at > $as_of) as future, max(occurred_at) as latest,
        count(*) filter (where withdrawn) as withdrawn,
        string_agg(distinct environment, ', ' order by environment) as environments,
        string_agg(distinct data_mode, ', ' order by data_mode) as data_modes,
        {", ".join(f"count(*) - count({snake_case(name)}) as {name}" for name in LABELS)}
    from good
"""  # noqa: S608


def main(arguments: list[str] | None = None) -> int:
    """Prints what was found in FILE; the exit code is for senders who check what they write."""
    parser = Arguments(prog="python -m orchestration.commands.check_events", description=__doc__)
    parser.add_argument("file", nargs="?", help="a file in any format that lands (default: $FILE)")
    parser.add_argument("--source", help="the folder of landing that the file is for (default: $SOURCE, else events)")
    parser.add_argument("--all", action="store_true", help="every rejected line and every model (default: $ALL)")
    chosen = parser.parse_args(arguments)
    show_all = chosen.all or os.environ.get("ALL", "").strip().lower() in YES
    try:
        given = (argument("FILE", EXAMPLE) if chosen.file is None else readable("FILE", chosen.file, EXAMPLE)).strip()
        settings, path = from_environment(), Path(given).expanduser()
        if not path.is_file():
            raise ArgumentError(f"FILE is {given!r}, and there is no such file: write {EXAMPLE}.")
        source = (chosen.source or os.environ.get("SOURCE", "") or "events").strip().rstrip("/")
        folder, _, vendor = source.partition("/")
        if folder == "invoices":
            return _check_bill(path, settings, vendor.partition("/")[0].lower(), show_all)
        known = [name for name in sources_of(settings) if name not in NOT_USAGE]
        if source not in known:
            raise ArgumentError(f"SOURCE is {source!r}: give one of {', '.join(known)}, or invoices/<vendor>.")
        overrides = load_overrides(settings.overrides)
        with checked(path, settings, source) as found:
            print_check(found, settings, overrides, plain_console(WIDTH), show_all)
            return 0 if found.is_good else 1
    except (ArgumentError, OverrideError, UnreadableNow, ValueError) as problem:  # ValueError: a setting
        print(visible(problem, keep="\n"), file=sys.stderr)
    except Exception as error:
        if not is_trouble(error):
            raise
        print(f"{visible(given)} could not be checked: {visible(first_line(error))}.", file=sys.stderr)
    return 2


def _check_bill(path: Path, settings: Settings, vendor: str, show_all: bool) -> int:
    """The exit code of a check of an invoice. Raises ArgumentError."""
    if not vendor:
        raise ArgumentError("SOURCE is invoices: say whose, as in SOURCE=invoices/openai.")
    found = check_invoice(path, settings, vendor)
    print_invoice(found, path, settings, plain_console(WIDTH), show_all)
    return 1 if found.refused else 0


def print_check(
    found: Checked, settings: Settings, overrides: Overrides, console: Console, show_all: bool = False
) -> None:
    """What would be rejected and why, what the rest would cost, and what it lacks; the verdict is the first line and the last."""
    _say(console, f"{found.path}: {_verdict(found)}", "")
    if found.by_reason:
        reasons = [(code, lines, ADVICE[code].removesuffix(AGAIN)) for code, lines in found.by_reason.most_common()]
        print_table(console, "What would be rejected, by reason", ("reason", "lines", "what_to_do"), reasons)
        _print_bad_lines(found, console, show_all)
    if found.skips:
        print_table(console, "What would be skipped: it is not a call", ("reason", "items"), found.skips.most_common())
    _map_tenants(found, settings)
    costs = costs_by_model(_calls(found), overrides)
    if found.good:
        _print_costs(costs, console, show_all)
    if remarks := [f"- {remark}" for remark in _remarks(found, costs, settings, show_all)]:
        _say(console, *remarks, "")
    next_step = f" Land it as landing/{found.source}/dt=YYYY-MM-DD/{found.path.name}." if found.is_good else ""
    _say(console, f"{found.path.name}: {_verdict(found)}{next_step}")


def _say(console: Console, *lines: str) -> None:
    console.print(*(Text(visible(line)) for line in lines), sep="\n", soft_wrap=True)


def _verdict(found: Checked) -> str:
    whole = next((refused.reasons[0] for refused in found.refused if not refused.line_number), None)
    if whole and not found.lines:
        return f"the file would be rejected, {whole[0]}: {whole[1]}."
    skipped = f", {count(found.skips.total())} skipped" if found.skips else ""
    if found.is_good and not skipped:
        return f"every one of {many(found.lines, 'line')} would be loaded."
    noun = "item" if found.source != "events" else "line"
    rest = f" {whole[0]}: {whole[1]}." if whole else ""
    return f"{count(found.good)} of {many(found.lines, noun)} would be loaded, {count(found.refused_lines)} rejected{skipped}.{rest}"


def _print_bad_lines(found: Checked, console: Console, show_all: bool) -> None:
    lines = [refused for refused in found.refused if refused.line_number]
    shown = lines if show_all else lines[:BAD_LINES]
    for refused in shown:
        reasons = refused.reasons if show_all else refused.reasons[:REASONS_OF_A_LINE]
        more = len(refused.reasons) - len(reasons)
        said = "; ".join(f"{code}: {detail}" for code, detail in reasons) + (f"; {more} more" if more else "")
        _say(console, f"line {refused.line_number}: {said}.")
    if found.refused_lines > len(shown):
        how = "" if show_all else " ALL=true shows them."
        kept = f" Only the first {count(KEPT_LINES)} are kept." if found.refused_lines > len(lines) else ""
        _say(console, f"{many(found.refused_lines - len(shown), 'more line')}.{how}{kept}")
    _say(console, "")


def _map_tenants(found: Checked, settings: Settings) -> None:
    """Gives the lines without a tenant the one that the team's identity_map.csv has for their user."""
    for row in read_rows(settings.team, IDENTITY_MAP):
        found.database.execute(
            "update good set tenant_id = ? where tenant_id is null and user_id = ?", [row.tenant_id, row.user_id]
        )


def _calls(found: Checked) -> Iterator[Call]:
    """The calls of the good lines. Withdrawn ones cost nothing."""
    rows = found.database.execute(CALLS)
    columns = [column[0] for column in rows.description]
    while batch := rows.fetchmany(10_000):
        for values in batch:
            row: dict[str, Any] = dict(zip(columns, values, strict=True))
            other = inclusive_from(json.loads(row["usage"], parse_float=Decimal)) if row["usage"] else {}
            key = PriceKey(*(row[name] for name in PRICE_KEY))
            yield Call(key, reported_usage(row, other), row["occurred_at"], row["tenant_id"], row["is_repeated"])


def _print_costs(costs: list[ModelCost], console: Console, show_all: bool) -> None:
    """What each model would be priced at, and the total of what has a price."""
    shown = costs if show_all else costs[:MODELS]
    rows = [_priced_row(cost) for cost in shown]
    priced = [cost for cost in costs if cost.priced]
    if rest := costs[len(shown) :]:
        rows.append((many(len(rest), "more model"), *_sums(rest)))
    rows.append(("total", *_sums(costs)))
    columns = ("model", "calls", "input_tokens", "output_tokens", "cost_usd", "without_cost", "in", "out")
    title = "What its calls would cost, each at its own time; in and out: USD per million tokens"
    print_table(console, title, columns, rows)
    for cost in priced if show_all else priced[:OTHERS]:
        others = sorted(cost.priced_as - {f"{cost.provider}/{cost.model}"})
        if others:
            _say(console, f"{cost.provider}/{cost.model} is priced as {listed(others)}.")


def _sums(costs: list[ModelCost]) -> tuple:
    total = sum((cost.cost_usd for cost in costs), Decimal(0)) if any(cost.priced for cost in costs) else None
    names = ("calls", "input_tokens", "output_tokens")
    counts = [sum(getattr(cost, name) for cost in costs) for name in names]
    return (*counts, total, sum(cost.calls - cost.priced for cost in costs), None, None)


def _priced_row(cost: ModelCost) -> tuple:
    prices = (_price_range(cost.input_usd), _price_range(cost.output_usd))
    return (f"{cost.provider}/{cost.model}", *_sums([cost])[:-2], *prices)


def _price_range(prices: set[Decimal]) -> str | None:
    """A price, or the lowest and the highest of several; None where there is none."""
    ends = dict.fromkeys((min(prices), max(prices))) if prices else {}
    return "–".join(map(all_digits, ends)) or None


def _remarks(found: Checked, costs: list[ModelCost], settings: Settings, show_all: bool) -> Iterator[str]:
    """Sentences on what would be loaded and still surprises: dates, models without a price, missing labels, unknown fields."""
    if found.good:
        yield from _facts(found, settings)
    yield from _without_cost(costs, show_all)
    yield from _fields(found, show_all)


def _facts(found: Checked, settings: Settings) -> Iterator[str]:
    as_of = settings.as_of.replace(tzinfo=None)
    result = found.database.execute(FACTS, {"as_of": as_of})
    columns = [column[0] for column in result.description]
    facts: dict[str, Any] = dict(zip(columns, result.fetchall()[0], strict=True))
    yield (
        f"Event dates (UTC): {facts['first_date']} to {facts['last_date']}, {many(facts['dates'], 'date')}. "
        f"Environment: {facts['environments']}. Data mode: {facts['data_modes']}."
    )
    if facts["future"]:
        yield (
            f"{many(facts['future'], 'line')} in the future, up to {minute(facts['latest'])} UTC: loaded and priced, "
            "but in no alert and no budget before that day."
        )
    if missing := [f"{name} ({count(facts[name])})" for name in LABELS if facts[name]]:
        yield f"Lines without {listed(missing)}: what they cost is (unattributed) there."
    if facts["withdrawn"]:
        yield f"{many(facts['withdrawn'], 'line')} with `withdrawn`: the same calls are taken back, and cost nothing."


def _without_cost(costs: list[ModelCost], show_all: bool) -> Iterator[str]:
    unpriced = sorted((cost for cost in costs if cost.unpriced), key=lambda cost: -cost.unpriced)
    for cost in unpriced if show_all else unpriced[:OTHERS]:
        nearest = f" Nearest names: {', '.join(cost.suggestions)}." if cost.suggestions else ""
        what = "no price" if not cost.priced_as else "no price for something that they used"
        yield f"{cost.provider}/{cost.model}: {many(cost.unpriced, 'call')} with {what}, in no total.{nearest}"
    if unpriced:
        rest = len(unpriced) - OTHERS
        more = f"{many(rest, 'more model')} without a price. " if rest > 0 and not show_all else ""
        yield f"{more}An override gives a price or says which model is meant: docs/pricing.md#overrides."
    if no_usage := sum(cost.no_usage for cost in costs):
        yield f"{many(no_usage, 'call')} without the token counts that are priced: their cost is unknown, not 0."
    approximate = sorted((cost for cost in costs if cost.approximate), key=lambda cost: -cost.approximate)
    for cost in approximate if show_all else approximate[:OTHERS]:
        yield (
            f"{cost.provider}/{cost.model}: {many(cost.approximate, 'call')} at an approximate price "
            f"({', '.join(sorted(cost.reasons))}; docs/pricing.md explains the words)."
        )
    if repeated := sum(cost.repeated for cost in costs):
        usd = cents(sum((cost.repeated_usd for cost in costs), Decimal(0)))
        yield f"{many(repeated, 'line')} with the ids of an earlier line: a call counts once, so {usd} USD of the total fall away."


def _fields(found: Checked, show_all: bool) -> Iterator[str]:
    """Fields that the loader does not know: a misspelt one is kept as metadata, and nobody notices."""
    dropped = sorted(name for name in found.unknown_fields if is_body(name))
    if dropped:
        yield f"Never send prompts or completions: {listed(dropped[:OTHERS])} would be dropped."
    kept = [(name, lines) for name, lines in found.unknown_fields.most_common() if not is_body(name)]
    if kept:
        shown = kept if show_all else kept[:OTHERS]
        named = [f"{name} ({count(lines)}{_meant(name)})" for name, lines in shown]
        more = f" and {count(len(kept) - len(shown))} more" if len(kept) > len(shown) else ""
        yield f"Unknown fields are kept as metadata only: {', '.join(named)}{more}."


def _meant(name: str) -> str:
    """The field that is probably meant by a name that is none."""
    lower = {field.lower(): field for field in FIELDS}
    near = NATIVE_NAMES.get(snake_case(name.strip())) or next(
        (lower[found] for found in get_close_matches(name.lower().replace("_", ""), lower, n=1, cutoff=0.8)), None
    )
    return f"; did you mean {near}?" if near else ""


if __name__ == "__main__":
    sys.exit(main())
