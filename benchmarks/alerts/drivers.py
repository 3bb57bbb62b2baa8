"""Which descriptions of an incident's driver count as right.

A description names one to three dimensions and a value of each: the attempts that match are its region. It is right when
an on-call engineer who acts on it stops the incident and little else, measured on the prod/real rows of the incident's
days:

- it *covers* at least 90 % of the incident's extra dollars, and
- it is *pure*: at least 90 % of its region's dollars lie in the incident's scope, and
- it names what must be named for the spike type: the user (abuse), the tenant (concentration, and volume of one tenant), the
  model (price_mix, unknown_model).

The scope is: the endpoint (volume, token, cache, retry), narrowed to a model or tenant where only that is concerned;
every request of the user (abuse) or of the tenant (concentration); the bad prompt version (deploy); the endpoint's
requests on the more expensive model, or every request on the model whose price rose (price_mix); the unknown model. So
an endpoint is right for a deploy only where the bad version took nearly all its traffic on all its days, a model for a
new route only where hardly anybody else uses it, and `endpoint x prompt_version` for a volume incident only where one
version was live.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

# Columns of the fact, by the names that alerts publish for them.
PUBLISHED = {
    "endpoint_tag": "endpoint",
    "prompt_version": "prompt_version",
    "tenant_id": "tenant",
    "user_id": "user",
    "model": "model",
}
DIMENSIONS = tuple(PUBLISHED)
COVERED, PURE, DEPTH = 0.9, 0.9, 3
TELLING = {
    "abuse": {"user_id"},
    "concentration": {"tenant_id"},
    "price_mix": {"model"},
    "unknown_model": {"model"},
}


@dataclass(frozen=True)
class Driver:
    """The dimensions and values of a description, in the published order."""

    values: tuple[tuple[str, str], ...]

    @property
    def published(self) -> tuple[str, str]:
        """As `alerts` names it: dimensions joined by ` x `, values by ` | `."""
        dimensions, values = zip(*self.values, strict=True)
        return " x ".join(PUBLISHED[name] for name in dimensions), " | ".join(values)


def primary_dimensions(kind: str, spike_type: str, of_tenant: bool, of_model: bool) -> tuple[str, ...]:
    """The dimensions that name an incident best. `kind`: of calendar.KINDS."""
    named = {
        "price": ("model",),
        "deploy": ("prompt_version",),
        "abuse": ("user_id",),
        "concentration": ("tenant_id",),
        "price_mix": ("endpoint_tag", "model"),
        "unknown_model": ("model",),
    }
    narrowed = (("tenant_id",) if of_tenant else ()) + (("model",) if of_model else ())
    return named.get(kind) or named.get(spike_type, ("endpoint_tag", *narrowed))


def right_drivers(
    rows: pd.DataFrame, scope: dict[str, str], telling: set[str], primary: tuple[str, ...]
) -> tuple[Driver, list[Driver]]:
    """The best description and its equivalents.

    `rows`: the prod/real attempts of the incident's days, with DIMENSIONS, `usd` and the incident's `extra_usd`.
    `scope`: values by dimension.
    """
    extra, usd = rows["extra_usd"].to_numpy(), rows["usd"].to_numpy()
    in_scope = np.logical_and.reduce([rows[name] == value for name, value in scope.items()])
    typical = {name: rows["extra_usd"].groupby(rows[name], observed=True).sum().idxmax() for name in DIMENSIONS} | scope
    matches = {name: (rows[name] == typical[name]).to_numpy() for name in DIMENSIONS}
    right = []
    for depth in range(1, DEPTH + 1):
        for names in combinations(DIMENSIONS, depth):
            region = np.logical_and.reduce([matches[name] for name in names])
            covers = extra[region].sum() >= COVERED * extra.sum()
            pure = usd[region & in_scope].sum() >= PURE * usd[region].sum() > 0
            if covers and pure and telling <= set(names):
                right.append(names)
    return _driver(primary, typical), [_driver(names, typical) for names in right if names != primary]


def _driver(names: tuple[str, ...], values: dict[str, str]) -> Driver:
    return Driver(tuple((name, str(values[name])) for name in DIMENSIONS if name in names))
