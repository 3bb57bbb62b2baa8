"""Words that came with data or with a command, as people may see them: nothing hidden, and nothing that a terminal or a chat would execute.

A name is whatever a sender wrote: `[/x]` is markup to rich, an escape code clears a terminal, `<!channel>` wakes a whole company.
"""

import argparse
import os
import textwrap
import unicodedata
from typing import IO, TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

SENTENCE_CHARACTERS = 220  # of one name or sentence in a chat message
CHAT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'", "[": "(", "]": ")"}
TITLE = {
    "<": "‹",
    ">": "›",
    "`": "'",
    "[": "(",
    "]": ")",
}  # e-mail shows a title as it is, so entities would be visible
ZERO_WIDTH = "\N{ZERO WIDTH SPACE}"  # after @ and before // : then neither notifies nor links


class ArgumentError(ValueError):
    """An argument of a command that cannot be used; the message says which and what to write."""


class Arguments(argparse.ArgumentParser):
    """A parser of command lines that repeats what it refuses in plain words."""

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        super()._print_message(visible(message, keep="\n"), file)


def visible(text: object, keep: str = "") -> str:
    """Text whose control, direction and zero-width characters are written out, as in \\x1b; those in `keep` stay."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(each if _is_seen(each) or each in keep else _written_out(each) for each in shown)


def _is_seen(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def for_chat(text: object, most: int = SENTENCE_CHARACTERS) -> str:
    """A name or sentence for a Markdown message: one line of at most `most` characters, no markup, no link, no call to everyone."""
    return _harmless(text, CHAT, most)


def for_title(text: object) -> str:
    """The title of a message, which receivers show without reading Markdown."""
    return _harmless(text, TITLE, SENTENCE_CHARACTERS)


def _harmless(text: object, replaced: dict[str, str], most: int) -> str:
    line = visible(" ".join(str(text).split()))
    line = line if len(line) <= most else line[: most - 1] + "…"
    letters: dict[str, str | int | None] = {**replaced, "@": f"@{ZERO_WIDTH}"}
    return line.translate(str.maketrans(letters)).replace("://", f":{ZERO_WIDTH}//")


def plain_console(width: int | None = None, file: IO[str] | None = None) -> Console:
    """A console that never reads text as markup, or `:bomb:` as a picture."""
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)


def wrapped(line: str, width: int) -> list[str]:
    """The line in pieces no wider than that, broken between words and indented below its beginning; a wider name stays whole."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    pieces = textwrap.wrap(
        visible(line), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return pieces or [""]


def argument(variable: str, example: str) -> str:
    """What `make` was given in a variable, unchanged: make hands it on in the environment, so that no shell reads it.

    Raises ArgumentError where it is empty, or no text (bytes that are not UTF-8).
    """
    return readable(variable, os.environ.get(variable, ""), example)


def readable(name: str, text: str, example: str) -> str:
    """The text of an argument. Raises ArgumentError where it is empty, or bytes that are not UTF-8."""
    if not text.strip():
        raise ArgumentError(f"{name} is empty: write {example}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{name} is {visible(text)}, which is not UTF-8: write {example}.") from None
    return text
