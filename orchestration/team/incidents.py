"""containment_map.csv and endpoint_owners.csv: what to do about a spike of spending, and who owns an endpoint."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from orchestration.team.columns import SEEDS, Blank, Day, MaybeText, Text, rows_by

# What may have made spending rise; macro spike_type decides which it was, containment_map.csv says what to do about it.
SPIKE_TYPES = ("volume", "token", "deploy", "abuse", "concentration", "retry", "price_mix", "unknown_model")


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


def read_containment_map(path: Path = SEEDS / "containment_map.csv") -> dict[str, Containment]:
    """What to do about each spike type. Raises SeedError with a sentence for each mistake, by line."""
    rows = rows_by(path, Containment, "spike_type", SPIKE_TYPES)
    return {row.spike_type: row for row in rows}


def read_endpoint_owners(path: Path = SEEDS / "endpoint_owners.csv") -> list[EndpointOwner]:
    """Who owns which endpoint. Raises SeedError with a sentence for each mistake, by line."""
    return rows_by(path, EndpointOwner, "endpoint_tag")
