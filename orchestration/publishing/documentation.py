"""dbt docs for readers: one static page under published/docs, built again only when the project's code changed."""

import hashlib
from pathlib import Path

from orchestration.dbt import DBT_PROJECT, run_dbt
from orchestration.publishing.publications import new_publication, replace_file
from orchestration.settings import Settings


def publish_dbt_docs(settings: Settings) -> tuple[Path, bool]:
    """Return the page and whether it was written. `--static` puts everything into one file that needs no server."""
    page, stamp = _page_and_stamp(settings)
    if not docs_are_due(settings):
        return page, False
    code = _code_hash()
    run_dbt(settings, "docs", "generate", "--static", "--no-compile", "--quiet")  # the build has compiled everything
    with new_publication(settings) as publication:
        replace_file(publication / "docs" / "dbt" / page.name, settings.state / "dbt" / "static_index.html")
        replace_file(publication / "docs" / "dbt" / stamp.name, code)
    return page, True


def docs_are_due(settings: Settings) -> bool:
    """Whether the page is missing or of other code than the project's."""
    page, stamp = _page_and_stamp(settings)
    return not (page.exists() and stamp.exists() and stamp.read_text() == _code_hash())


def _page_and_stamp(settings: Settings) -> tuple[Path, Path]:
    folder = settings.published / "docs" / "dbt"
    return folder / "index.html", folder / "code.sha256"


def _code_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in DBT_PROJECT.rglob("*") if path.suffix in {".sql", ".yml", ".csv", ".md"}):
        digest.update(str(path.relative_to(DBT_PROJECT)).encode() + path.read_bytes())
    return digest.hexdigest()
