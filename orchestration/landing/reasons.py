"""Why a line or a file is refused: every reason code of the loader, with what to do about it. docs/sources.md has them for people.

Who adds a reason adds it here: without advice, the line that has it first stops the load, and tests/test_house.py says so before.
"""

from orchestration.landing.files import FORMATS

AGAIN = "Correct it and land it again in a new file; the line is kept in rejected_events."
# Reason code -> what its sender can do.
ADVICE = {
    "invalid_json": f"Write one JSON object per line. {AGAIN}",
    "not_an_object": f"Write one JSON object per line. {AGAIN}",
    "invalid_utf8": f"Write the file as UTF-8. {AGAIN}",
    "line_too_long": "Leave prompts and completions out, or raise TOKENTRAIL_MAX_LINE_BYTES, and land it again.",
    "wrong_column_count": f"Quote fields that hold commas, quotes or line breaks. {AGAIN}",
    "missing_field": f"Send it with every event. {AGAIN}",
    "id_too_long": f"Send at most 256 characters. {AGAIN}",
    "bad_timestamp": f"Send RFC 3339, such as 2026-11-22T09:30:00Z. {AGAIN}",
    "date_out_of_range": f"Dates from 2015 to 2100 are taken; look for milliseconds read as seconds. {AGAIN}",
    "bad_status": f"Send success or error. {AGAIN}",
    "bad_value": f"Send a value that docs/sources.md allows. {AGAIN}",
    "missing_amount": "Look at the export: a line of an invoice has an amount, and one without is not 0. Land it again complete.",
    "not_recognised": "docs/finance.md has the exports that are read; map any other statement in mappings/ of the team folder.",
    "bad_event_type": f"Write one of the types of incident events, such as opened or closed. {AGAIN}",
    "negative_tokens": f"Send counts of 0 or more. {AGAIN}",
    "not_an_integer": f"Send whole numbers. {AGAIN}",
    "parts_exceed_total": f"Totals include their parts: send tokenConvention exclusive if yours do not. {AGAIN}",
    "unreadable_file": "Write it again from its source under a new name; the rows before the break are loaded.",
    "file_given_up": "Look at what writes it. If it is right all the same, raise TOKENTRAIL_MAX_EXPANSION, or "
    "TOKENTRAIL_GIVE_UP_REJECTS, and judge it again: make reload FILE=<it>.",
    "truncated_gzip": "Land the whole file again under a new name; the lines before the break are loaded.",
    "empty_file": "Look at the sender: an upload may have been cut off. Nothing else is needed.",
    "bad_file_name": f"Land it as <source>/dt=YYYY-MM-DD/<name> ending in {', '.join(FORMATS)} (also .gz, .zst) or .parquet.",
    "outside_landing": "Copy the file itself into the landing folder; links are not followed.",
}
# Reason code of a file that is refused unread -> what is the matter with it.
FILE_PROBLEMS = {
    "outside_landing": "it is a symbolic link",
    "bad_file_name": "its folder or its ending is none that is read",
    "empty_file": "it has no bytes",
    "unreadable_file": "it is no regular file",
}
