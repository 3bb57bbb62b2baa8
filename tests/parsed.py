"""dbt parses the project once for `make lint` and all data roots of a test run, which halves the time of a build in a new one.

dbt keeps what it parsed among its other working files and trusts it as long as project and connection are the same. A test
has a root of its own, so another connection, though nothing that is parsed depends on it: the kept file is lent to the new root
with that root's hash. Were the hash ever wrong, dbt would say so and parse anew.
"""

import hashlib
import os
import pprint
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import yaml

from orchestration.dbt import DBT_PROJECT, code_hash, dbt_environment
from orchestration.settings import PROJECT, Settings

LINTED = PROJECT / "data" / "state" / "lint" / "target" / "partial_parse.msgpack"  # by the Makefile
ENV_VAR = re.compile(r"\{\{ env_var\('(\w+)', '([^']*)'\) \}\}")


def parsed_at(settings: Settings) -> Path:
    """Where dbt keeps what it parsed for a root."""
    return settings.state / "dbt" / "partial_parse.msgpack"


def lend(settings: Settings) -> None:
    """Put what an earlier root or `make lint` parsed where dbt will look for it; it parses anew what has changed since."""
    target = parsed_at(settings)
    for parsed, connection in _parsed():
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            ours = _connection_hash(dbt_environment(settings))
            target.write_bytes(parsed.read_bytes().replace(connection.encode(), ours.encode()))


def _parsed() -> Iterator[tuple[Path, str]]:
    """What has been parsed, the best first, and the hash of the connection in it."""
    for kept in _kept().glob("*.msgpack"):
        yield kept, kept.stem
    if LINTED.exists():
        yield LINTED, _connection_hash({})


def keep(settings: Settings) -> None:
    """Keep what this root parsed, if it is the first."""
    parsed = parsed_at(settings)
    if parsed.exists() and not is_kept():
        _kept().mkdir(parents=True, exist_ok=True)
        unfinished = _kept() / f".{os.getpid()}"
        unfinished.write_bytes(parsed.read_bytes())
        os.replace(unfinished, _kept() / f"{_connection_hash(dbt_environment(settings))}.msgpack")


def is_kept() -> bool:
    """Whether a root has parsed this state of the project."""
    return any(_kept().glob("*.msgpack"))


@cache
def _kept() -> Path:
    """A folder for this state of the project."""
    return Path(tempfile.gettempdir()) / "tokentrail-parsed" / code_hash()[:16]


def _connection_hash(environment: Mapping[str, str]) -> str:
    """As dbt computes it (ManifestLoader.build_manifest_state_check)."""
    from dbt.adapters.duckdb.credentials import DuckDBCredentials  # a process that a test starts may need none of dbt

    text = ENV_VAR.sub(lambda found: environment.get(found[1], found[2]), (DBT_PROJECT / "profiles.yml").read_text())
    output = yaml.safe_load(text)["tokentrail"]["outputs"]["duckdb"]
    output = {name: value for name, value in output.items() if name not in {"type", "threads"}}
    credentials = DuckDBCredentials.from_dict(DuckDBCredentials.translate_aliases(output))
    return hashlib.sha256(pprint.pformat(sorted(credentials.connection_info())).encode()).hexdigest()
