"""What an error tells people: a sentence with what to do, whatever raised it. Errors of our own are sentences already.

Nothing but the standard library is imported here: a package that is missing has to be named too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from orchestration.wording import innermost

PROJECT = Path(__file__).resolve().parents[1]
# What a machine or another process does to a command, by words of the error -> what to do.
MACHINE = (
    (
        ("No space left", "disk is full", "quota exceeded", "File too large", "max_temp_directory_size"),
        "Free space below {data}, and run it again.",
    ),
    (("disk I/O error", "Input/output error"), "Look at the disk of {data}: it may be full, or broken."),
    (("Could not set lock", "database is locked"), "Wait for the other process, or end it, and run it again."),
    (("Permission denied", "not permitted", "Read-only file system"), "Let this user read and write {data}."),
    # DuckDB reached its limit, or the machine its own
    (("Out of Memory",), "Raise TOKENTRAIL_MEMORY_LIMIT if there is more memory, or lower TOKENTRAIL_THREADS."),
    (("MemoryError", "Cannot allocate memory"), "Lower TOKENTRAIL_MEMORY_LIMIT or TOKENTRAIL_THREADS."),
)
MISSING_PACKAGE = re.compile(r"No module named '?([\w]+)")
# Of what libraries raise, hardly anything reads like this; of what Tokentrail raises, everything does.
SENTENCE = re.compile(r"(\S+ ){3,}\S.*\.\s*\Z", re.DOTALL)
# Never for people.
OF_CODE = ("SyntaxError", "TypeError", "AttributeError", "NameError", "KeyError", "OSError", "OperationalError")
OURS = ("orchestration", "pricing", "demo")


def sentence_of(error: BaseException, data: Path | None = None) -> str:
    """What to tell people of an exception: its words where they are a sentence, else with the place in our code."""
    return in_words(type(error).__name__, str(error), _place(error.__traceback__), data)


def is_expected(error: BaseException) -> bool:
    """Whether Tokentrail raised it to tell people something: then nobody needs the trace."""
    return type(error).__module__.partition(".")[0] in OURS


def in_words(kind: str, text: str, place: str = "", data: Path | None = None) -> str:
    """The same of an error that is only known by the name of its type, its text and the place in our code. `data` is the data root."""
    text = text.strip()
    package = MISSING_PACKAGE.search(text)
    if kind in ("ModuleNotFoundError", "ImportError") and package:
        return f"The package {package[1]} is missing or broken: delete the folder .venv, and the next `make` installs it again."
    if SENTENCE.match(text) and kind not in OF_CODE:
        return text
    said = innermost(text).rstrip(".")
    said = f"{kind}: {said}" if said else kind
    advice = advice_about_the_machine(f"{kind} {text}", data)
    where = f" ({place})" if place else ""
    return (
        f"{said}. {advice}"
        if advice
        else f"{said}{where}. Tokentrail did not expect this: please report it with its log."
    )


def advice_about_the_machine(text: str, data: Path | None = None) -> str:
    """What to do where an error is about space, memory, a lock or permissions; '' where it is not."""
    advice = next((advice for words, advice in MACHINE if any(word in text for word in words)), "")
    return advice.format(data=data or "the data root")


def _place(trace: TracebackType | None) -> str:
    """The innermost place in our own code."""
    places = [f"{path.relative_to(PROJECT)} line {line}" for path, line in _frames(trace)]
    return places[-1] if places else ""


def _frames(trace: TracebackType | None) -> Iterator[tuple[Path, int]]:
    while trace:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(PROJECT) and ".venv" not in path.parts:
            yield path, trace.tb_lineno
        trace = trace.tb_next
