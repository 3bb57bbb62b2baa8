"""Text as its sender meant it: nothing invisible at its ends, no half characters, numbers however they are written."""

import re

# White space, control and format characters, and letters that show nothing: what clings to an id that was pasted from
# a sheet or a page. Inside of a text they stay. Signs that are format characters but show (Arabic number signs, the
# tags of a flag) are not blanks.
_BLANK_RANGES = (
    (0x00, 0x20),
    (0x7F, 0xA0),
    (0xAD, 0xAD),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x1680, 0x1680),
    (0x180E, 0x180E),
    (0x2000, 0x200F),
    (0x2028, 0x202F),
    (0x205F, 0x206F),
    (0x2800, 0x2800),
    (0x3000, 0x3000),
    (0x3164, 0x3164),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF9, 0xFFFB),
)
BLANKS = "".join(chr(code) for first, last in _BLANK_RANGES for code in range(first, last + 1))
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
INSTANT = r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)?"

_half_pair = re.compile("[\ud800-\udfff]")
_is_number = re.compile(NUMBER, re.ASCII).fullmatch


def tidy(text: str) -> str:
    """The text without blanks at its ends, as the SQL macro of this name has it (where '' is NULL)."""
    return text.strip(BLANKS)


def sound(value, keep_apart: tuple[str, ...] = ()):
    """A JSON value without halves of surrogate pairs, which are not text: U+FFFD replaces each.

    Fields of an object that `keep_apart` names keep the escape as it was written, so that two ids stay two ids.
    """
    if isinstance(value, str):
        return _half_pair.sub("\ufffd", value)
    if isinstance(value, list):
        return [sound(item) for item in value]
    if isinstance(value, dict):
        return {
            sound(key): _half_pair.sub(_escape, item) if key in keep_apart and isinstance(item, str) else sound(item)
            for key, item in value.items()
        }
    return value


def _escape(half: re.Match) -> str:
    return f"\\u{ord(half[0]):04x}"


def number_in(value) -> int | float | None:
    """The number that a JSON value says, in text too; None for an absent one ('' or NaN). Raises ValueError."""
    if isinstance(value, str):
        text = tidy(value)
        if text == "" or text.lower() == "nan":
            return None
        if not _is_number(text):
            raise ValueError(f"{text[:40]} is no number")
        value = float(text)
    if value is None or value != value:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:40]} is no number")
    return int(value) if isinstance(value, float) and value.is_integer() else value
