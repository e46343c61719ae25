from pathlib import Path

import pytest

from talkwire.backends.database.migrations import list_migrations
from talkwire.backends.database.port import DatabaseInUse
from talkwire.backends.database.postgres import WORDS as POSTGRES_WORDS
from talkwire.backends.database.sqlite import WORDS as SQLITE_WORDS
from talkwire.backends.database.sqlite_connection import lock_file, rewrite


@pytest.mark.parametrize("words", [SQLITE_WORDS, POSTGRES_WORDS])
def test_no_word_is_left_for_the_database_to_stumble_over(words: dict[str, str]) -> None:
    for migration in list_migrations(words):
        for statement in migration.statements:
            assert not {"{", "}", "--", ";"} & {mark for mark in ("{", "}", "--", ";") if mark in statement}


def test_migrations_are_in_the_order_of_their_numbers_and_no_number_is_taken_twice() -> None:
    numbers = [migration.number for migration in list_migrations(SQLITE_WORDS)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_arguments_keep_their_number_and_json_paths_are_left_alone() -> None:
    assert rewrite("SELECT $2, $1, $12 WHERE x ->> '$.name'") == "SELECT ?2, ?1, ?12 WHERE x ->> '$.name'"


def test_a_lock_names_who_holds_it(tmp_path: Path) -> None:
    held = lock_file(tmp_path / "t.db")
    with pytest.raises(DatabaseInUse, match=r"pid \d+"):
        lock_file(tmp_path / "t.db")
    held.close()
    lock_file(tmp_path / "t.db").close()
