"""Whole pages of a publication, served as they are: weekly reports, and what the checks found (Data Docs)."""

import re
from base64 import b64encode
from hashlib import sha256

from inbox import words
from inbox.marts import Publication
from inbox.page import File, NotFoundError

# First part of the address -> folder of the publication, and what a page of it is called.
KINDS = {"weekly": ("weekly", "report"), "checks": ("docs/data_docs", "page of checks")}
TYPES = {".html": "text/html", ".json": "application/json"}


def names(publication: Publication, kind: str) -> list[str]:
    """The names of the pages of a kind."""
    folder = publication.folder / KINDS[kind][0]
    return sorted(path.name for path in folder.glob("*") if path.suffix in TYPES)


def page(publication: Publication, kind: str, name: str) -> File:
    """A page as it was published. Raises NotFoundError with the names that there are."""
    known = names(publication, kind)
    if name not in known:
        links = [(each, f"/{kind}/{each}") for each in known[-5:]]
        called = KINDS[kind][1]
        raise NotFoundError(f"Which {called}?", f"No {called} is named {words.name(name)}.", links)
    path = publication.folder / KINDS[kind][0] / name
    return File(name, TYPES[path.suffix], path.read_text(encoding="utf-8"))


def policy_of(text: str) -> str:
    """What such a page may do: its own script, by its hash, and its own styles."""
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes or chr(39) + 'none' + chr(39)}; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
