"""What waits to be loaded: landing files of a source that no manifest knows. Nothing is read of them here."""

from dataclasses import replace

from orchestration.landing.files import LandingFile, find_files
from orchestration.landing.manifests import first_arrivals, known_files, utc_now
from orchestration.landing.sources import source_of
from orchestration.settings import Settings


def new_files(settings: Settings, source: str = "events") -> list[LandingFile]:
    """Landing files that no manifest knows by path, size and time, in order of path. Reads only; takes no lock."""
    return new_and_unread(settings, source)[0]


def new_and_unread(settings: Settings, source: str) -> tuple[list[LandingFile], list[str]]:
    """`new_files`, and a sentence on each folder that could not be looked into."""
    found, unread = find_source_files(settings, source)
    if not found:
        return [], unread
    known = known_files(settings, source, source_of(settings, source).mapping_hash)
    return [file for file in found if (file.path, file.size_bytes, file.modified_at) not in known], unread


def find_source_files(settings: Settings, source: str) -> tuple[list[LandingFile], list[str]]:
    """`find_files` as the mapping of a source has it: names without an ending, and paths without a day."""
    described = source_of(settings, source)
    today = utc_now().date() if described.mapping else None
    found, unread = find_files(settings.landing, source, described.takes_any_name, today)
    if described.problem_of_path:
        found = [_with_problem(file, described.problem_of_path(file.path)) for file in found]
    if today and any(file.arrival_date == today for file in found):
        first = first_arrivals(settings, source)
        found = [replace(file, first_seen=first.get(file.path) or today) for file in found]
    return found, unread


def _with_problem(file: LandingFile, problem: str | None) -> LandingFile:
    if file.problem or not problem:
        return file
    return replace(file, problem="bad_file_name", detail=problem)
