"""What a team says about invoices: which calls an account bills, exchange rates, what is in scope, what labels mean."""

import re
from collections.abc import Iterable
from decimal import Decimal
from fnmatch import fnmatch
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orchestration.team.columns import ANY, Blank, MaybeText, Number, Share, Text, TimeZone, Whole, Word, YesOrNo
from orchestration.team.rows import Found, TeamFile

LineType = Literal["usage", "fee", "credit", "discount", "tax", "adjustment", "rounding"]
LINE_TYPES = get_args(LineType)


def _month(value: str) -> str:
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", value, re.ASCII):
        raise ValueError(f"{value!r} is not a month: write it as 2026-10")
    return value


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{3}", value, re.ASCII):
        raise ValueError(f"{value!r} is not a currency: write its three letters, such as EUR")
    return value.upper()


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression ({error})") from None
    return value


def default(value: str) -> BeforeValidator:
    """A blank cell is this value."""
    return BeforeValidator(lambda given: value if given in ("", None) else given)


Usd = Annotated[Annotated[float, Field(ge=0), Number], default("0")]


class VendorAccount(BaseModel):
    """One row of vendor_accounts.csv: which of our calls an account of a vendor bills, by which clock, and what may differ."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: Text
    account: Word
    providers: Text
    regions: Annotated[str, default(ANY)]
    billing_account_ids: Annotated[str, default(ANY)]
    sub_account_ids: Annotated[str, default(ANY)]
    vendor_clock: Annotated[Literal["start", "end"], default("start")]
    clock_delay_minutes: Annotated[Whole, default("0")]
    zone: Annotated[TimeZone, default("UTC")]
    day_tolerance_share: Annotated[Share, default("0.05")]
    day_tolerance_usd: Annotated[Usd, default("5")]
    month_tolerance_share: Annotated[Share, default("0.01")]
    month_tolerance_usd: Annotated[Usd, default("25")]
    tolerance_owner: MaybeText
    invoice_delay_days: Annotated[Whole, default("5")]
    export_delay_days: Annotated[Whole, default("2")]
    reason: MaybeText


class FxRate(BaseModel):
    """One row of fx_rates.csv: USD for one unit of a currency, for what is billed in a month."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: Annotated[str, AfterValidator(_currency)]
    month: Annotated[str, AfterValidator(_month)]
    usd_per_unit: Annotated[Annotated[Decimal, Field(gt=0, lt=1_000_000, max_digits=18, decimal_places=12)], Number]
    source: Text


class ServiceScope(BaseModel):
    """One row of invoice_service_scope.csv: whether a service of a vendor is of AI. The first row that fits decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: Word
    service: Text
    is_in_scope: Annotated[bool, YesOrNo]
    reason: MaybeText

    def fits(self, vendor: str, service: str) -> bool:
        """Whether it is about a service, in whatever case; `*` and `?` stand for any letters and for one."""
        return self.vendor in (ANY, vendor) and fnmatch(service.lower(), self.service.lower())


class LabelMap(BaseModel):
    """One row of invoice_label_maps.csv: what the label of a line means. A whole label fits; `\\1` is its first group."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: Word
    pattern: Annotated[Text, AfterValidator(_pattern)]
    priority: Annotated[Whole, default("100")]
    model: MaybeText
    leaf: MaybeText
    processing: MaybeText
    service_tier: MaybeText
    route: MaybeText
    line_type: Annotated[LineType | None, Blank]
    unit_scale: Annotated[Annotated[Decimal, Field(ge=1, max_digits=12, decimal_places=0), Number] | None, Blank]
    our_model: MaybeText
    reason: MaybeText

    @model_validator(mode="after")
    def _has_groups(self) -> Self:
        groups = re.compile(self.pattern).groups
        for column in ("model", "leaf", "processing", "service_tier", "route"):
            for number in re.findall(r"\\(\d)", getattr(self, column) or ""):
                if int(number) > groups:
                    raise ValueError(f"{column} is \\{number}, and the pattern has {groups} groups in parentheses")
        return self


class VendorBillingRule(BaseModel):
    """One row of vendor_billing_rules.csv: whether a vendor bills calls that failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: Word
    failed_calls: Annotated[Literal["billed", "not_billed", "unknown"], default("unknown")]
    reason: MaybeText


def _overlapping_accounts(rows: list[Found[VendorAccount]]) -> Iterable[str]:
    """Two accounts of a vendor must not both bill the same calls."""
    seen: dict[tuple[str, ...], Found[VendorAccount]] = {}
    for each in rows:
        row = each.row
        if each.is_shipped or row.account == ANY:
            continue
        for provider in row.providers.split("|"):
            key = (provider, row.regions, row.billing_account_ids, row.sub_account_ids)
            first = seen.setdefault(key, each)
            if first is not each and first.row.vendor == row.vendor:
                yield (
                    f"{each.place}: {row.vendor} {row.account} bills the same calls of {provider} as "
                    f"{first.row.account}: tell them apart by regions, billing_account_ids or sub_account_ids."
                )


VENDOR_ACCOUNTS = TeamFile("vendor_accounts", VendorAccount, key=("vendor", "account"), check=_overlapping_accounts)
FX_RATES = TeamFile("fx_rates", FxRate, key=("currency", "month"))
INVOICE_SERVICE_SCOPE = TeamFile("invoice_service_scope", ServiceScope, key=("vendor", "service"))
INVOICE_LABEL_MAPS = TeamFile("invoice_label_maps", LabelMap, key=("vendor", "pattern"))
VENDOR_BILLING_RULES = TeamFile("vendor_billing_rules", VendorBillingRule, key=("vendor",))


def is_in_scope(scope: Iterable[ServiceScope], vendor: str, services: list[str]) -> bool:
    """Whether a line is of AI, by the names that it has for its service. Without a name it is; with names that no row knows it is not."""
    if not services:
        return True
    rows = sorted(scope, key=lambda row: row.vendor == ANY)  # a vendor's own first
    fitting = (row for row in rows if any(row.fits(vendor, service) for service in services))
    first = next(fitting, None)
    return first is not None and first.is_in_scope
