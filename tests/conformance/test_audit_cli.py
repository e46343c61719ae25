"""`talkwire audit` on PostgreSQL, data and keys each in a database of their own."""

import json

import pytest
from click.testing import CliRunner, Result

from database import PostgresServer, new_postgres_database
from talkwire.cli.main import main


@pytest.fixture
async def addresses(postgres: PostgresServer) -> dict[str, str]:
    return {
        "TALKWIRE_DATABASE_URL": await new_postgres_database(postgres),
        "TALKWIRE_KEYS_URL": await new_postgres_database(postgres),
        "TALKWIRE_MASTER_KEY": "0f" * 32,
    }


def test_the_trail_is_written_read_and_verified_there(
    addresses: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = str(tmp_path_factory.mktemp("data"))

    def say(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--data", data], env=addresses)

    assert say("account", "create", "12345678").exit_code == 0
    assert say("feature", "grant", "Some.Feature").exit_code == 0
    result = say("audit", "verify", "--json")
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    assert (report["whole"], report["records"], report["codeChecked"], report["anchoredUpTo"]) == (
        True,
        2,
        True,
        2,
    )
    assert say("audit", "export", "12345678").stdout.count("\n") == 2
