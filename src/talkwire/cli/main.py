"""Gathers the commands. Each is imported only when asked for: a server should not wait for the admin's tools."""

import importlib
import importlib.util

import click

COMMANDS = (
    "serve",
    "doctor",
    "audit",
    "account",
    "user",
    "skill",
    "routing-rule",
    "automatic-message",
    "property",
    "feature",
    "app",
    "webhooks",
    "erasure",
    "receipts",
    "keys",
    "backup",
    "restore",
)
"""One file each in this folder; its click command is called `command`."""


class Commands(click.Group):
    """A group that finds its commands by file name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(_module_of(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(_module_of(cmd_name)).command
        assert isinstance(command, click.Command)
        return command


def _module_of(name: str) -> str:
    return f"talkwire.cli.{name.replace('-', '_')}"


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="talkwire", prog_name="talkwire")
def main() -> None:
    """A self-hosted customer-messaging server with safe file sharing."""
