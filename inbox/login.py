"""Who reads and who writes: whoever sits at this machine, people whom an OpenID provider names, or whom a proxy names.

Whoever cannot be named gets a sentence, or is sent to the provider, before any page is made. Secrets and tokens are never logged.
"""

import getpass
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestration.settings import Settings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST, PORT = "127.0.0.1", 8080
LOGINS = ("none", "oidc", "proxy")
OPEN = ("/static/", "/healthz", "/login", "/logged-out")  # what is answered without a login: nothing of the marts
SHORTEST_SECRET = 32  # characters: a shorter key of the session could be guessed from one cookie
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
Sorry = Callable[[int, str, str], Response]


@dataclass(frozen=True)
class Person:
    """Who asks."""

    name: str
    may_write: bool
    is_known: bool  # by a login; otherwise the name is only proposed


def here(settings: Settings) -> Person:
    """Whoever sits at this machine, where there is no login."""
    return Person(getpass.getuser(), settings.inbox_writes, is_known=False)


def named(settings: Settings, address: str, groups: Iterable[str], called: str) -> Person | None:
    """Who has an address and groups, as the settings let them read and write; None for whoever may not read."""
    if settings.inbox_readers and not _is_among(settings.inbox_readers, address, groups):
        return None
    may_write = settings.inbox_writes and _is_among(settings.inbox_writers, address, groups)
    return Person(address or called, may_write, is_known=True)


def _is_among(rules: str, address: str, groups: Iterable[str]) -> bool:
    """Whether a list such as `*`, `kim@example.com, @example.org, group:oncall` names somebody."""
    mine = {address.casefold(), f"@{address.rpartition('@')[2].casefold()}"} if address else set()
    mine |= {f"group:{group.casefold()}" for group in groups}
    return any(rule == "*" or rule.casefold() in mine for rule in _listed(rules))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def secret(variable: str, text: str) -> str:
    """A secret as it was given, or what is in the file that it names as `file:<path>`. Raises ValueError with a sentence."""
    if not text.startswith("file:"):
        return text
    try:
        return Path(text.removeprefix("file:")).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{variable} names a file that cannot be read ({type(error).__name__}): see its path and its rights."
        ) from None


def listening(settings: Settings) -> tuple[str, int]:
    """Address and port to listen at. Raises ValueError with a sentence where that would show the marts to people without a login."""
    host, port = _host_and_port(settings)
    if not ipaddress.ip_address(host).is_loopback and settings.inbox_login == "none":
        raise ValueError(
            f"TOKENTRAIL_INBOX_LISTEN is {settings.inbox_listen!r}, where other machines could read without a login: "
            "set TOKENTRAIL_INBOX_LOGIN to oidc or proxy (docs/inbox.md), or leave the address out."
        )
    return host, port


def _host_and_port(settings: Settings) -> tuple[str, int]:
    """The address of the setting; without one this machine, at the port of the base address where that is this machine."""
    try:
        base = urlsplit(settings.base_url)
        own = base.port
    except ValueError:
        raise ValueError(f"TOKENTRAIL_BASE_URL is {settings.base_url!r}: its port is not a number.") from None
    if not settings.inbox_listen:
        return HOST, own if own and base.hostname in LOOPBACK else PORT
    try:
        given = urlsplit(f"//{settings.inbox_listen}")
        host, port = given.hostname or "", given.port
        host = HOST if host == "localhost" else str(ipaddress.ip_address(host))
    except ValueError:
        port = None
    if port is None:
        raise ValueError(
            f"TOKENTRAIL_INBOX_LISTEN is {settings.inbox_listen!r}: write an address of this machine and a port, "
            "such as 0.0.0.0:8080."
        )
    return host, port


def checked(settings: Settings) -> Settings:
    """The settings, if a login as they describe it is safe. Raises ValueError with a sentence."""
    if settings.inbox_login not in LOGINS:
        raise ValueError(f"TOKENTRAIL_INBOX_LOGIN is {settings.inbox_login!r}: write one of {', '.join(LOGINS)}.")
    for variable, rules in (
        ("TOKENTRAIL_INBOX_READERS", settings.inbox_readers),
        ("TOKENTRAIL_INBOX_WRITERS", settings.inbox_writers),
    ):
        for rule in _listed(rules):
            if rule != "*" and "@" not in rule and not rule.startswith("group:"):
                raise ValueError(
                    f"{variable} holds {rule!r}: write addresses, @domains, group:<name> or *, with commas between."
                )
    if settings.inbox_login == "oidc":
        _check_oidc(settings)
    if settings.inbox_login == "proxy":
        proxies(settings)
        for name in _listed(f"{settings.inbox_proxy_header},{settings.inbox_proxy_groups_header}"):
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header: write one such as X-Forwarded-Email.")
    return settings


def _check_oidc(settings: Settings) -> None:
    lacking = {
        "TOKENTRAIL_INBOX_OIDC_ISSUER": settings.inbox_oidc_issuer,
        "TOKENTRAIL_INBOX_OIDC_CLIENT_ID": settings.inbox_oidc_client_id,
        "TOKENTRAIL_INBOX_OIDC_CLIENT_SECRET": settings.inbox_oidc_client_secret,
        "TOKENTRAIL_INBOX_SESSION_SECRET": settings.inbox_session_secret,
        "TOKENTRAIL_INBOX_READERS": settings.inbox_readers,
    }
    if missing := [variable for variable, text in lacking.items() if not text]:
        raise ValueError(f"TOKENTRAIL_INBOX_LOGIN is oidc, which needs {', '.join(missing)} too (docs/inbox.md).")
    if len(secret("TOKENTRAIL_INBOX_SESSION_SECRET", settings.inbox_session_secret)) < SHORTEST_SECRET:
        raise ValueError(
            f"TOKENTRAIL_INBOX_SESSION_SECRET has fewer than {SHORTEST_SECRET} characters: "
            "take those that `openssl rand -hex 32` prints."
        )
    secret("TOKENTRAIL_INBOX_OIDC_CLIENT_SECRET", settings.inbox_oidc_client_secret)
    for variable, address in (
        ("TOKENTRAIL_INBOX_OIDC_ISSUER", settings.inbox_oidc_issuer),
        ("TOKENTRAIL_BASE_URL", settings.base_url),
    ):
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError(
                f"{variable} is {address!r}: with a login it begins with https://, because cookies and codes would "
                "be readable on the way."
            )


def proxies(settings: Settings) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Where a proxy may ask from. Raises ValueError with a sentence."""
    try:
        networks = [ipaddress.ip_network(part) for part in _listed(settings.inbox_proxies)]
    except ValueError:
        networks = []
    if not networks or any(network.prefixlen == 0 for network in networks):
        raise ValueError(
            f"TOKENTRAIL_INBOX_PROXIES is {settings.inbox_proxies!r}: write the addresses of the proxy, such as "
            "127.0.0.1 or 10.0.3.0/28. Whoever asks from there is believed, so it cannot be all addresses."
        )
    return networks


class Gate:
    """Finds out who asks, before any page is made."""

    def __init__(self, app: ASGIApp, settings: Settings, sorry: Sorry):
        self._app, self._settings, self._sorry = app, settings, sorry
        self._proxies = proxies(settings) if settings.inbox_login == "proxy" else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI app."""
        if scope["type"] == "http":
            found = self._asked_by(scope)
            is_open = scope["path"].startswith(OPEN)
            if isinstance(found, Response) and not is_open:
                await found(scope, receive, send)
                return
            scope.setdefault("state", {})["person"] = found if isinstance(found, Person) else None
        await self._app(scope, receive, send)

    def _asked_by(self, scope: Scope) -> Person | Response:
        if self._settings.inbox_login == "proxy":
            return self._named_by_proxy(scope)
        if self._settings.inbox_login == "oidc":
            return self._logged_in(Request(scope))
        return here(self._settings)

    def _named_by_proxy(self, scope: Scope) -> Person | Response:
        """Whom the header names, if the proxy itself sent it, once."""
        peer, headers = scope.get("client"), Headers(scope=scope)
        addresses = headers.getlist(self._settings.inbox_proxy_header)
        if not peer or not any(_address(peer[0]) in network for network in self._proxies):
            return self._sorry(401, "Not through the proxy", "The inbox only answers through its proxy.")
        if len(addresses) != 1 or not addresses[0].strip():
            sentence = "The proxy did not say who you are: log in there. Its administrator finds how in docs/inbox.md."
            return self._sorry(401, "Who are you?", sentence)
        of_groups = self._settings.inbox_proxy_groups_header
        groups = _listed(",".join(headers.getlist(of_groups))) if of_groups else []
        return named(self._settings, addresses[0].strip(), groups, "") or self.not_a_reader(addresses[0].strip())

    def _logged_in(self, request: Request) -> Person | Response:
        """Who logged in with this browser, judged by the settings of now; or the way to the login."""
        from inbox.oidc import logged_in

        if (said := logged_in(request.session)) is not None:
            person = named(self._settings, said["email"], said["groups"], said["called"])
            return person or self.not_a_reader(said["email"] or said["called"])
        if request.method != "GET":
            return self._sorry(401, "You are logged out", "Nothing was written: load the page and send it again.")
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(address, safe='')}", 303)

    def not_a_reader(self, name: str) -> Response:
        """The page for somebody who is known, and may not read."""
        sentence = f"{name} is not among those whom TOKENTRAIL_INBOX_READERS lets read: ask whoever runs the inbox."
        return self._sorry(403, "Not for you yet", sentence)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address of a peer; that of IPv4 where a socket for both kinds writes it as one of IPv6."""
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def local(address: str) -> str:
    """An address of the inbox to go on to; the inbox itself for any other, which could lead away."""
    is_ours = re.fullmatch(r"/(?![/\\])[^\x00-\x20\\]*", address) is not None
    return address if is_ours and not address.startswith(OPEN) else "/inbox"


def groups_of(claims: Mapping[str, object], settings: Settings) -> list[str]:
    """The groups of a token that a setting names: a cookie holds 4 KB, and some people are in hundreds of groups."""
    groups, rules = claims.get("groups"), _listed(f"{settings.inbox_readers},{settings.inbox_writers}".casefold())
    return [group for group in groups if f"group:{group}".casefold() in rules] if isinstance(groups, list) else []
