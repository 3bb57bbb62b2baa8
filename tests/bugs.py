"""Cases of `tests/cases` and `shared/data/bugs`: what a sender landed, and what the marts must say of it.

One world holds many cases. `python -m tests.bugs 05 44` runs those alone and prints what differs: for a developer's loop.
A case may bring rows of the team's files (`seeds`).
"""

import base64
import json
import re
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.settings import PROJECT
from orchestration.warehouse import open_marts
from tests.pipeline import WITHOUT_TESTS, pipeline_at

CASES = PROJECT / "tests" / "cases"
BUGS = PROJECT.parent / "shared" / "data" / "bugs"
# Exports that have moved since the cases were written, and what is read now.
MOVED = {
    "cost_by_tenant_daily/month=2026-11.csv": "months/cost_by_tenant_daily/2026-11*.csv",
    "cost_by_tenant_daily/last_35_days.csv": "rolling/cost_by_tenant_daily.csv",
}
AS_OF = datetime(2026, 11, 28, 12, tzinfo=UTC)  # after the last event of any case but those of the future


def read_cases(folder: Path, *numbers: str) -> dict[str, dict]:
    """By name: the cases whose names begin with one of these numbers, or all."""
    cases = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return {name: case for name, case in cases.items() if not numbers or name.split("-")[0] in numbers}


def land(root: Path, cases: Iterable[dict]) -> None:
    """Write the landing files of cases: events as lines, text as it stands, or bytes in base64."""
    for case in cases:
        for name, content in case["landing"].items():
            path = root / "landing" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_bytes(content))


def _bytes(content: list[dict] | str | dict) -> bytes:
    if isinstance(content, dict):
        return base64.b64decode(content["base64"])
    if isinstance(content, str):
        return content.encode()
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in content).encode()


def run(root: Path, cases: dict[str, dict], *, with_tests: bool = True) -> None:
    """Load, build and publish the cases in one root. Raises RuntimeError with what dbt printed."""
    land(root, cases.values())
    pipeline = pipeline_at(root, as_of=AS_OF)
    for case in cases.values():
        for file, rows in case.get("seeds", {}).items():
            path = pipeline.settings.team / file
            path.write_text(path.read_text().rstrip("\n") + "\n" + "\n".join(rows) + "\n")
    pipeline.run(*([] if with_tests else WITHOUT_TESTS))


def differences(root: Path, case: dict) -> list[str]:
    """What the published marts say otherwise than the case expects, one sentence each."""
    found = []
    settings = pipeline_at(root).settings
    with open_marts(settings) as marts:
        for expect in case["expect"]:
            sql = re.sub("|".join(map(re.escape, MOVED)), lambda former: MOVED[former[0]], expect["sql"]).replace(
                "{data}", str(root)
            )
            try:
                row = marts.execute(sql).fetchone()
            except duckdb.Error as error:
                found.append(f"{sql}: {error}")
                continue
            value = row[0] if row else None
            if not _same(value, expect["equals"]):
                found.append(f"{sql}: {value!r}, not {expect['equals']!r}")
    return found


def _same(value: object, expected: object) -> bool:
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return expected is not None and not isinstance(expected, bool) and Decimal(str(expected)) == value
    if isinstance(value, datetime):
        return str(value) == expected
    return value == expected


def main(arguments: list[str]) -> int:
    """Runs the cases with these numbers, and compares."""
    cases = read_cases(CASES, *arguments) | read_cases(BUGS, *arguments)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        run(root, cases, with_tests=any(case.get("alone") for case in cases.values()))
        found = {name: differences(root, case) for name, case in cases.items()}
    for name, sentences in found.items():
        print(f"{'FAILED' if sentences else 'ok    '} {name}")
        for sentence in sentences:
            print(f"       {sentence}")
    return any(found.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
