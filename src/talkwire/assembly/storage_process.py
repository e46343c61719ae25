"""The storage process begins: `python -m talkwire.assembly.storage_process LINK PARENT`.

Run by `storage/process.py`, never imported by the server. What it does is in `storage_serving.py`, which takes half a
second to import: until then it holds the listeners already, and must not outlive a server that is killed.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys

from talkwire.sanitation.confinement import die_with


def main(link: int, parent: int) -> None:
    """Serve until the server says enough, or is gone."""
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # systemd sends them to every process of a service: only the server knows when we are done
        signal.signal(number, signal.SIG_IGN)
    if sys.platform.startswith("linux"):
        die_with(parent, ctypes.CDLL(None))

    import uvloop  # noqa: PLC0415

    from talkwire.assembly.storage_serving import serve  # noqa: PLC0415
    from talkwire.ops.tuning import forbid_core_files, tune_interpreter  # noqa: PLC0415

    tune_interpreter()
    forbid_core_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(socket.socket(fileno=link)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
