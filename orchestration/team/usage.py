"""What is decided about rows as they are read: names of environments, whose calls they are, and which of two sources counts."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orchestration.team.columns import MaybeText, Text, Whole
from orchestration.team.rows import Found, Name, TeamFile


class EnvironmentName(BaseModel):
    """One row of environment_map.csv: the environment that rows are kept under, for one that is sent, in whatever case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sent_as: Annotated[str, Field(min_length=1), AfterValidator(str.lower)]
    environment: Annotated[str, Field(pattern=r"^[^\s*,;|]+$"), AfterValidator(str.lower)]
    reason: MaybeText


class MappedIdentity(BaseModel):
    """One row of identity_map.csv: the tenant of a user id that arrives without one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: Text
    tenant_id: Text
    reason: MaybeText


class SourcePrecedence(BaseModel):
    """One row of source_precedence.csv: of sources with one identity scope, the delivery of the highest precedence is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Text
    identity_scope: Text
    precedence: Whole
    reason: MaybeText


def kept_names(rows: Iterable[EnvironmentName]) -> dict[str, str]:
    """By name: the environment that it ends at, by way of others where these have rows; not those that lead round in a circle."""
    maps = {row.sent_as: row.environment for row in rows}
    paths = {name: _path(maps, name) for name in maps}
    return {name: path[-1] for name, path in paths.items() if maps.get(path[-1], path[-1]) == path[-1]}


def _path(maps: dict[str, str], name: str) -> list[str]:
    """Where a name leads, step by step, until nothing new comes."""
    path = [name]
    while (following := maps.get(path[-1], path[-1])) not in path:
        path.append(following)
    return path


def _no_circles(rows: list[Found[EnvironmentName]]) -> Iterable[str]:
    maps = {each.row.sent_as: each.row.environment for each in rows}
    for each in rows:
        name, other = each.row.sent_as, each.row.environment
        if name != other and maps.get(_path(maps, name)[-1]) == name and not each.is_shipped:
            yield f"{each.place}: {name} is kept as {other}, which leads back to {name}: add a row `{other},{other}`."


ENVIRONMENT_MAP = TeamFile(
    "environment_map",
    EnvironmentName,
    key=("sent_as",),
    check=_no_circles,
    as_kept=lambda row, kept: row.model_copy(update={"environment": kept(row.environment)}),
)
IDENTITY_MAP = TeamFile(
    "identity_map", MappedIdentity, key=("user_id",), names=lambda row: [Name("user_id", "user", row.user_id)]
)
SOURCE_PRECEDENCE = TeamFile(
    "source_precedence", SourcePrecedence, key=("source",), names=lambda row: [Name("source", "source", row.source)]
)
