"""The landing loader: new files become typed rows in the raw zone, each line loaded once or rejected with a reason.

load.py is the one load at a time; files.py finds and fetches files, lines.py and parquet.py make JSON lines of every
format, conversions.py names what becomes of the lines of a source: convert.py types and judges usage events in SQL,
incidents.py and invoices.py those of their sources. mapped.py makes native fields of what a gateway or tracer writes, by
the SQL that mapping.py compiles of mappings/*.yml (expressions.py, mapping_macros.py). privacy.py keeps bodies and plain
ids out, rejects.py writes what was refused, reasons.py says why and what to do, raw_zone.py writes what exists,
compaction.py keeps small files few, reloading.py judges a landed file again, and superseding.py makes that count.
trouble.py says what is the machine's, which refuses no line; database.py opens DuckDB. Loading never opens the warehouse.

Who asks what is loaded or waits to be takes manifests.py, waiting.py, sources.py and incident_events.py, none of which
imports Arrow: that is 60 MB in a process that serves pages.
"""
