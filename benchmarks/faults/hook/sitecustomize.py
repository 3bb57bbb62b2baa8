"""Arms dbt, a process of its own, when the campaign asks for it: Python imports this at its start, wherever PYTHONPATH leads here."""

import os

if plan := os.environ.pop("TOKENTRAIL_FAULT", ""):  # dbt alone, not the helpers it starts
    from benchmarks.faults.inject import arm_for_good

    root, at, action, report = plan.split("|")
    arm_for_good(root, int(at), action, report)
