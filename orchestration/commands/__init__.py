"""What `make` prints: one module per command, each with a `main` that ends with 2 and a sentence where it cannot be done.

What a command does not expect ends it with 1 and a sentence too, a missing package included: the trace goes to a file.
"""

import sys

from orchestration.ending import end_with_a_sentence

# `python -m orchestration.commands.<name>` is about to import it; tests and others keep their hook
if sys.argv[0] == "-m":
    sys.excepthook = end_with_a_sentence
