"""What a page gets and gives back: every module of pages/ has one function from a Visit to a Page, or to a File."""

from collections.abc import Callable
from dataclasses import dataclass, field

from inbox.filters import Filters
from inbox.login import Person
from inbox.marts import Marts
from orchestration.settings import Settings


class NotFoundError(LookupError):
    """What an address names is not there; the message says so, `near` are links to what was meant perhaps."""

    def __init__(self, title: str, sentence: str, near: list[tuple[str, str]] | None = None):
        super().__init__(sentence)
        self.title, self.sentence, self.near = title, sentence, near or []


@dataclass(frozen=True)
class Visit:
    """One request for a page: its filters, the words of the page, the marts to read, and who asks."""

    settings: Settings
    filters: Filters
    words: dict[str, str]
    marts: Marts
    person: Person

    def word(self, name: str, known: tuple[str, ...]) -> str:
        """A word of the page that has to be one of those known; the first of them where it is absent or another."""
        return self.words[name] if self.words.get(name) in known else known[0]


@dataclass(frozen=True)
class Page:
    """A template with what it shows."""

    template: str
    title: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """A text to download, such as a table as CSV."""

    name: str
    media_type: str
    text: str


Show = Callable[[Visit], Page | File]
