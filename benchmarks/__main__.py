"""`make bench`: the product against a script written by hand, its memory, and what one more day costs."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import measure, report
from benchmarks.agreement import agree
from benchmarks.parquet import as_parquet
from demo import TEAM as DEMO_TEAM
from demo.world import DEMO_END
from orchestration.settings import PROJECT

EVENTS, DAYS, SHORT_HISTORY = 5_000_000, 50, 5
DELIVERIES_PER_REQUEST = 1.04  # of the simulated world: retries, repeats and files sent twice
RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    """Measures, writes the results and prints them. Both sides must have made the same tables."""
    options = _options()
    figures: dict = {
        "asked": {"events": options.events, "days": options.days, "format": options.format},
        "load_before": os.getloadavg()[0],
    }
    world = _simulate(options)
    full, short = options.data / f"after-{options.days}", options.data / f"after-{SHORT_HISTORY}"
    last = DEMO_END - timedelta(days=1)  # the last day of the world is the one more day
    figures["product"], figures["by_hand"] = [], []
    for _ in range(options.repeat):
        _land(world, full, _days(last, options.days))
        figures["product"].append(_product(full, last))
        figures["by_hand"].append(_by_hand(full, last))
        _save(options, figures)
        figures["totals"] = vars(agree(full / "published" / "tokentrail.duckdb", full / "by_hand.duckdb"))
    (full / "by_hand.duckdb").unlink()
    figures["events"] = _events(full)
    figures["one_more_day"] = {str(options.days): _one_more_day(world, full)}
    figures["idle"] = _product(full, DEMO_END)
    _save(options, figures)
    _land(world, short, _days(last, SHORT_HISTORY))
    figures["short"] = _product(short, last)
    figures["short_events"] = _events(short)
    figures["one_more_day"][str(SHORT_HISTORY)] = _one_more_day(world, short)
    figures["load_after"] = os.getloadavg()[0]
    _save(options, figures)
    text = report.markdown(figures)
    (RESULTS if (options.events, options.days) == (EVENTS, DAYS) else options.data / "RESULTS.md").write_text(text)
    sys.stdout.write(text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="events to land, about (default: %(default)s)")
    parser.add_argument("--days", type=int, default=DAYS, help="days they arrive on (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each side, in turn (default: %(default)s)")
    parser.add_argument("--format", choices=("jsonl", "parquet"), default="parquet", help="(default: %(default)s)")
    root = Path(os.environ.get("TOKENTRAIL_DATA") or PROJECT / "data")
    parser.add_argument("--data", type=Path, default=root / "benchmarks", help="working folder (default: %(default)s)")
    options = parser.parse_args()
    if options.days <= SHORT_HISTORY or options.events < options.days:
        parser.error(f"--days must be more than {SHORT_HISTORY}, and --events at least one a day.")
    options.data = options.data.resolve() / f"{options.events}-events-{options.days}-days"
    return options


def _simulate(options: argparse.Namespace) -> Path:
    """A demo world with one more day than asked for; simulated once, then used again."""
    world = options.data / "world"
    if not (world / "demo_truth.json").exists():
        a_day = max(round(options.events / options.days / DELIVERIES_PER_REQUEST), 1)
        _progress(f"simulating {options.days + 1} days of {a_day:,} requests in {world}")
        size = ["--days", str(options.days + 1), "--requests-per-day", str(a_day)]
        demo = [sys.executable, "-m", "demo", "--data", str(world), *size]
        subprocess.run(demo, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    if options.format == "parquet":
        as_parquet(world, options.data / "parquet")
        world = options.data / "parquet"
    for file in world.glob("landing/events/*/*.*"):  # the first reader shall not pay for the disk
        with file.open("rb") as stream:
            while stream.read(1 << 24):
                pass
    return world


def _days(last: date, count: int) -> list[date]:
    return [last - timedelta(days=back) for back in range(count)]


def _land(world: Path, root: Path, days: list[date]) -> None:
    """An empty data root in which these days have landed (links to the files of the world)."""
    shutil.rmtree(root, ignore_errors=True)
    for day in days:
        _link(world, root, day)


def _link(world: Path, root: Path, day: date) -> None:
    folder = root / "landing" / "events" / f"dt={day}"
    folder.mkdir(parents=True)
    for file in sorted((world / "landing" / "events" / f"dt={day}").iterdir()):
        os.link(file, folder / file.name)


def _events(root: Path) -> int:
    count = 0
    for file in root.glob("landing/events/*/*.*"):
        if file.suffix == ".parquet":
            count += pq.read_metadata(file).num_rows
            continue
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                count += block.count(b"\n")
    return count


def _as_of(last: date) -> str:
    """The morning after the last arrival day."""
    return datetime.combine(last + timedelta(days=1), time(7)).isoformat()


def _product(root: Path, last: date) -> dict:
    _progress(f"the product, days until {last}, in {root}")
    environment = {"TOKENTRAIL_DATA": str(root), "TOKENTRAIL_TEAM": str(DEMO_TEAM), "TOKENTRAIL_AS_OF": _as_of(last)}
    return vars(measure.run("benchmarks.product", log=root / "product.log", **environment))


def _by_hand(root: Path, last: date) -> dict:
    _progress(f"by hand, days until {last}, in {root}")
    book = root / "ledger" / "price_book"
    version = json.loads((book / "versions.jsonl").read_text().splitlines()[-1])["price_book_version"]
    arguments = {
        "landing": root / "landing",
        "price-book": book / version / "*.parquet",
        "identity-map": DEMO_TEAM / "identity_map.csv",
        "as-of": _as_of(last),
        "out": root / "by_hand.duckdb",
    }
    given = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
    return vars(measure.run("benchmarks.by_hand", *given, log=root / "by_hand.log"))


def _one_more_day(world: Path, root: Path) -> dict:
    """The run after one more day has arrived."""
    before = _events(root)
    _link(world, root, DEMO_END)
    return {"run": _product(root, DEMO_END), "events": _events(root) - before}


def _save(options: argparse.Namespace, figures: dict) -> None:
    (options.data / "figures.json").write_text(json.dumps(figures, indent=1))


def _progress(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
