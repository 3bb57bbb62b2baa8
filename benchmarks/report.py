"""The figures as one page: what was asked, what was measured, and where the time went."""

import os
import platform
import textwrap
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

GOALS = {"ratio": 1.5, "peak_bytes": 5e9, "day_ratio": 1.2}
LONGEST_NODES = 10
WIDTH = 120  # of a line of docs


def markdown(figures: dict) -> str:
    """RESULTS.md."""
    return "\n\n".join([_title(figures), _summary(figures), _sides(figures), _days(figures), _memory(figures)]) + "\n"


def _title(figures: dict) -> str:
    runs, asked = len(figures["product"]), figures["asked"]
    command = f"python -m benchmarks --events {asked['events']} --days {asked['days']} --format {asked['format']}"
    return "# Benchmark\n\n" + _wrapped(
        f"`{command}` on {datetime.now(UTC).date()}: {_machine()}. "
        f"Load average {figures['load_before']:.1f} before and {figures['load_after']:.1f} after (where that is above "
        f"the number of cores, other work slowed both sides). {runs} run{'s' if runs > 1 else ''} of each side, in turn; every ratio "
        "is of figures from this one benchmark. The landing files were in the page cache."
    )


def _machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    cpu = names[0] if cpuinfo.exists() and names else platform.machine()
    software = f"Python {platform.python_version()}, DuckDB {version('duckdb')}, dbt {version('dbt-core')}"
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, {platform.system()}, {software}"


def _summary(figures: dict) -> str:
    product, by_hand = _fastest(figures["product"]), _fastest(figures["by_hand"])
    events, totals, asked = figures["events"], figures["totals"], figures["asked"]["days"]
    agreed = (
        f"{totals['attempts']:,} attempts, {totals['requests']:,} requests, {totals['cost_usd']} USD; "
        f"every column of {len(totals['rows'])} tables, provenance aside"
    )
    ratio, peak = product["seconds"] / by_hand["seconds"], max(run["peak_bytes"] for run in figures["product"])
    cpu = " / ".join(f"{side['cpu_seconds']:.0f}" for side in (product, by_hand))
    cpu += f" = {product['cpu_seconds'] / by_hand['cpu_seconds']:.2f}"
    after = figures["one_more_day"]
    first, last = min(after, key=int), max(after, key=int)
    day_ratio = after[last]["run"]["seconds"] / after[first]["run"]["seconds"]
    rows = [
        ("events landed", f"{events:,} over {asked} arrival days", ""),
        ("tables both sides agree on", agreed, ""),
        ("product, end to end", f"{product['seconds']:.1f} s, {events / product['seconds']:,.0f} events/s", ""),
        ("by hand, end to end", f"{by_hand['seconds']:.1f} s, {events / by_hand['seconds']:,.0f} events/s", ""),
        ("product / by hand", f"{ratio:.2f}", _goal(ratio, GOALS["ratio"], "at most 1.5")),
        ("the same in CPU seconds", cpu, ""),
        ("peak memory of the product", f"{peak / 1e9:.2f} GB", _goal(peak, GOALS["peak_bytes"], "under 5 GB")),
        *((f"one more day after {days} days", f"{after[days]['run']['seconds']:.1f} s", "") for days in (first, last)),
        (f"after {last} / after {first} days", f"{day_ratio:.2f}", _goal(day_ratio, GOALS["day_ratio"], "at most 1.2")),
    ]
    return table(("measure", "figure", "goal"), rows)


def _fastest(runs: list[dict]) -> dict:
    return min(runs, key=lambda run: run["seconds"])


def _goal(figure: float, limit: float, words: str) -> str:
    return f"{words}: {'met' if figure <= limit else '**missed**'}"


def _sides(figures: dict) -> str:
    """Where each side spends its time."""
    parts = ["## Where the time goes"]
    for name, runs in (("product", figures["product"]), ("by hand", figures["by_hand"])):
        run = _fastest(runs)
        spent = {**run["steps"], "start of the process": run["seconds"] - sum(run["steps"].values())}
        peaks = run["peak_by_step"]
        rows = [
            (
                step,
                f"{seconds:.1f}",
                f"{seconds / run['seconds']:.0%}",
                f"{peaks[step] / 1e9:.2f}" if peaks.get(step) else "",
            )
            for step, seconds in spent.items()
        ]
        parts.append(table((name, "seconds", "share", "peak GB"), rows))
    parts.append(_nodes("Longest in the product's dbt build", _fastest(figures["product"])["notes"]))
    return "\n\n".join(parts)


def _nodes(title: str, notes: dict) -> str:
    longest = list(notes["nodes"].items())[:LONGEST_NODES]
    kinds = ", ".join(f"{kind} {seconds} s" for kind, seconds in notes["kinds"].items())
    return _wrapped(f"{title} ({kinds}): " + ", ".join(f"{name} {seconds} s" for name, seconds in longest) + ".")


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)


def _days(figures: dict) -> str:
    after = {days: figures["one_more_day"][days] for days in sorted(figures["one_more_day"], key=int)}
    steps = list(next(iter(after.values()))["run"]["steps"])
    head = ("seconds", *(f"after {days} days" for days in after), "and again, with nothing new")
    runs = [*(entry["run"] for entry in after.values()), figures["idle"]]
    rows = [
        ("events", *(f"{entry['events']:,}" for entry in after.values()), "0"),
        *((step, *(f"{run['steps'][step]:.1f}" for run in runs)) for step in steps),
        ("whole run", *(f"{run['seconds']:.1f}" for run in runs)),
        ("CPU seconds", *(f"{run['cpu_seconds']:.1f}" for run in runs)),
        ("peak GB", *(f"{run['peak_bytes'] / 1e9:.2f}" for run in runs)),
        ("dates rebuilt: fct_attempts", *(str(run["notes"]["dates_rebuilt"].get("fct_attempts", 0)) for run in runs)),
        (
            "dates rebuilt: int_repeated_deliveries",
            *(str(run["notes"]["dates_rebuilt"].get("int_repeated_deliveries", 0)) for run in runs),
        ),
    ]
    nodes = [_nodes(f"Longest after {days} days", entry["run"]["notes"]) for days, entry in after.items()]
    return "\n\n".join(["## One more day", table(head, rows), *nodes])


def _memory(figures: dict) -> str:
    full, short = _fastest(figures["product"]), figures["short"]
    rows = [
        (f"{events:,}", f"{run['seconds']:.1f}", f"{events / run['seconds']:,.0f}", f"{run['peak_bytes'] / 1e9:.2f}")
        for events, run in ((figures["short_events"], short), (figures["events"], full))
    ]
    return "\n\n".join(["## As events grow", table(("events", "seconds", "events/s", "peak GB"), rows)])


def table(head: tuple, rows: list[tuple]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
