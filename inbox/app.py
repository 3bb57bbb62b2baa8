"""Routes, headers and errors: every answer is a page, a file or a sentence, under a policy that allows nothing from outside."""

import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from anyio.to_thread import current_default_thread_limiter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inbox import published, words
from inbox.filters import BadAddressError, Filters, parsed
from inbox.login import LOOPBACK, Gate, Person, checked
from inbox.marts import AT_ONCE, Marts, Reader, UnreadableError
from inbox.page import File, NotFoundError, Page, Show, Visit
from inbox.pages import (
    alert,
    budgets,
    explore,
    finance,
    health,
    inbox,
    incident,
    pricing,
    request,
    requests,
    search,
    weekly,
)
from orchestration.settings import Settings

HERE = Path(__file__).parent
# Page -> its name in the menu; pages without one are reached from others.
PAGES: dict[str, tuple[str, Show]] = {
    "inbox": ("Inbox", inbox.show),
    "alert": ("", alert.show),
    "explore": ("Explore", explore.show),
    "requests": ("Requests", requests.show),
    "request": ("", request.show),
    "budgets": ("Budgets", budgets.show),
    "budget": ("", budgets.show_one),
    "weekly": ("Weekly", weekly.show),
    "pricing": ("Pricing", pricing.show),
    "finance": ("Finance", finance.show),
    "health": ("Health", health.show),
    "search": ("", search.show),
    "incident": ("", incident.show),
}
LIVE = ("alert", "incident")  # show what has landed since the publication
LONGEST_FORM = 65_536  # bytes
CACHED = "private, no-cache"  # a browser keeps it and asks whether it still holds; nobody between keeps it
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
SAID = (BadAddressError, NotFoundError, UnreadableError)  # errors with a sentence for the reader
log = logging.getLogger(__name__)


def application(settings: Settings, now: Callable[[], Settings] | None = None) -> Starlette:
    """The app over one data root; `now` gives the settings of this moment, which events that are written are dated by."""
    site = Site(checked(settings), now or (lambda: settings))
    gates, routes = [Middleware(Gate, settings=settings, sorry=site.sorry)], []
    if settings.inbox_login == "oidc":
        from inbox.oidc import Login, sessions

        gates, routes = [sessions(settings), *gates], Login(settings, site.sorry).routes
    return Starlette(
        routes=[
            *routes,
            Route("/", _to_inbox),
            Route("/healthz", site.health),
            *(Route(f"/{page}", partial(site.answer, page), name=page) for page in PAGES),
            Route("/incident", site.write, methods=["POST"]),
            *(Route(f"/{kind}/{{name}}", partial(site.published, kind)) for kind in published.KINDS),
            Mount("/static", Static(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard, settings=settings), Middleware(GZipMiddleware, minimum_size=1024), *gates],
        exception_handlers={HTTPException: site.not_routed},
        lifespan=partial(_open, site.reader),
    )


@asynccontextmanager
async def _open(reader: Reader, _app: Starlette) -> AsyncIterator[None]:
    """As many threads as may read at once, and one for what does not read: each keeps memory once it has read."""
    current_default_thread_limiter().total_tokens = AT_ONCE + 1
    try:
        yield
    finally:
        reader.close()  # or DuckDB's threads may abort the process as it ends


def _to_inbox(_request: Request) -> Response:
    return RedirectResponse("/inbox")


class Site:
    """What all answers share: settings, the reader of publications, templates."""

    def __init__(self, settings: Settings, now: Callable[[], Settings]):
        self.now, self.reader = now, Reader(settings)
        self.version = _version()
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.templates.filters |= words.FILTERS
        self.templates.globals |= {
            "version": self.version,
            "menu": {page: title for page, (title, _) in PAGES.items()},
            "logs_out": settings.inbox_login == "oidc",
        }

    def answer(self, page: str, request: Request) -> Response:
        """A page, a file, or a sentence about what hindered it."""
        started, filters, person = time.perf_counter(), Filters(), request.state.person
        try:
            filters, said = parsed(request.url.query)
            with self.reader.reading() as marts:
                tag = _tag(self.version, marts.publication.id, marts.is_stale, str(request.url), person)
                if page not in LIVE and tag in request.headers.get("if-none-match", ""):
                    return Response(status_code=304, headers={"etag": tag})
                shown = PAGES[page][1](Visit(self.now(), filters, said, marts, person))
                response = self._shown(page, shown, filters, marts, person)
            if page not in LIVE:
                response.headers["etag"] = tag
            milliseconds = (time.perf_counter() - started) * 1000
            response.headers["server-timing"] = f"read;dur={marts.milliseconds:.1f}, all;dur={milliseconds:.1f}"
            return response
        except SAID as error:
            return self._said(error, filters)
        except Exception:
            log.exception("The page %s failed", page)
            sentence = "Tokentrail did not expect this address: please report it with the log of the inbox."
            return self.sorry(500, "This page failed", sentence, filters)

    async def write(self, request: Request) -> Response:
        """What a form says, landed as an event; then the page that shows it. Only forms of our own pages are read."""
        if not _is_ours(request):
            sentence = "A form is only read from the inbox's own pages: open the page there and send it again."
            return await run_in_threadpool(self.sorry, 403, "This came from elsewhere", sentence)
        if not request.state.person.may_write:
            sentence = "Nothing was written: TOKENTRAIL_INBOX_WRITES or TOKENTRAIL_INBOX_WRITERS lets you read only."
            return await run_in_threadpool(self.sorry, 403, "You may read", sentence)
        text = b""
        async for part in request.stream():
            text += part
            if len(text) > LONGEST_FORM:
                sentence = "The form is too large: put the log where the runbook is, and a sentence here."
                return await run_in_threadpool(self.sorry, 413, "This is too long", sentence)
        said = dict(parse_qsl(text.decode("utf-8", "replace"), keep_blank_values=True))
        return await run_in_threadpool(self._written, request, said)

    def _written(self, request: Request, said: dict[str, str]) -> Response:
        filters = Filters()
        try:
            filters, page_words = parsed(request.url.query)
            filters = replace(filters, alert=said.get("alert") or filters.alert)
            with self.reader.reading() as marts:
                visit = Visit(
                    self.now(),
                    filters,
                    page_words | {"incident": said.get("incident", "")},
                    marts,
                    request.state.person,
                )
                try:
                    return RedirectResponse(incident.save(visit, said), status_code=303)
                except ValueError as error:  # a sentence
                    shown = incident.page_of(visit, str(error), said)
                    response = self._shown("incident", shown, filters, marts, visit.person)
                    response.status_code = 400
                    return response
        except SAID as error:
            return self._said(error, filters)
        except OSError:
            log.exception("An event could not be written")
            return self.sorry(
                503, "Nothing was written", "The landing folder cannot be written: see its disk.", filters
            )

    def published(self, kind: str, request: Request) -> Response:
        """A page of the publication as it is, such as a weekly report, under a policy of its own."""
        try:
            with self.reader.reading() as marts:
                file = published.page(marts.publication, kind, request.path_params["name"])
            headers = {"content-security-policy": published.policy_of(file.text), "cache-control": CACHED}
            return Response(file.text, media_type=file.media_type, headers=headers)
        except SAID as error:
            return self._said(error, Filters())
        except (OSError, ValueError):
            log.exception("A page of the publication cannot be read")
            return self.sorry(503, "This page cannot be read", "It is damaged or gone: `make run` publishes it again.")

    def _shown(self, page: str, shown: Page | File, filters: Filters, marts: Marts, person: Person) -> Response:
        if isinstance(shown, File):
            headers = {"content-disposition": f'attachment; filename="{shown.name}"', "cache-control": CACHED}
            return Response(shown.text, media_type=shown.media_type, headers=headers)
        values = {"page": page, "title": shown.title, "f": filters, "person": person}
        values |= {"publication": marts.publication, "is_stale": marts.is_stale}
        return self._html(200, shown.template, values | shown.values)

    def _said(self, error: Exception, filters: Filters) -> Response:
        """The page of an error whose sentence is meant for the reader."""
        if isinstance(error, NotFoundError):
            return self.sorry(404, error.title, str(error), filters, error.near)
        if isinstance(error, UnreadableError):
            return self.sorry(503, error.title, error.sentence, filters)
        return self.sorry(400, "This address cannot be read", str(error))

    def sorry(
        self,
        status: int,
        title: str,
        sentence: str,
        filters: Filters | None = None,
        near: list[tuple[str, str]] | None = None,
    ) -> Response:
        """A page that says what is the matter and what to do."""
        values = {"page": "", "title": title, "f": filters or Filters(), "person": None}
        values |= {"publication": None, "is_stale": False}
        return self._html(status, "sorry.html", values | {"sentence": sentence, "near": near or []})

    def _html(self, status: int, template: str, values: dict[str, object]) -> Response:
        text = self.templates.get_template(template).render(values)
        return Response(text, status, media_type="text/html", headers={"cache-control": CACHED})

    def not_routed(self, _request: Request, error: Exception) -> Response:
        """What Starlette itself refuses: an address without a page, or another method."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 405:
            return self.sorry(405, "This address only shows", "Nothing can be written here.")
        return self.sorry(404, "No such page", "Tokentrail has no page at this address.")

    def health(self, _request: Request) -> Response:
        """For machines: 200 with what is read now, 503 where nothing can be."""
        try:
            with self.reader.reading() as marts:
                now = marts.publication
                told = {"publication": now.id, "as_of": words.iso(now.as_of), "is_stale": marts.is_stale}
                return Response(json.dumps(told), 200, media_type="application/json")
        except UnreadableError as error:
            return Response(json.dumps({"error": error.sentence}), 503, media_type="application/json")


def _is_ours(request: Request) -> bool:
    """Whether a form was sent by a page of this host, which browsers say."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    return origin is not None and origin.partition("://")[2] == request.headers.get("host")


def _hostname(host: str) -> str | None:
    """The name in a header; None where it cannot be read, such as `[`."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _tag(*parts: object) -> str:
    """Names what an answer is made of: it has not changed while they have not."""
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"'


def _version() -> str:
    """Changes with the code: a browser then asks for styles and pages again."""
    files = sorted(path for path in HERE.rglob("*") if path.suffix in {".py", ".html", ".css", ".js", ".svg"})
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


class Static(StaticFiles):
    """Styles and scripts, kept by browsers: their addresses change with the code."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        """The file, to be kept for a year."""
        response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


class Guard:
    """Refuses other host names, which another site may have pointed at this machine, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self._app = app
        self._hosts = {*LOOPBACK, urlsplit(settings.base_url).hostname or ""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if _hostname(Headers(scope=scope).get("host", "")) in self._hosts:
            await self._app(scope, receive, with_headers)
            return
        sentence = "The inbox answers at the address of TOKENTRAIL_BASE_URL, and at localhost.\n"
        await Response(sentence, 400, media_type="text/plain")(scope, receive, with_headers)
