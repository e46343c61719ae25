"""`talkwire serve`: one node, from its settings to its last commit."""

import asyncio
import os
from typing import Any

import click

from talkwire.cli.configuration import BadSettings, load
from talkwire.cli.failures import BadRequest
from talkwire.cli.ground import take_ground
from talkwire.ops.tuning import forbid_core_files, raise_open_files, tune_interpreter
from talkwire.settings import Settings


@click.command("serve")
@click.option("--demo", is_flag=True, default=None, help="Make a demo brand with people on first start.")
@click.option("--data", "data_folder", metavar="DIR", help="Data folder [data].")
@click.option("--keys", "keys_folder", metavar="DIR", help="Keys folder [beside the data folder].")
@click.option("--host", metavar="HOST", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=int, metavar="PORT", help="Port with TLS; 0: any free [8443].")
@click.option("--http-port", type=int, metavar="PORT", help="Port without TLS [off; 8080 in a demo].")
@click.option(
    "--storage-port",
    type=int,
    metavar="PORT",
    help="Port with TLS for files alone [off; see docs/settings.md].",
)
@click.option("--storage-http-port", type=int, metavar="PORT", help="The same without TLS.")
@click.option("--config", metavar="FILE", help="Settings in TOML; see docs/settings.md.")
def command(config: str | None, **flags: Any) -> None:
    """Run a server until SIGTERM or Ctrl-C."""
    try:
        settings = load(config, flags=flags)
    except BadSettings as error:
        raise BadRequest(str(error)) from error
    serve(settings)


def serve(settings: Settings) -> None:
    """Run a node in this process until it is told to stop. Raises CannotStart."""
    os.umask(0o077)
    tune_interpreter()
    raise_open_files()
    forbid_core_files()
    ground = take_ground(settings)

    # what serves is imported when it is known that it can: a complaint should not take a second
    import uvloop  # noqa: PLC0415

    from talkwire.assembly.node import assemble  # noqa: PLC0415
    from talkwire.cli.running import run  # noqa: PLC0415
    from talkwire.ops.logs import configure_logs  # noqa: PLC0415

    configure_logs(settings.logs.log_level, settings.logs.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(ground, assemble))
