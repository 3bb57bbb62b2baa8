"""containment_map.csv and endpoint_owners.csv: what to do about a spike of spending, and who owns an endpoint."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from orchestration.team.columns import Blank, Day, MaybeText, Text
from orchestration.team.rows import Found, Name, TeamFile

# What may have made spending rise; macro spike_type decides which it was, containment_map.csv says what to do about it.
SPIKE_TYPES = (
    "volume",
    "token",
    "cache",
    "deploy",
    "abuse",
    "concentration",
    "retry",
    "price_mix",
    "unknown_model",
)


def _spike_type(value: str) -> str:
    if value not in SPIKE_TYPES:
        raise ValueError(f"{value!r} is not a spike type: write one of {', '.join(SPIKE_TYPES)}")
    return value


def _web_address(value: str | None) -> str | None:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError(f"{value!r} is not the address of a page: write it in full, with https://")
    return value


class Containment(BaseModel):
    """One row of containment_map.csv: what to do about a spike type now, and which rule keeps it from coming back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spike_type: Annotated[str, AfterValidator(_spike_type)]
    containment_action: Text
    guardrail: Text
    reason: Text


class EndpointOwner(BaseModel):
    """One row of endpoint_owners.csv: who owns an endpoint, and where its runbook is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint_tag: Text
    owner: Text
    runbook_url: Annotated[Annotated[str | None, AfterValidator(_web_address)], Blank]
    escalation_channel: MaybeText
    runbook_reviewed_on: Day


def _every_spike_type_has_a_row(rows: list[Found[Containment]]) -> Iterable[str]:
    missing = [kind for kind in SPIKE_TYPES if kind not in {each.row.spike_type for each in rows}]
    if missing:
        yield f"containment_map.csv has no row for {', '.join(missing)}: add one, so that everybody knows what to do."


CONTAINMENT_MAP = TeamFile("containment_map", Containment, key=("spike_type",), check=_every_spike_type_has_a_row)
ENDPOINT_OWNERS = TeamFile(
    "endpoint_owners",
    EndpointOwner,
    key=("endpoint_tag",),
    names=lambda row: [Name("endpoint_tag", "endpoint", row.endpoint_tag)],
)
