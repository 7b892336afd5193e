"""The database: versions of tables, transactions, several processes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from cooper.errors import Damaged
from cooper.settings import Settings
from cooper.state.database import connect

STEPS = (
    "CREATE TABLE counter (value INTEGER);\nINSERT INTO counter VALUES (0)",
    "ALTER TABLE counter ADD note TEXT",
)


def count(root: str, times: int) -> None:
    """Adds one to the counter, as often as said, by reading and writing."""
    database = connect(Settings(root))
    database.ensure("counting", STEPS)
    for _ in range(times):
        with database.transaction():
            row = database.first("SELECT value FROM counter")
            assert row is not None
            database.execute("UPDATE counter SET value = ?", (row[0] + 1,))


def test_many_writers(tmp_path: Path) -> None:
    """Eight processes make the database at once and count together without losing one."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=count, args=(str(tmp_path / "root"), 25)) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    database = connect(Settings(str(tmp_path / "root")))
    assert database.query("SELECT value FROM counter") == [(200,)]
    database.close()


def test_tables_are_brought_to_the_newest_version(tmp_path: Path) -> None:
    """Only the steps that are missing run; tables of a later version are refused."""
    database = connect(Settings(str(tmp_path)))
    database.ensure("counting", STEPS[:1])
    database.execute("UPDATE counter SET value = 7")
    database.ensure("counting", STEPS)
    assert database.query("SELECT value, note FROM counter") == [(7, None)]
    with pytest.raises(Damaged, match="newer than 1"):
        database.ensure("counting", STEPS[:1])
    database.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    """What was written before the exception is gone."""
    database = connect(Settings(str(tmp_path)))
    database.ensure("counting", STEPS)
    with pytest.raises(RuntimeError), database.transaction():
        database.execute("UPDATE counter SET value = 1")
        raise RuntimeError
    assert database.query("SELECT value FROM counter") == [(0,)]
    database.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """Is reported as such, with its path, and left as it is."""
    file = tmp_path / "state.db"
    file.write_bytes(b"not a database, for sure; not even nearly one" * 40)
    with pytest.raises(Damaged, match=str(file)):
        connect(Settings(str(tmp_path)))
    assert file.read_bytes().startswith(b"not a database")


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """The file's mode is 0600: environments may hold secrets."""
    connect(Settings(str(tmp_path))).close()
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600
