"""The site of Data Docs: made under the data root, and copied into each publication with the marts that were judged."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from expectations.data_docs import index_page
from orchestration.settings import Settings
from orchestration.storage import write_whole

STAMP = "built_from.json"


def site_of(settings: Settings) -> Path:
    """Where the site is made. Readers have a copy: it goes with the publication of the marts that were judged."""
    return settings.state / "expectations" / "site"


def what_it_shows(site: Path) -> str | None:
    """A hash that changes with any result that the site shows; None while there is no site."""
    stamp = site / STAMP
    return hashlib.sha256(stamp.read_bytes()).hexdigest() if stamp.exists() else None


def write_site(site: Path, states: dict[str, dict[str, Any]], pages: dict[str, str], suites: dict[str, Path]) -> bool:
    """Write the site in the place of the former; False when it already shows these results. What it shows is written last."""
    shown = json.dumps({suite: state["fingerprint"] for suite, state in sorted(states.items())}, indent=2)
    if (site / STAMP).exists() and (site / STAMP).read_text() == shown:
        return False
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    for suite, page in pages.items():
        (site / f"{suite}.html").write_text(page)
        shutil.copyfile(suites[suite], site / f"{suite}.json")
    (site / "index.html").write_text(index_page(states))
    write_whole(site / STAMP, shown)
    return True


def copy_site(site: Path, into: Path) -> None:
    """Put the site into a publication; without one, or with the same, what the former publication had stays."""
    if (site / STAMP).exists() and what_it_shows(site) != what_it_shows(into):
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(site, into)
