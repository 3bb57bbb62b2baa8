"""Where Dagster keeps the events of runs: its own SQLite files, over connections that stay open.

Dagster opens and closes a connection, and compiles each statement anew, several times for every event; a run has a thousand
events. That was a third of a run's CPU time. What is stored is the same: `orchestration/dagster.yaml` names this class, and
without that entry Dagster reads these files as they are.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

OPEN_FILES = 8  # the index, and the runs that are looked at: each has a file of its own
BUSY_SECONDS = 60  # another process writes for milliseconds


class EventLog(SqliteEventLogStorage):
    """Dagster's SQLite event log under $DAGSTER_HOME, where Dagster would put it."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None):
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._there: set[str] = set()  # tables and columns: what is there stays
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict:
        """It takes no configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: object) -> "EventLog":
        """Made by Dagster when it opens its home."""
        return cls(os.path.join(os.environ["DAGSTER_HOME"], "history", "runs"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        if len(self._engines) == OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,  # one connection; the lock lets one thread at a time have it
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
        self._initdb(engine)
        with engine.connect() as connection:
            # a power cut may cost the last events of a run, which is then found dead; it cannot harm the file
            connection.exec_driver_sql("pragma synchronous = normal")
        self._engines[shard] = engine
        return engine

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table, which Dagster asks for each event that it stores."""
        if table_name not in self._there and super().has_table(table_name):
            self._there.add(table_name)
        return table_name in self._there

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        if column_name not in self._there and super()._has_asset_key_col_on_connection(conn, column_name):
            self._there.add(column_name)
        return column_name in self._there

    def dispose(self) -> None:
        """Closes the files."""
        super().dispose()
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
