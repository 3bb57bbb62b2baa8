"""dbt that has started by the time it is needed: while Dagster loads, on another core.

Of a run with little news, a third of dbt's time is its start and another third is what it does anew for each node although it
comes out the same. start.py starts a process that imports dbt and reads the project as it was parsed. server.py is that
process, which then is dbt for one command line; client.py is the command that hands it over. What runs is dbt's own command
line by its programmatic interface (`dbtRunner`), with the shortcuts of shortcuts.py, which hold for one release of dbt: with
any other, dbt runs without them. Where nothing has started, the client is dbt as it is.
"""
