"""Whether .venv is complete: its interpreter fits, and every package of requirements.lock is there with its files.

`.venv/bin/python -I -S .ci/complete.py`; where it is not, prints what is missing and ends with 1. Every target of make asks this
first, so it takes a tenth of a second: nothing is imported, and of a package only what stands at its top is looked for, where an
installation that was stopped, or a folder that somebody deleted, shows.
"""

import operator
import os
import platform
import re
import sys
from pathlib import Path

OLDEST, TOO_NEW = (3, 11), (3, 14)  # requires-python in pyproject.toml: dagster-dbt needs a Python below 3.14
ROOT = Path(__file__).resolve().parents[1]
# What a line of the lock may ask, and how it compares. Versions are those between the two above, which compare as text.
ASKED = {
    "python_full_version": platform.python_version(),
    "sys_platform": sys.platform,
    "implementation_name": sys.implementation.name,
    "platform_python_implementation": platform.python_implementation(),
}
COMPARED = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, ">=": operator.ge}


def missing(lock: Path, packages: Path) -> list[str]:
    """The packages that are not as the lock has them."""
    there = {_name(entry.removesuffix(".dist-info")): entry for entry in os.listdir(packages) if ".dist-info" in entry}
    return [pinned for pinned in _pinned(lock) if not _is_whole(packages, there.get(_name(pinned.replace("==", "-"))))]


def _pinned(lock: Path) -> list[str]:
    """name==version of each line that is about this interpreter and system."""
    lines = [line.split(" ; ") for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line]
    return [
        pinned for pinned, *conditions in lines if all(_holds(each) for each in " and ".join(conditions).split(" and "))
    ]


def _holds(condition: str) -> bool:
    asked = re.fullmatch(r"(\w+) (\S+) '([^']*)'", condition)
    return not asked or COMPARED[asked[2]](ASKED[asked[1]], asked[3])


def _name(distribution: str) -> str:
    """Name and version as they are compared: Foo_Bar-1.0 is foo-bar-1-0."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _is_whole(packages: Path, info: str | None) -> bool:
    """Whether everything that a package put at the top is there. Its list of files is the last that is written."""
    record = packages / (info or "-") / "RECORD"
    if not record.is_file():
        return False
    paths = (line.partition(",")[0].strip('"') for line in record.read_text(encoding="utf-8").splitlines())
    tops = {path if path.startswith("..") else path.partition("/")[0] for path in paths if "__pycache__" not in path}
    return all((packages / top).exists() for top in tops)


def main() -> int:
    """Prints what is missing; 1 where something is."""
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = Path(sys.executable).parents[1] / "lib" / python / "site-packages"
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        lacking = [f"an interpreter that fits (it is Python {platform.python_version()})"]
    else:
        lacking = missing(ROOT / "requirements.lock", packages)
    print(", ".join(lacking))
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
