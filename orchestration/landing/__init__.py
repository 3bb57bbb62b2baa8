"""The landing loader: new files become typed rows in the raw zone, each line loaded once or rejected with a reason.

load.py is the one load at a time; files.py finds and fetches files, lines.py and parquet.py make JSON lines of every
format, sources.py names the conversion of each source: convert.py types and judges usage events in SQL, incidents.py the
events of incidents. mapped.py makes native fields of what a gateway or tracer writes, by the SQL that mapping.py compiles
of mappings/*.yml (expressions.py, mapping_macros.py). privacy.py keeps bodies and plain ids out, rejects.py writes what was
refused, reasons.py says why and what to do, manifests.py says what exists, compaction.py keeps small files few, reloading.py
judges a landed file again, and superseding.py makes that count. trouble.py says what is the machine's, which refuses no line;
database.py opens DuckDB. Loading never opens the warehouse.
"""

from orchestration.landing.compaction import compact
from orchestration.landing.load import Load, load_new_files, new_files
from orchestration.landing.manifests import LoadInProgress, files_with_missing_rows, manifest_files, manifest_rows_sql
from orchestration.landing.reloading import reload
from orchestration.landing.sources import sources_of
from orchestration.landing.trouble import LoadStopped

__all__ = [
    "Load",
    "LoadInProgress",
    "LoadStopped",
    "compact",
    "files_with_missing_rows",
    "load_new_files",
    "manifest_files",
    "manifest_rows_sql",
    "new_files",
    "reload",
    "sources_of",
]
