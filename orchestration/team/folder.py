"""The team's folder: which files it may have, and all of them read and checked at once."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from orchestration.settings import Settings
from orchestration.storage import write_whole
from orchestration.team.alerts import ALERT_RULES
from orchestration.team.budgets import BUDGET_ADJUSTMENTS, BUDGETS
from orchestration.team.incidents import CONTAINMENT_MAP, ENDPOINT_OWNERS
from orchestration.team.invoices import (
    FX_RATES,
    INVOICE_LABEL_MAPS,
    INVOICE_SERVICE_SCOPE,
    VENDOR_ACCOUNTS,
    VENDOR_BILLING_RULES,
)
from orchestration.team.notifications import NOTIFICATION_CHANNELS
from orchestration.team.rows import Found, TeamFile, TeamFileError, broken_references, find_rows
from orchestration.team.usage import ENVIRONMENT_MAP, IDENTITY_MAP, SOURCE_PRECEDENCE, kept_names

# Every file of a team. What is not here is refused, and what is here becomes a table of the same name that dbt reads.
TEAM_FILES: tuple[TeamFile[Any], ...] = (
    ENVIRONMENT_MAP,
    IDENTITY_MAP,
    SOURCE_PRECEDENCE,
    ENDPOINT_OWNERS,
    ALERT_RULES,
    CONTAINMENT_MAP,
    BUDGETS,
    BUDGET_ADJUSTMENTS,
    NOTIFICATION_CHANNELS,
    VENDOR_ACCOUNTS,
    FX_RATES,
    INVOICE_SERVICE_SCOPE,
    INVOICE_LABEL_MAPS,
    VENDOR_BILLING_RULES,
)
PRICES = "prices"  # the folder of overrides, which pricing/ reads
MAPPINGS = "mappings"  # that of sources, which landing/ reads
# What somebody may take for a file that is read.
DATA = {".csv", ".tsv", ".xls", ".xlsx", ".ods", ".yml", ".yaml", ".json"}


def read_folder(folder: Path) -> dict[str, list[Found[Any]]]:
    """By name of file: its rows, defaults included, with environments as they are kept.

    Raises TeamFileError with the sentences of all mistakes in all files.
    """
    files, problems = dict[str, list[Found[Any]]](), _not_read(folder)
    environments, _ = find_rows(folder, ENVIRONMENT_MAP)
    kept = kept_names(each.row for each in environments)
    for file in TEAM_FILES:
        files[file.name], mistakes = find_rows(folder, file, lambda name: kept.get(name.lower(), name.lower()))
        problems += mistakes
    for file in TEAM_FILES if not problems else ():  # a row with a mistake in it is not missing
        problems += broken_references(files, file)
    if problems:
        raise TeamFileError("\n".join(dict.fromkeys(problems)))
    return files


def remember_team(settings: Settings) -> None:
    """The data root keeps to the team's folder that it is first used with (`from_environment` refuses another)."""
    if settings.team.is_dir() and not settings.team_memory.exists():
        write_whole(settings.team_memory, f"{settings.team}\n")


def _not_read(folder: Path) -> list[str]:
    """A sentence for each file that looks like one of the team's and is not read."""
    known = [file.file for file in TEAM_FILES]
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() not in DATA or path.name in known or path.name.startswith(".") or path.is_dir():
            continue
        if path.suffix in (".yml", ".yaml"):
            found.append(
                f"{path.name} is not read here: prices belong into {PRICES}/{path.name}, mappings into "
                f"{MAPPINGS}/{path.name}."
            )
            continue
        nearest = get_close_matches(f"{path.stem.lower()}.csv", known, n=1)
        advice = f"did you mean {nearest[0]}?" if nearest else f"the files are {', '.join(known)}."
        found.append(f"{path.name} is not a file that Tokentrail reads: {advice}")
    prices = sorted((folder / PRICES).iterdir()) if (folder / PRICES).is_dir() else []
    return found + [
        f"{PRICES}/{path.name} is not read: prices are files that end in .yml."
        for path in prices
        if path.suffix.lower() in DATA and path.suffix not in (".yml", ".yaml")
    ]
