"""Situations that users of other tools reported, and neighbours of theirs, each with its right answer: one run holds them all."""

from pathlib import Path

import pytest

from tests.bugs import BUGS, CASES, differences, read_cases, run

NAMED = read_cases(CASES) | read_cases(BUGS)  # only developers and CI have the latter


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A root in which every case landed, built with every test and published."""
    root = tmp_path_factory.mktemp("bugs") / "data"
    run(root, NAMED)
    return root


@pytest.mark.parametrize("name", NAMED)
def test_the_marts_say_what_the_case_expects(world, name):
    assert differences(world, NAMED[name]) == []


def test_the_reported_cases_are_here():
    if not BUGS.exists():
        pytest.skip(f"{BUGS} is there only for developers and CI.")
    assert len(read_cases(BUGS)) >= 30
