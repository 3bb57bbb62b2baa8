"""The dbt project: where it is, its environment, a manifest that is never stale, and how dbt is called."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.storage import write_whole

if TYPE_CHECKING:
    from dagster_dbt import DbtProject

DBT_PROJECT = PROJECT / "dbt_project"
INSTALLED = Path(sys.executable).with_name("dbt")  # ours, whatever is on PATH
DBT = INSTALLED  # in a run, one that has started already (orchestration/warm_dbt)
_PARSING = threading.Lock()
# Memory that two models take at once: what two queries need to begin with, and by bytes of the raw files that they read. 169 MB of
# these need more than 1 GB, and have enough of 3. From there on a model keeps all cores busy by itself.
MEMORY_OF_TWO, BY_RAW_BYTE = 1_000_000_000, 20


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What the dbt project reads from the environment (macros/settings.sql and profiles.yml)."""
    return {
        "TOKENTRAIL_DATA": str(settings.data),
        "TOKENTRAIL_AS_OF": settings.as_of.strftime("%Y-%m-%dT%H:%M:%S"),
        "TOKENTRAIL_IDENTITY_WINDOW_DAYS": str(settings.identity_window_days),
        "TOKENTRAIL_LATENESS_HOURS": str(settings.lateness_hours),
        "TOKENTRAIL_UNPRICED_SLA_DAYS": str(settings.unpriced_sla_days),
        "TOKENTRAIL_BASE_URL": settings.base_url,
        "TOKENTRAIL_MEMORY_LIMIT": settings.memory_limit,
        "TOKENTRAIL_THREADS": str(settings.threads),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_TARGET_PATH": str(settings.state / "dbt"),
        "DBT_LOG_PATH": str(settings.state / "dbt"),
        # what was built and what failed; every statement of a run would be 12 MB, and a tenth of dbt's own time
        "DBT_LOG_LEVEL_FILE": "info",
        "DBT_LOG_FORMAT_FILE": "debug",  # lines for people; Dagster reads JSON from dbt, which would be the log's form too
    }


def build_command(settings: Settings) -> list[str]:
    """Arguments of a build: without unit tests, which prove the code and not the data; two models at once, if these surely fit."""
    raw = sum(path.stat().st_size for path in settings.raw.rglob("*.parquet"))
    at_once = 2 if MEMORY_OF_TWO + raw * BY_RAW_BYTE <= settings.memory_bytes else 1
    return ["build", "--exclude-resource-type", "unit_test", "--threads", str(at_once)]


def dbt_project(settings: Settings) -> "DbtProject":
    """The project with an up-to-date manifest under the data root. Parsing takes seconds, so it happens only after a change."""
    from dagster_dbt import DbtProject  # its import takes seconds, and who runs dbt needs none of it

    (settings.state / "spill").mkdir(parents=True, exist_ok=True)
    project = DbtProject(DBT_PROJECT, target_path=settings.state / "dbt", profiles_dir=DBT_PROJECT)
    parse(settings)
    return project


def parse(settings: Settings) -> None:
    """Make the manifest under the data root that of the code, by one thread at a time. Raises RuntimeError with dbt's last words."""
    manifest, parsed = settings.state / "dbt" / "manifest.json", settings.state / "dbt" / "manifest.code"
    with _PARSING:
        code = code_hash()  # before: what is edited while dbt parses is parsed again
        if not (manifest.exists() and parsed.exists() and parsed.read_text() == code):
            run_dbt(settings, "parse", "--quiet")
            write_whole(parsed, code)


def code_hash() -> str:
    """Changes with any file that dbt parses. By content: a copy or an archive brings file times of its own."""
    files = sorted(path for path in DBT_PROJECT.rglob("*") if path.suffix in {".sql", ".yml", ".md"})
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


def run_dbt(settings: Settings, *arguments: str) -> str:
    """Run dbt in a process of its own, which gives the warehouse back when it ends, and return what it prints.

    Raises RuntimeError with dbt's last words.
    """
    environment = os.environ | dbt_environment(settings) | {"DBT_PROFILES_DIR": str(DBT_PROJECT)}
    done = subprocess.run(
        [DBT, *arguments], cwd=DBT_PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"dbt {' '.join(arguments)} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":  # `make demo` has the project parsed while it writes its landing files
    parse(from_environment())
