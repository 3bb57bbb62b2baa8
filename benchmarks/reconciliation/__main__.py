"""What each model of reconciliation takes, over a month of 12 models, 6 token kinds and 3 accounts: whole, one more day, nothing new.

python -m benchmarks.reconciliation [--days 31] [--calls 20] [--copies 1] [--data DIR]
"""

import argparse
import json
import os
import resource
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.reconciliation.world import KINDS, Account, Call, Line, World, usd, world_at

FIRST_DAY = date(2026, 10, 1)
ACCOUNTS = ("acme-eu", "acme-us", "acme-ap")
MODELS = [f"model-{number:02}" for number in range(12)]
PRICES = {kind: Decimal(number + 1) / 1_000_000 for number, kind in enumerate(KINDS)}
DEARER, LOST, FAILED = MODELS[0], 11, 50  # billed a tenth more; every 11th call is not captured, every 50th failed


def main() -> int:
    """Builds the month and prints its models, the slowest first."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        world = _month(options.data or Path(scratch) / "data", options.days, options.calls)
        world.copies = options.copies
        last = str(FIRST_DAY + timedelta(days=options.days - 1))
        calls, lines = world.calls, world.lines
        world.calls = [call for call in calls if call.at[:10] != last]
        world.lines = [line for line in lines if line.day != last]
        world.prepare()
        a_view = ("stg_vendor_billing_rules",)
        world.run(command="run", models=a_view)  # dbt reads the project once
        start = _cpu(lambda: world.run(command="run", models=a_view))
        _say(world, "from nothing", _cpu(lambda: world.run(command="run")) - start)
        world.calls, world.lines = calls, lines
        world.prepare()
        _say(world, "one more day, of calls and of the bill", _cpu(lambda: world.run(command="run")) - start)
        _say(world, "nothing new", _cpu(lambda: world.run(command="run")) - start)
    return 0


def _cpu(run: Callable[[], None]) -> float:
    """Seconds of CPU that dbt takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconciliation", description=__doc__)
    parser.add_argument("--days", type=int, choices=range(1, 32), metavar="1..31", default=31, help="(default: 31)")
    parser.add_argument("--calls", type=int, default=20, help="calls per day, model and account (default: 20)")
    parser.add_argument("--copies", type=int, default=1, help="of each call: 224 make 5 million (default: 1)")
    parser.add_argument("--data", type=Path, help="an empty data root to keep (default: one that is deleted)")
    return parser.parse_args()


def _month(root: Path, days: int, calls: int) -> World:
    """What happened, most of it captured, and a line of the bill for each day, account, model and kind."""
    world = world_at(root)
    world.prices = dict.fromkeys(MODELS, PRICES)
    world.accounts = [Account(account=account, billing_account_ids=account) for account in ACCOUNTS]
    happened = list(_calls(days, calls))
    for number, call in enumerate(happened):
        if number % FAILED == 0:
            world.calls += [Call(call.at, call.model, {}, call.price, status="error", account=call.account)]
        elif number % LOST:
            world.calls.append(call)
    sums: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
    for call in happened:
        for kind, tokens in call.tokens.items():
            sums[(call.at[:10], call.account, call.model, kind)] += tokens
    for (day, account, model, kind), quantity in sums.items():
        price = PRICES[kind] * (Decimal("1.1") if model == DEARER else 1)
        world.lines.append(Line(usd(quantity, price), day, model=model, leaf=kind, quantity=quantity, account=account))
    return world


def _calls(days: int, calls: int) -> Iterator[Call]:
    for day in (FIRST_DAY + timedelta(days=ahead) for ahead in range(days)):
        for account in ACCOUNTS:
            for model in MODELS:
                for number in range(calls):
                    tokens = {
                        kind: 1 + (day.day * 211 + number * 977 + place * 131) % 5000
                        for place, kind in enumerate(KINDS)
                    }
                    tenant, endpoint = f"tenant-{number % 7}", f"endpoint-{number % 3}"
                    at = f"{day} {number % 24:02}:30:00"
                    yield Call(at, model, tokens, model, tenant=tenant, endpoint=endpoint, account=account)


def _say(world: World, what: str, cpu_seconds: float) -> None:
    results = json.loads((world.settings.state / "dbt" / "run_results.json").read_text())["results"]
    models = [result for result in results if result["unique_id"].startswith("model.")]
    seconds = {model["unique_id"].rsplit(".", 1)[-1]: model["execution_time"] for model in models}
    [(attempts,)] = world.ask("select count(*) from fct_attempts")
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    shown = [
        f"{what}: {cpu_seconds:.1f} s of CPU besides the start of dbt ({attempts:,} attempts, {len(world.lines):,} lines, {load})",
        "",
        "| model | rows | s |",
        "|---|---:|---:|",
    ]
    places = dict(world.ask("select table_name, schema_name from duckdb_tables()"))
    for name, spent in sorted(seconds.items(), key=lambda each: -each[1]):
        rows = f"{world.ask(f'select count(*) from {places[name]}.{name}')[0][0]:,}" if name in places else "view"  # noqa: S608
        shown.append(f"| {name} | {rows} | {spent:.2f} |")
    sys.stdout.write("\n".join([*shown, f"| all | | {sum(seconds.values()):.2f} |", "", ""]))


if __name__ == "__main__":
    sys.exit(main())
