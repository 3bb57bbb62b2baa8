"""The product's side, as its daily job does it: load, price, build with every test, publish. One process, dbt in its own."""

import json
import sys
import time
from collections.abc import Callable

from orchestration.dbt import build_command, dbt_project, run_dbt
from orchestration.landing.load import load_new_files
from orchestration.prices.book import update_price_book
from orchestration.publishing.publication import publish
from orchestration.settings import Settings, from_environment
from orchestration.team.tables import write_team_tables
from orchestration.warehouse import warehouse

STEPS: dict[str, Callable[[Settings], object]] = {
    "team": write_team_tables,
    "load": load_new_files,
    "prices": update_price_book,
    "dbt parse": dbt_project,  # only after a change of the project
    "dbt build": lambda settings: run_dbt(settings, *build_command(settings), "--quiet"),
    "publish": publish,
}
REBUILT_SQL = "select model, count(*) from tokentrail.built where built_at >= to_timestamp(?)::timestamp group by model"


def main() -> None:
    """One run; prints a JSON line for each step with its wall seconds, and one with what dbt did."""
    settings, started = from_environment(), int(time.time())
    for name, step in STEPS.items():
        began = time.monotonic()
        step(settings)
        _say({"step": name, "seconds": time.monotonic() - began})
    _say(_what_dbt_did(settings, started))


def _what_dbt_did(settings: Settings, started: int) -> dict:
    """Seconds by dbt node, longest first, and how many dates each model rebuilt."""
    results = json.loads((settings.state / "dbt" / "run_results.json").read_text())["results"]
    nodes = sorted(((each["execution_time"], each["unique_id"].split(".")[2]) for each in results), reverse=True)
    kinds = {"models": "model.", "tests": "test."}
    with warehouse(settings) as connection:
        rebuilt = dict(connection.execute(REBUILT_SQL, [started]).fetchall())
    return {
        "nodes": {name: round(seconds, 2) for seconds, name in nodes},
        "kinds": {
            kind: round(sum(each["execution_time"] for each in results if each["unique_id"].startswith(prefix)), 1)
            for kind, prefix in kinds.items()
        },
        "dates_rebuilt": rebuilt,
    }


def _say(line: dict) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
