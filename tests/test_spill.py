"""A build that needs more memory than it may use spills to disk and goes on: the first load of a company is large."""

from tests.pipeline import Pipeline, event, pipeline_at

EVENTS = 60_000


def test_a_build_that_spills_is_published(tmp_path):
    pipeline = pipeline_at(tmp_path / "data", memory_limit="170MB", threads=1)
    pipeline.land("a.jsonl", [event(f"r-{number}", userId=f"u-{number}") for number in range(EVENTS)])
    spilled = _watched(pipeline)
    pipeline.run("--exclude-resource-type", "test")
    assert pipeline.ask("select count(*) from fct_attempts") == [(EVENTS,)]
    assert spilled()


def _watched(pipeline: Pipeline):
    """Whether anything was written to the spill folder since: DuckDB removes its files, the folder keeps their time."""
    folder = pipeline.settings.state / "spill"
    folder.mkdir(parents=True, exist_ok=True)
    before = folder.stat().st_mtime_ns
    return lambda: folder.stat().st_mtime_ns != before
