"""Writes a demo world: landing files and demo_truth.json. `--from` the day after its last one adds days to it."""

import argparse
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from demo import bills, dialects, oncall, wire
from demo import truth as truths
from demo.delivery import EPOCH, FORMATS, LONGEST_LAG_DAYS, Manner, by_arrival, day_deliveries, land
from demo.world import DEMO_END, SEASON_DAYS, World, build_world


class RefusedError(ValueError):
    """Arguments that do not fit each other or the folder; the message is for the person who gave them."""


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 with a sentence on stderr when the arguments do not fit the folder."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    try:
        truth = simulate(options)
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _summarise(options.data, truth, time.perf_counter() - started)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data root: DIR/landing and DIR/demo_truth.json")
    parser.add_argument("--days", type=int, default=SEASON_DAYS, help="days up to --until, when --from is not given")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, help="first arrival day to write")
    parser.add_argument(
        "--until", type=date.fromisoformat, default=DEMO_END, help="last arrival day (default: %(default)s)"
    )
    parser.add_argument("--requests-per-day", type=int, default=5_000, help="mean volume (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another world (default: %(default)s)")
    parser.add_argument(
        "--format", choices=FORMATS, default="jsonl", help="of landing files; mixed: each sender its own"
    )
    parser.add_argument(
        "--dialect",
        choices=dialects.SOURCES,
        default="native",
        help="what records are like: native events, LiteLLM's log, or spans of OpenTelemetry (default: %(default)s)",
    )
    return parser


def simulate(options: argparse.Namespace) -> dict:
    """Writes the days asked for and the truth. Raises RefusedError when the folder holds another world."""
    if options.days < 1 or options.requests_per_day < 1 or options.seed < 0:
        raise RefusedError("--days and --requests-per-day must be at least 1 and --seed at least 0.")
    if options.dialect != "native" and not options.format.startswith("jsonl"):
        raise RefusedError(f"--dialect {options.dialect} is written as JSON lines: give --format jsonl or jsonl.gz.")
    first = options.first or options.until - timedelta(days=options.days - 1)
    if first > options.until:
        raise RefusedError(f"--from {first} is after --until {options.until}: give an earlier day.")
    world = build_world(options.seed, options.requests_per_day)
    path = options.data / "demo_truth.json"
    fresh = truths.new(world, options.format, options.dialect, first)
    truth = truths.read(path) or fresh
    truth["world"] = {"dialect": "native"} | truth["world"]  # worlds of before have no other
    _check_same_world(options.data, truth["world"], fresh["world"], first)
    _write_days(world, options, first, truth)
    until = max(options.until, date.fromisoformat(truth["world"]["until"] or str(options.until)))
    truth = truths.finish(truth, world, until)
    truths.write(path, truth)
    return truth


def _check_same_world(data: Path, there: dict, asked: dict, first: date) -> None:
    """A folder holds one world, and its days follow one another."""
    for name in ("simulator", "seed", "requests_per_day", "format", "dialect"):
        if there[name] != asked[name]:
            landed = dialects.SOURCES[there["dialect"]]
            raise RefusedError(
                f"{data}/demo_truth.json: its world has {name} {there[name]}, not {asked[name]}. "
                f"Give another --data, or delete {data}/landing/{landed}, {data}/landing/incidents, "
                f"{data}/landing/invoices and "
                f"{data}/demo_truth.json."
            )
    following = date.fromisoformat(there["until"]) + timedelta(days=1) if there["until"] else first
    if not date.fromisoformat(there["opening"]) <= first <= following:
        raise RefusedError(
            f"{data}/demo_truth.json: its world opens on {there['opening']} and is written until {there['until']}; "
            f"{first} would leave a gap or precede it. Give a --from from {there['opening']} to {following}."
        )


def _write_days(world: World, options: argparse.Namespace, first: date, truth: dict) -> None:
    """Writes dt=first..until. An arrival day depends on the event days of the week before it and on nothing after it.

    While one day is written, the next is simulated: the two share the work of two cores, whatever the volume.
    """
    opening = date.fromisoformat(truth["world"]["opening"])
    database, landing, manner = wire.connect(), options.data / "landing", Manner(options.format, options.dialect)
    files = [file for file in truth["files"] if file["arrival_date"] == str(first - timedelta(days=1))]
    pending: dict[int, list[pd.DataFrame]] = {}
    writing: tuple[date, Future] | None = None
    day = max(opening, first - timedelta(days=LONGEST_LAG_DAYS))
    with ThreadPoolExecutor(max_workers=1) as writer:
        while day <= options.until:
            deliveries = day_deliveries(world, day)
            for arrival, rows in by_arrival(deliveries):
                pending.setdefault(arrival, []).append(rows)
            arrived = pd.concat(pending.pop((day - EPOCH).days), ignore_index=True)
            if writing:
                files = _note(truth, *writing)
            if day >= first:
                truths.add_incidents(truth, world, day, deliveries[deliveries["counts"]])
                truths.add_oncall(truth, day, oncall.land(world, day, landing, opening))
                truths.add_bills(truth, day, bills.land(world, day, landing, opening))
                writing = day, writer.submit(land, database, world, day, landing, manner, arrived, files)
            del deliveries, arrived
            day += timedelta(days=1)
        _note(truth, *writing)


def _note(truth: dict, day: date, written: Future) -> list[dict]:
    """Waits for a day's files, puts them into the truth and gives them."""
    arrivals = written.result()
    truths.add_arrivals(truth, day, arrivals)
    return arrivals.files


def _incident_line(row: dict) -> str:
    effect = f"{row['extra_cost_usd']:+,.2f} USD at {row['endpoint']}"
    return f"{row['onset_date']} to {row['end_date']}  {row['spike_type']:<14}{row['driver_value']} (about {effect})"


def _summarise(data: Path, truth: dict, seconds: float) -> None:
    totals, world = truth["totals"], truth["world"]
    calls = f"{totals['requests']:,} requests in {totals['attempts']:,} provider calls"
    copies = f"{totals['copied_lines']:,} lines in {totals['copied_files']} resent files"
    out = [
        f"{totals['files']} files in {data}: {world['opening']} to {world['until']}, seed {world['seed']}.",
        f"{calls}, delivered {totals['deliveries']:,} times; {copies}, {totals['broken_lines']} broken lines.",
        "Incidents (demo_truth.json has more):",
        *(f"  {_incident_line(row)}" for row in truth["incidents"]),
        f"Written in {seconds:.1f} s.",
    ]
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    sys.exit(main())
