"""`make bench-alerts`: alerts against labelled worlds they were not tuned on, and against the monitors teams write themselves."""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb

from benchmarks.alerts import baselines, report
from benchmarks.alerts.calendar import TUNING_SEEDS, UNSEEN_SEEDS
from benchmarks.alerts.score import Outcome, score
from benchmarks.alerts.worlds import write_world
from demo import TEAM as DEMO_TEAM
from orchestration.dbt import run_dbt
from orchestration.settings import PROJECT, from_environment
from orchestration.team.tables import write_team_tables

ALERT_MODELS = "+alerts +alert_drivers +alert_compare"
# the world has these, and nothing that they are made from
PROVIDED = "+fct_attempts +attempt_days +int_exposure +int_source_silent_days +int_plans int_open_hours"
NO_TESTS = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
PRODUCT = "Tokentrail"
PAGE = PROJECT / "docs" / "alerts.md"


def main(arguments: list[str] | None = None) -> int:
    """Writes, builds and scores each world; prints the tables; 2 with a sentence when the page cannot take them."""
    options = _parser().parse_args(arguments)
    seeds = list(TUNING_SEEDS if options.tuning else UNSEEN_SEEDS)[: options.seeds]
    found: dict[str, list[Outcome]] = {}
    for world in _worlds(options.data, seeds):
        _progress(f"{world}")
        for name, outcome in _outcomes(options.data, world, options.only_baselines).items():
            found.setdefault(name, []).append(outcome)
    scores = {name: score(outcomes) for name, outcomes in found.items()}
    text = report.markdown(scores, PRODUCT, seeds)
    sys.stdout.write(text)
    if options.write:
        try:
            report.write_into(PAGE, text)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many worlds (default: %(default)s)")
    parser.add_argument(
        "--tuning", action="store_true", help="the worlds thresholds may be tuned on, not the unseen ones"
    )
    parser.add_argument("--only-baselines", action="store_true", help="only the simple monitors, which need no dbt")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.relative_to(PROJECT)}")
    root = Path(os.environ.get("TOKENTRAIL_DATA") or PROJECT / "data") / "benchmarks" / "alerts"
    parser.add_argument("--data", type=Path, default=root, help="working folder (default: %(default)s)")
    return parser


def _worlds(data: Path, seeds: list[int]) -> Iterator[Path]:
    """The worlds' files, written once for each state of the simulator; the next one while this one is used."""
    folder = data.resolve() / f"worlds-{_simulator()}"
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(max_workers=1) as writer:
        yield from writer.map(_written, seeds, [folder] * len(seeds))


def _written(seed: int, folder: Path) -> Path:
    path = folder / f"{seed}.duckdb"
    if not path.with_suffix(".json").exists():  # written last
        write_world(seed, path)
    return path


def _simulator() -> str:
    """Names the code that makes worlds: other code, other worlds."""
    here = Path(__file__).parent
    code = [
        *(PROJECT / "demo").glob("*.py"),
        *(here / f"{name}.py" for name in ("calendar", "life", "plan", "drivers")),
    ]
    text = b"".join(path.read_bytes() for path in sorted([*code, here / "worlds.py"]))
    return hashlib.sha256(text).hexdigest()[:12]


def _outcomes(data: Path, world: Path, only_baselines: bool) -> dict[str, Outcome]:
    truth = json.loads(world.with_suffix(".json").read_text())
    with duckdb.connect(str(world), read_only=True) as database:
        found = baselines.outcomes(database, truth)
    if only_baselines:
        return found
    warehouse = data.resolve() / "warehouse.duckdb"
    shutil.copyfile(world, warehouse)
    build(warehouse, date.fromisoformat(truth["world"]["last"]))
    with duckdb.connect(str(warehouse), read_only=True) as database:
        return {PRODUCT: Outcome.read(database, truth)} | found


def build(warehouse: Path, last: date, models: str = ALERT_MODELS) -> None:
    """Builds the alert lineage in a world's file, named as the product names its warehouse, at noon after its last day."""
    noon = datetime.combine(last + timedelta(days=1), time(12), UTC)
    settings = replace(from_environment(), data=warehouse.parent, team=DEMO_TEAM, as_of=noon)
    (settings.state / "spill").mkdir(parents=True, exist_ok=True)
    write_team_tables(settings)
    selected = ("--select", *models.split(), "--exclude", *PROVIDED.split())
    run_dbt(settings, "build", *NO_TESTS, *selected, "--quiet")


def _progress(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
