"""identity_map.csv and source_precedence.csv: whose calls they are, and which of two sources that see the same calls counts."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from orchestration.team.columns import MaybeText, Number, Text
from orchestration.team.rows import TeamFile


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
    precedence: Annotated[int, Number]
    reason: MaybeText


IDENTITY_MAP = TeamFile("identity_map", MappedIdentity, key=("user_id",))
SOURCE_PRECEDENCE = TeamFile("source_precedence", SourcePrecedence, key=("source",))
