import click
import pytest
from click.testing import CliRunner

from talkwire.cli.main import main


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_every_command_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: main" in result.output


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(main, ["dance"]).exit_code == 2
