"""Findings about bills: one message for what is new of a kind and an account, one when nothing of it is left.

What is found are the rows of two profiles (expectations/profiles/invoices.sql and reconciliation.sql), which asset checks judge too;
this ledger keeps what was announced. Its lines have a `kind`:

  found      something about a file, a month or a label, its `subject`
  settled    it is not found any more
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import urlencode

from expectations.run import definition_of
from expectations.wording import failure_sentence
from orchestration.notifications import Event
from orchestration.notifications.differences import announce_differences
from orchestration.plain import for_chat, for_title
from orchestration.quality.suites import profile
from orchestration.settings import Settings
from orchestration.team.notifications import read_channels
from orchestration.warehouse import warehouse
from orchestration.wording import listed, many

SUITES = ("invoices", "reconciliation")
CHANNEL = "finance"  # where the owner's name is not that of a channel
LONGEST_BODY = 2500  # characters: a template and five examples, each of which is bounded
Key = tuple[str, str, str, str]  # finding, vendor, account, subject


class Line(TypedDict):
    """A line of the ledger."""

    kind: Literal["found", "settled"]
    finding: str
    vendor: str
    account: str
    subject: str
    known_at: str


def announce_findings(settings: Settings) -> Counter:
    """Writes to the ledger what is found and what is settled, and puts the messages into the outbox; counts both."""
    found, channels = _found(settings), _owners(settings)
    return announce_differences(
        settings,
        findings_folder(settings),
        lambda lines: _differences(lines, found, settings.as_of),
        lambda recent, lines: _events(recent, lines, found, channels, settings),
    )


def what_was_found(counts: Counter) -> str:
    """What `announce_findings` counted, in words."""
    said = [
        f"{many(counts[kind], 'finding')} {words}"
        for kind, words in (("found", "new"), ("settled", "settled"))
        if counts[kind]
    ]
    return listed(said) or "nothing new about bills"


def findings_folder(settings: Settings) -> Path:
    """Where findings are kept: in the ledger, because what was announced cannot be computed again."""
    return settings.ledger / "invoice_findings"


def _found(settings: Settings) -> dict[Key, dict[str, Any]]:
    """What is found now, by what it is known by."""
    rows = [row for suite in SUITES for row in profile(settings, suite).to_dict("records")]
    return {(row["finding"], row["vendor"], row["account"], row["subject"] or ""): row for row in rows}


def _differences(lines: list[Line], found: Mapping[Key, object], as_of: datetime) -> Iterator[Line]:
    """The lines that bring the ledger up to date."""
    known = {_key(line): line["kind"] for line in lines}
    for key in sorted(found):
        if known.get(key) != "found":
            yield _line("found", key, as_of)
    for key, kind in sorted(known.items()):
        if kind == "found" and key not in found:
            yield _line("settled", key, as_of)


def _line(kind: Literal["found", "settled"], key: Key, as_of: datetime) -> Line:
    finding, vendor, account, subject = key
    return {
        "kind": kind,
        "finding": finding,
        "vendor": vendor,
        "account": account,
        "subject": subject,
        "known_at": as_of.isoformat(),
    }


def _key(line: Line) -> Key:
    return line["finding"], line["vendor"], line["account"], line["subject"]


def _events(
    recent: list[Line],
    lines: list[Line],
    found: Mapping[Key, dict[str, Any]],
    channels: Mapping[tuple[str, str], str],
    settings: Settings,
) -> Iterator[Event]:
    """The messages of recent lines: those that one run wrote about a kind and an account go together."""

    def together(line: Line) -> tuple[str, ...]:
        return line["known_at"], line["kind"], line["finding"], line["vendor"], line["account"]

    last = {_key(line): line["kind"] for line in lines}
    open_topics = {key[:3] for key, kind in last.items() if kind == "found"}
    for (known_at, kind, finding, vendor, account), of_event in groupby(sorted(recent, key=together), together):
        expectation = EXPECTATIONS.get(finding)
        rows = [found[_key(line)] for line in of_event if _key(line) in found]
        is_over = kind == "settled"
        if expectation is None or (not rows and not is_over) or (is_over and (finding, vendor, account) in open_topics):
            continue
        meta, about = expectation["meta"], f"{vendor} {account}"
        months = {row["subject"] for row in rows} if finding in OF_MONTHS else set()
        words = {"vendor": vendor, "account": account} | ({"month": min(months)} if months else {})
        yield Event(
            event_key=f"invoice/{kind}/{finding}/{vendor}/{account}/{known_at}",
            topic=f"invoice/{finding}/{vendor}/{account}",
            kind="invoice",
            severity=expectation["severity"],
            title=for_title(f"{about}: {'settled: ' if is_over else ''}{meta['short']}"),
            body=for_chat(meta["says"] if is_over else failure_sentence(meta, rows, {}), LONGEST_BODY),
            drill_url=f"{settings.base_url.rstrip('/')}/finance?{urlencode(words)}",
            occurred_at=datetime.fromisoformat(known_at),
            channels=(channels.get((vendor, account), CHANNEL),),
            follows=is_over,
            ends=is_over,
        )


def _owners(settings: Settings) -> dict[tuple[str, str], str]:
    """By account: the channel of who owns its tolerance."""
    channels = read_channels(settings.team)
    with warehouse(settings) as connection:
        rows = connection.execute(OWNERS_SQL).fetchall()
    return {(vendor, account): owner for vendor, account, owner in rows if owner in channels}


OWNERS_SQL = "select vendor, account, tolerance_owner from intermediate.int_vendor_accounts"
EXPECTATIONS: dict[str, dict[str, Any]] = {
    expectation["kwargs"]["value_set"][0]: expectation
    for suite in SUITES
    for expectation in definition_of(suite)["expectations"]
}
OF_MONTHS = {expectation["kwargs"]["value_set"][0] for expectation in definition_of("reconciliation")["expectations"]}
