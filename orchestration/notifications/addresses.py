"""Addresses, the one secret here: read from the environment when a message goes out, and never written, logged or quoted.

`send` is the only function that talks to apprise. apprise's own log may hold parts of an address, and urllib3's debug log
holds request paths, in which webhooks keep their secret: both are kept off every log while messages are sent.

A receiver is a stranger: what it answers is read to 64 KiB and for two seconds, and where it sends us on to we do not go, since
a message that went elsewhere, or became a GET, arrived nowhere.
"""

import functools
import logging
import os
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from orchestration.notifications.letters import Letter
from orchestration.team.notifications import NotificationChannel

CONNECT_SECONDS = 4.0
READ_SECONDS = 8.0  # e-mail servers may take seconds to answer; what hangs is found out within a run's deadline
ANSWER_BYTES = 65_536  # a receiver's answer is a status and a few words
ANSWER_SECONDS = 2.0  # for the words, once the status is there, which says whether the message was taken
SENDER = "notifications: "  # how the names of sending threads begin


@dataclass(frozen=True)
class Outcome:
    """What became of one try at one channel; `error` is a sentence without the address, None when every address took it."""

    error: str | None = None
    reached: tuple[int, ...] = ()  # positions of the addresses that took it
    may_have_arrived: bool = False  # the receiver was silent: trying again at once could double the message


def why_not_addressable(name: str, channel: NotificationChannel | None) -> str | None:
    """The sentence that says what to set so that a channel can be reached; None when it can be tried."""
    if channel is None:
        return f"No channel is called {name!r}: add it to notification_channels.csv."
    if not os.environ.get(channel.address_variable, "").strip():
        return f"{name} has no address: set {channel.address_variable}."
    return None


def open_addresses(channel: NotificationChannel) -> list:
    """A service of apprise for each address, in order; None for one that cannot be understood."""
    import apprise  # 0.4 s with its services, which only a run with something to send should pay
    from apprise.utils.parse import parse_urls

    from orchestration.notifications import receivers  # noqa: F401 - which knows how Opsgenie closes an alert

    _keep_off_the_logs()
    _read_answers_shortly()
    # with async_mode or a time-out of its own apprise sends from a pool's thread, which keeps the process while a receiver hangs
    asset = apprise.AppriseAsset(
        storage_mode="memory",
        async_mode=False,
        service_timeout=0,
        http_redirects=False,
        app_id="Tokentrail",
        app_desc="Tokentrail",
    )
    addresses = parse_urls(os.environ[channel.address_variable])
    return [apprise.Apprise.instantiate(address, asset=asset) for address in addresses]


def send(services: list, letter: Letter, seconds: float, skip: tuple[int, ...]) -> Outcome:
    """Sends to every address but those in `skip`, which have it; waits no longer than `seconds` for an answer of each."""
    began, reached, errors, silent = time.monotonic(), list(skip), [], False
    for position, service in enumerate(services):
        left = began + seconds - time.monotonic()
        if position in skip:
            continue
        error, is_silent = ("no time was left", False) if left <= 0 else _send(service, letter, left)
        if error is None:
            reached.append(position)
        else:
            silent |= is_silent
            errors.append(error if len(services) == 1 else f"address {position + 1} of {len(services)}: {error}")
    if not services:
        errors.append("its variable holds no address that can be understood")
    return Outcome(f"Not sent: {'; '.join(errors)}." if errors else None, tuple(sorted(reached)), silent)


def _send(service, letter: Letter, seconds: float) -> tuple[str | None, bool]:
    """The error, if any, and whether the receiver was silent so that the message may have arrived."""
    import apprise

    from orchestration.notifications.receivers import equip  # which imports apprise

    if service is None:
        return "the address cannot be understood: docs/operate.md has examples", False
    service.redirects = False  # also where its address asks for them
    _answers.status = None
    service.socket_connect_timeout = min(CONNECT_SECONDS, seconds)
    service.socket_read_timeout = min(READ_SECONDS, seconds)
    kind = "success" if letter.ends else {"info": "info", "warning": "warning", "critical": "failure"}[letter.severity]
    one = apprise.Apprise(asset=service.asset)
    one.add(service)
    began = time.monotonic()
    try:
        title, body = equip(service, letter)
        result = one.notify(title=title, body=body, notify_type=kind, body_format="markdown")
    except Exception as error:  # a service's own mistake is a failed try like any other; its text may quote the address
        return f"the service for its kind of address failed ({type(error).__name__})", False
    if _answers.status and 300 <= _answers.status < 400:
        redirect = f"it answered with HTTP status {_answers.status}, a redirect, which is not followed"
        return f"{redirect}: set the address that it leads to", False
    if result:
        return None, False
    logged = " ".join(entry.message for entry in result.logs())
    if status := re.search(r"error=(\d{3})\b", logged):
        return f"it answered with HTTP status {status[1]}", False
    if time.monotonic() - began >= service.socket_read_timeout * 0.95:
        return f"no answer within {service.socket_read_timeout:.0f} s", True
    return "it could not be reached, or broke the connection", False


_answers = threading.local()  # by sending thread, the status of the last answer


def _read_answers_shortly() -> None:
    """In sending threads an HTTP answer is read here, to its bounds, and no redirect is left in it: whatever a service would do with it.

    apprise has a setting for redirects and none for the size of an answer, and requests reads all of it before it returns.
    """
    from requests.adapters import HTTPAdapter

    unbounded = HTTPAdapter.send
    if hasattr(unbounded, "__wrapped__"):
        return

    @functools.wraps(unbounded)
    def send_and_read(adapter, request, *arguments, **options):
        answer = unbounded(adapter, request, *arguments, **options)
        if _is_of_a_sender():
            _answers.status = answer.status_code
            _read_shortly(answer)
            answer.headers.pop("location", None)
        return answer

    HTTPAdapter.send = send_and_read  # type: ignore[assignment, method-assign]  # the one way to bound what requests reads


def _read_shortly(answer) -> None:
    """Reads an answer's body up to its bounds; what is longer, slower or broken counts as what was read of it."""
    from urllib3.exceptions import HTTPError

    body, ends = b"", time.monotonic() + ANSWER_SECONDS
    with suppress(HTTPError, OSError):
        while len(body) < ANSWER_BYTES and time.monotonic() < ends:
            part = answer.raw.read1(ANSWER_BYTES - len(body), decode_content=True)
            if not part:
                break
            body += part
    answer._content, answer._content_consumed = body, True
    answer.raw.close()


def _keep_off_the_logs() -> None:
    apprise_log = logging.getLogger("apprise")
    apprise_log.propagate = False
    apprise_log.setLevel(logging.WARNING)  # `send` reads its warnings for the HTTP status
    logging.getLogger("urllib3.connectionpool").addFilter(_is_not_of_a_sender)


def _is_not_of_a_sender(record: logging.LogRecord) -> bool:
    return not _is_of_a_sender()


def _is_of_a_sender() -> bool:
    return threading.current_thread().name.startswith(SENDER)
