"""How a command ends that something unexpected stopped: with one sentence, and the trace in a file that it names."""

import os
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from orchestration.sentences import is_expected, sentence_of

KEPT_LOGS = 30  # of runs and of errors


def end_with_a_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of the interpreter's trace on standard error. Nobody reads on where a pipe is closed (`make report | head`)."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if isinstance(error, KeyboardInterrupt):
        sys.stderr.write("Stopped.\n")
        return
    state = _state()
    kept = None if is_expected(error) else _keep(state, "".join(traceback.format_exception(kind, error, trace)))
    sys.stderr.write(
        f"{_visible(sentence_of(error, state.parent if state else None))}{f' Log: {kept}' if kept else ''}\n"
    )


def log_file(state: Path, name: str) -> Path:
    """A new file for a log under state/logs, by time; of earlier ones the last few stay. Raises OSError."""
    folder = state / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.log"))[:-KEPT_LOGS]:
        old.unlink(missing_ok=True)
    return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}.log"


def _keep(state: Path | None, trace: str) -> Path | None:
    """The file that has the trace: under the data root, or where a root cannot be used or does not exist, a temporary one."""
    for folder in (state, Path(tempfile.gettempdir()) / "tokentrail"):
        try:
            if folder:
                path = log_file(folder, sys.orig_argv[2].rpartition(".")[2])
                path.write_text(trace)
                return path
        except OSError:
            continue
    return None


def _state() -> Path | None:
    """The state folder of the data root, where there is one already."""
    try:
        from orchestration.settings import from_environment

        settings = from_environment()
    except (ImportError, ValueError, OSError):
        return None
    return settings.state if settings.state.exists() else None


def _visible(text: str) -> str:
    """As plain.visible, which needs a package that may be missing."""
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)
