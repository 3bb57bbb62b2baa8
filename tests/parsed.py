"""dbt parses the project once for all data roots of a test run, which halves the time of a build in a new one.

dbt keeps what it parsed among its other working files and trusts it as long as project and connection are the same. A test
has a root of its own, so another connection, though nothing that is parsed depends on it: the kept file is lent to the new root
with that root's hash. Were the hash ever wrong, dbt would say so and parse anew.
"""

import hashlib
import os
import pprint
import re
import tempfile
from functools import cache
from pathlib import Path

import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from orchestration.dbt import DBT_PROJECT, code_hash, dbt_environment
from orchestration.settings import Settings

ENV_VAR = re.compile(r"\{\{ env_var\('(\w+)', '([^']*)'\) \}\}")


def parsed_at(settings: Settings) -> Path:
    """Where dbt keeps what it parsed for a root."""
    return settings.state / "dbt" / "partial_parse.msgpack"


def lend(settings: Settings) -> None:
    """Put what an earlier root parsed where dbt will look for it."""
    target = parsed_at(settings)
    for kept in _kept().glob("*.msgpack"):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(kept.read_bytes().replace(kept.stem.encode(), _connection_hash(settings).encode()))


def keep(settings: Settings) -> None:
    """Keep what this root parsed, if it is the first."""
    parsed = parsed_at(settings)
    if parsed.exists() and not any(_kept().glob("*.msgpack")):
        _kept().mkdir(parents=True, exist_ok=True)
        unfinished = _kept() / f".{os.getpid()}"
        unfinished.write_bytes(parsed.read_bytes())
        os.replace(unfinished, _kept() / f"{_connection_hash(settings)}.msgpack")


@cache
def _kept() -> Path:
    """A folder for this state of the project."""
    return Path(tempfile.gettempdir()) / "tokentrail-parsed" / code_hash()[:16]


def _connection_hash(settings: Settings) -> str:
    """As dbt computes it (ManifestLoader.build_manifest_state_check)."""
    environment = dbt_environment(settings)
    text = ENV_VAR.sub(lambda found: environment.get(found[1], found[2]), (DBT_PROJECT / "profiles.yml").read_text())
    output = yaml.safe_load(text)["tokentrail"]["outputs"]["duckdb"]
    output = {name: value for name, value in output.items() if name not in {"type", "threads"}}
    credentials = DuckDBCredentials.from_dict(DuckDBCredentials.translate_aliases(output))
    return hashlib.sha256(pprint.pformat(sorted(credentials.connection_info())).encode()).hexdigest()
