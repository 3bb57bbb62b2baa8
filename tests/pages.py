"""The inbox as a browser without a script sees it: in this process, over a data root."""

import html
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from starlette.testclient import TestClient

from inbox.app import application
from orchestration.settings import Settings

HERE = "http://localhost:8080"
LINK = re.compile(r'<(?:a|link|script|img|form|image|iframe)\b[^>]*?(?:href|src|action)="([^"]*)"')
ROW = re.compile(r"<tr.*?</tr>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")


@contextmanager
def opened(settings: Settings) -> Iterator[TestClient]:
    with TestClient(application(settings), base_url=HERE) as client:
        yield client


def links(text: str) -> list[str]:
    """Every address that a page names."""
    return [html.unescape(link) for link in LINK.findall(text)]


def inside(link: str) -> str:
    """An address of a message as the client asks for it."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def button_of(text: str) -> str:
    """Where the primary button of a page leads."""
    return html.unescape(re.search(r'class="button primary" href="([^"]*)"', text)[1])


def query(link: str) -> dict[str, str]:
    return {word: values[-1] for word, values in parse_qs(urlsplit(link).query).items()}


def text_of(part: str) -> str:
    """What people read of a part of a page, spaces folded."""
    return " ".join(html.unescape(TAG.sub(" ", part)).split())


def crawled(client: TestClient, starts: Iterable[str], most: int, of_a_kind: int = 3) -> Iterator[tuple[str, str]]:
    """Address and text of pages, breadth first; of links with the same page and words only a few, since their pages are alike."""
    waiting, seen, kinds = deque(starts), set(), Counter()
    while waiting and len(seen) < most:
        address = waiting.popleft().partition("#")[0]
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        if "text/html" not in answer.headers["content-type"]:
            continue
        yield address, answer.text
        for link in links(answer.text):
            if not link.startswith("/"):
                continue
            kind = (urlsplit(link).path, *sorted(query(link)))
            kinds[kind] += 1
            if kinds[kind] <= of_a_kind:
                waiting.append(link)
