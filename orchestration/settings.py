"""Every setting of Tokentrail, read once from the environment; docs/operate.md lists them for people."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

PROJECT = Path(__file__).resolve().parents[1]
# Globs, templates, escapes and fragments of addresses (dbt takes the name of a database from an address), quotes of SQL and shells
UNUSABLE = frozenset("*?[]{}%#$`'\"\\|<>")
MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])(i?)b", re.IGNORECASE)
CODE = (
    "orchestration",
    "dbt_project",
    "expectations",
    "pricing",
    "demo",
    "inbox",
    "benchmarks",
    "docs",
    "tests",
    "team",
)
TEAMS = (
    PROJECT / "team",
    PROJECT / "demo" / "team",
)  # of the company that works here, and of the one that is simulated


def setting(name: str, default: str, help: str, *, is_secret: bool = False):  # noqa: A002
    """A dataclass field that documents the environment variable it is read from; a secret is not in its repr, nor in an error."""
    return field(metadata={"env": name, "default": default, "help": help}, repr=not is_secret)


@dataclass(frozen=True)
class Settings:
    """What a team may set. Values come from `TOKENTRAIL_*`; an unreadable value is an error that names the variable."""

    data: Path = setting("TOKENTRAIL_DATA", "data", "Data root: landing, raw, ledger, warehouse.duckdb, published.")
    team: Path = setting(
        "TOKENTRAIL_TEAM",
        "team",
        "The team's folder: budgets, rules, owners, channels, prices. Unset: the one that the data root remembers.",
    )
    landing_address: str = setting(
        "TOKENTRAIL_LANDING", "", "Landing folder or object-store address (s3://...); empty: <data root>/landing."
    )
    as_of: datetime = setting(
        "TOKENTRAIL_AS_OF",
        "",
        "The instant as of which the run reports (RFC 3339); empty: now. Nothing else reads the clock.",
    )
    id_secret: str = setting(
        "TOKENTRAIL_ID_SECRET",
        "",
        "When set, loading replaces ids of tenants, users and API keys by their HMAC-SHA256 with this key.",
        is_secret=True,
    )
    max_line_bytes: int = setting(
        "TOKENTRAIL_MAX_LINE_BYTES", "4194304", "Longer lines are rejected: usage events are a few hundred bytes."
    )
    # Usage as gzip expands 10 to 50 times, padding 1,000 times. Below 64 MiB nothing is given up.
    max_expansion: int = setting(
        "TOKENTRAIL_MAX_EXPANSION",
        "200",
        "A file that expands to more than this many times its bytes, and to over 64 MiB, is given up there.",
    )
    give_up_rejects: int = setting(
        "TOKENTRAIL_GIVE_UP_REJECTS",
        "10000",
        "A file is given up after more refused lines than this, if they are nearly all of its lines.",
    )
    give_up_share: float = setting(
        "TOKENTRAIL_GIVE_UP_SHARE", "0.9", "Share of refused lines that counts as nearly all lines of a file."
    )
    identity_window_days: int = setting(
        "TOKENTRAIL_IDENTITY_WINDOW_DAYS", "1", "Days over which a repeated id is the same attempt or request."
    )
    lateness_hours: int = setting(
        "TOKENTRAIL_LATENESS_HOURS", "6", "A day is complete this many hours after it ends (UTC)."
    )
    unpriced_error_share: float = setting(
        "TOKENTRAIL_UNPRICED_ERROR_SHARE",
        "0.05",
        "Share of requests without a price above which the check is an error.",
    )
    # A week holds each weekday once; over all time, a price lost today would be hidden by a long history.
    unpriced_window_days: int = setting(
        "TOKENTRAIL_UNPRICED_WINDOW_DAYS", "7", "Days, up to the last with real data, over which that share is taken."
    )
    # Three days let a model that appears on a Friday be priced on Monday; a price takes minutes once somebody looks.
    unpriced_sla_days: int = setting(
        "TOKENTRAIL_UNPRICED_SLA_DAYS", "3", "Days within which a model without a price should get one."
    )
    base_url: str = setting(
        "TOKENTRAIL_BASE_URL",
        "http://localhost:8080",
        "Where readers open drill-down links: the base of every `drill_url`.",
    )
    inbox_writes: bool = setting(
        "TOKENTRAIL_INBOX_WRITES", "on", "off: the inbox shows incidents, and nothing can be written in it."
    )
    inbox_listen: str = setting(
        "TOKENTRAIL_INBOX_LISTEN",
        "",
        "Address and port of the inbox, such as 0.0.0.0:8080, which needs a login. Empty: 127.0.0.1.",
    )
    inbox_login: str = setting(
        "TOKENTRAIL_INBOX_LOGIN", "none", "oidc: people log in with an OpenID provider; proxy: a proxy names them."
    )
    inbox_readers: str = setting(
        "TOKENTRAIL_INBOX_READERS",
        "",
        "Who may read: addresses, @domains, group:<name>, or *. Empty: whomever the proxy lets through.",
    )
    inbox_writers: str = setting(
        "TOKENTRAIL_INBOX_WRITERS", "*", "Who of them may write incident events, in the same words; *: all readers."
    )
    inbox_oidc_issuer: str = setting(
        "TOKENTRAIL_INBOX_OIDC_ISSUER", "", "Address of the OpenID provider, as its discovery document names it."
    )
    inbox_oidc_client_id: str = setting("TOKENTRAIL_INBOX_OIDC_CLIENT_ID", "", "What the provider calls the inbox.")
    inbox_oidc_client_secret: str = setting(
        "TOKENTRAIL_INBOX_OIDC_CLIENT_SECRET",
        "",
        "The secret that the provider gave the inbox, or file:<path>.",
        is_secret=True,
    )
    inbox_oidc_scope: str = setting(
        "TOKENTRAIL_INBOX_OIDC_SCOPE",
        "openid email profile",
        "What the inbox asks the provider for; some name groups only when asked for `groups` too.",
    )
    inbox_session_secret: str = setting(
        "TOKENTRAIL_INBOX_SESSION_SECRET",
        "",
        "Key that signs the cookies of logins, of 32 characters or more, or file:<path>. Another key logs everybody out.",
        is_secret=True,
    )
    inbox_proxies: str = setting(
        "TOKENTRAIL_INBOX_PROXIES",
        "127.0.0.1,::1",
        "Addresses or networks that the proxy asks from; nobody else is answered.",
    )
    inbox_proxy_header: str = setting(
        "TOKENTRAIL_INBOX_PROXY_HEADER", "X-Forwarded-Email", "Header in which the proxy names who asks."
    )
    inbox_proxy_groups_header: str = setting(
        "TOKENTRAIL_INBOX_PROXY_GROUPS_HEADER",
        "",
        "Header in which the proxy names their groups, with commas. Set it only if the proxy removes it from what it is asked.",
    )
    ui_url: str = setting(
        "TOKENTRAIL_UI_URL",
        "",
        "Where people open Dagster's web UI; messages about a run link there. Empty: `make ui`.",
    )
    export_days: int = setting("TOKENTRAIL_EXPORT_DAYS", "35", "Days in the rolling exports.")
    time_zone: str = setting("TOKENTRAIL_TIME_ZONE", "UTC", "IANA zone in which schedules tick.")
    daily_at: str = setting("TOKENTRAIL_DAILY_AT", "06:15", "Local time of the daily run, HH:MM.")
    weekly_at: str = setting(
        "TOKENTRAIL_WEEKLY_AT", "06:00", "Local time of the weekly run on Monday, HH:MM; the week itself is UTC."
    )
    # Off, so that who opens the UI to look around starts nothing.
    schedules: bool = setting(
        "TOKENTRAIL_SCHEDULES", "off", "on: schedules and the sensor for new files run while Dagster's daemon does."
    )
    # A run takes up to 1.6 GB more: the processes themselves, and what DuckDB does not count. Measured: under 5 GB at 20 million events.
    memory_limit: str = setting("TOKENTRAIL_MEMORY_LIMIT", "3GB", "Memory DuckDB may use before it spills to disk.")
    threads: int = setting("TOKENTRAIL_THREADS", "0", "DuckDB threads; 0: one per core.")

    @property
    def memory_bytes(self) -> int:
        """`memory_limit` as a number. Raises ValueError for a text that is not a size."""
        if not (size := MEMORY.fullmatch(self.memory_limit)):
            raise ValueError(f"TOKENTRAIL_MEMORY_LIMIT is {self.memory_limit!r}: give a size such as 3GB or 800MB.")
        number, prefix, is_binary = size.groups()
        return int(float(number) * (1024 if is_binary else 1000) ** ("kmgt".index(prefix.lower()) + 1))

    @property
    def landing(self) -> str:
        """Where landing files arrive: a folder, or an object-store address."""
        return self.landing_address or str(self.data / "landing")

    @property
    def raw(self) -> Path:
        """The raw zone: typed Parquet by source and UTC event date, with manifests."""
        return self.data / "raw"

    @property
    def ledger(self) -> Path:
        """What cannot be recomputed: price book versions, closes, announcements."""
        return self.data / "ledger"

    @property
    def warehouse(self) -> Path:
        """The private database the pipeline writes; readers use `published`."""
        return self.data / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """What readers open: tokentrail.duckdb, exports, weekly pages, docs; a link to the current publication."""
        return self.data / "published"

    @property
    def published_marts(self) -> Path:
        """Every mart in one DuckDB file, for any client: schema `marts`."""
        return self.published / "tokentrail.duckdb"

    @property
    def publications(self) -> Path:
        """The last few publications, whole; nothing in them is ever changed."""
        return self.data / "publications"

    @property
    def state(self) -> Path:
        """Dagster's and dbt's own working state: safe to delete."""
        return self.data / "state"

    @property
    def team_memory(self) -> Path:
        """Names the team's folder of this data root, from the first run with one on."""
        return self.data / "team_folder"

    @property
    def overrides(self) -> Path:
        """The team's prices, over those of the catalogue."""
        return self.team / "prices"


def from_environment(environment: Mapping[str, str] | None = None, *, is_team_new: bool = False) -> Settings:
    """Settings from `TOKENTRAIL_*`. Raises ValueError with a sentence naming the variable that cannot be read.

    The team's folder may be missing where it is the default, or `is_team_new`.
    """
    environment = os.environ if environment is None else environment
    readers: dict[Any, Callable[[str], object]] = {
        Path: _path,
        int: _whole,
        float: _number,
        bool: _switch,
        str: str,
        datetime: _instant,
    }
    values: dict[str, Any] = {}
    for item in fields(Settings):
        name, text = item.metadata["env"], environment.get(item.metadata["env"], "") or item.metadata["default"]
        try:
            values[item.name] = readers[item.type](text)
        except ValueError as error:
            raise ValueError(f"{name} is {text!r}: {error}. {item.metadata['help']}") from None
    return _with_team(_checked(Settings(**values)), environment.get("TOKENTRAIL_TEAM", ""), is_team_new)


def _path(text: str) -> Path:
    return _absolute(text).resolve()


def _absolute(text: str) -> Path:
    """A relative path is taken from the checkout; `~` is the home of whoever runs. Raises ValueError with the rest of a sentence."""
    odd = sorted({character for character in text if character in UNUSABLE or not character.isprintable()})
    if odd:
        named = " ".join(repr(character)[1:-1] for character in odd)
        raise ValueError(f"{named} cannot be part of the path, because DuckDB, dbt, SQLite or make would misread it")
    if any(part != part.strip() for part in Path(text).parts):
        raise ValueError("a name in the path begins or ends with a blank")
    if text == "~" or text.startswith("~/"):
        text = str(Path(text).expanduser())
    return PROJECT / text


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("write on or off")
    return text == "on"


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("it is not a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("it is not a number") from None


def _instant(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("it is not an instant such as 2026-11-20T07:00:00Z") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _checked(settings: Settings) -> Settings:
    _check_data_root(settings.data)
    try:
        ZoneInfo(settings.time_zone)
    except (KeyError, ValueError):
        raise ValueError(
            f"TOKENTRAIL_TIME_ZONE is {settings.time_zone!r}: not an IANA zone such as Europe/Berlin."
        ) from None
    for name, text in (("TOKENTRAIL_DAILY_AT", settings.daily_at), ("TOKENTRAIL_WEEKLY_AT", settings.weekly_at)):
        hour, _, minute = text.partition(":")
        if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
            raise ValueError(f"{name} is {text!r}: give a local time as HH:MM.")
    settings.memory_bytes  # noqa: B018 - refuses what is not a size
    if settings.identity_window_days < 1:
        raise ValueError("TOKENTRAIL_IDENTITY_WINDOW_DAYS is below 1: requests that straddle midnight would be split.")
    if settings.max_expansion < 1 or settings.give_up_rejects < 0:
        raise ValueError(
            "TOKENTRAIL_MAX_EXPANSION is below 1, or TOKENTRAIL_GIVE_UP_REJECTS below 0: files would be given up unread."
        )
    if not 0 < settings.give_up_share <= 1:
        raise ValueError("TOKENTRAIL_GIVE_UP_SHARE is a share of a file's lines: give a number above 0 and up to 1.")
    if settings.unpriced_window_days < 1:
        raise ValueError("TOKENTRAIL_UNPRICED_WINDOW_DAYS is below 1: a share needs at least one day.")
    if settings.unpriced_sla_days < 0:
        raise ValueError("TOKENTRAIL_UNPRICED_SLA_DAYS is below 0: give the days within which a price should be found.")
    return settings


def _with_team(settings: Settings, given: str, may_be_missing: bool) -> Settings:
    """The settings with the folder of the data root's team: a root keeps to one, so that no company is judged by another's budgets.

    A link is followed where files are read: whoever moves it to a newer copy of the folder has not chosen another.
    """
    _check_team(settings.team)
    memory, team = settings.team_memory, Path(os.path.normpath(_absolute(given))) if given else settings.team
    remembered = Path(memory.read_text().strip()) if memory.is_file() else None
    if remembered and given and team != remembered:
        raise ValueError(
            f"TOKENTRAIL_TEAM is '{team}', and the data root {settings.data} belongs to the team folder '{remembered}'. "
            f"Set TOKENTRAIL_DATA to a root of its own, or, to change the folder of this one, delete {memory}."
        )
    if remembered and not remembered.is_dir() and not may_be_missing:
        raise ValueError(
            f"The team folder '{remembered}' of the data root {settings.data} is not there: put it back, "
            f"or delete {memory} and set TOKENTRAIL_TEAM to where it is now."
        )
    if given and not team.is_dir() and not may_be_missing:
        raise ValueError(f"TOKENTRAIL_TEAM is '{team}', which is not a folder: `make init` makes it.")
    return replace(settings, team=remembered or team)


def _check_team(team: Path) -> None:
    if _is_in_the_code(team) and team not in TEAMS:
        raise ValueError(
            f"TOKENTRAIL_TEAM is '{team}', which holds other files: give a folder of its own, such as {TEAMS[0]}."
        )


def _check_data_root(data: Path) -> None:
    if _is_in_the_code(data):
        raise ValueError(
            f"TOKENTRAIL_DATA is '{data}', which holds other files: give a folder of its own, such as {PROJECT / 'data'}."
        )
    if data.exists() and not data.is_dir():
        raise ValueError(f"TOKENTRAIL_DATA is '{data}', which is a file: give a folder.")


def _is_in_the_code(path: Path) -> bool:
    return path in (PROJECT, Path(path.anchor)) or any(
        path.is_relative_to(PROJECT / name) for name in (*CODE, ".git", ".venv")
    )
