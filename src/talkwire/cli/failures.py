"""How a command ends when it cannot do its work: one line on standard error and an exit code.

1: the machine is not ready (port taken, folder not writable, newer data). 2: what was asked makes no sense.
"""

import errno
import os

import click


class CannotStart(click.ClickException):
    """The server cannot run here, now; the line says what to change."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        click.echo(f"talkwire: {self.message}", err=True)


class BadRequest(CannotStart):
    """Flags, environment or file ask for something impossible."""

    exit_code = 2


def reason_of(error: OSError) -> str:
    """What the system says, without Python's dressing."""
    if error.errno == errno.EADDRINUSE:
        return "the port is taken"
    return os.strerror(error.errno).lower() if error.errno else str(error)
