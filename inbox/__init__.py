"""The inbox: pages from an alert to what caused it, over the published marts (docs/inbox.md).

filters.py is the grammar of addresses and makes every link; marts.py reads the published file; pages/ has one module for each page,
with its queries; charts.py draws; app.py answers. Nothing here writes, but incident events through orchestration.incidents.
"""
