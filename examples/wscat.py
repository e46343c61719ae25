"""A socket on the command line: each line of input is sent as a frame, each frame heard is printed as a line.

It takes the options that the public tutorials use, `-k` among them, which the wscat on npm lacks. Certificates are
checked against the system's roots (or `SSL_CERT_FILE`) and `NODE_EXTRA_CA_CERTS`.
"""

import argparse
import asyncio
import contextlib
import os
import ssl
import sys
import threading

import aiohttp

GRACEFUL = (1000, 1001)  # the close codes that are no failure
FRAME_BYTES = 4 * 1024 * 1024


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wscat", description=__doc__)
    parser.add_argument("-c", "--connect", required=True, metavar="URL", help="the ws:// or wss:// address")
    parser.add_argument(
        "-H", "--header", action="append", default=[], metavar="NAME:VALUE", help="repeatable"
    )
    parser.add_argument("-k", "--keep-alive", type=float, metavar="SECONDS", help="ping this often")
    parser.add_argument("-n", "--no-check", action="store_true", help="trust any certificate")
    parser.add_argument("-w", "--wait", type=float, default=1, metavar="SECONDS",
                        help="after the end of the input, stay until it was quiet for so long (default 1; -1: for ever)")  # fmt: skip
    return parser.parse_args(arguments)


def trust(*, no_check: bool) -> ssl.SSLContext:
    """What certificates to believe: the roots, and the extra authority that Node's programs are told of."""
    context = ssl.create_default_context()
    if extra := os.environ.get("NODE_EXTRA_CA_CERTS"):
        context.load_verify_locations(extra)
    if no_check:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def type_ahead() -> asyncio.Queue[str | None]:
    """The lines of standard input as they come, then None.

    A thread of its own reads them, because files cannot be polled; it is a daemon that holds no lock, so that
    the program can end while it waits for a line that never comes.
    """
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def tell(line: str | None) -> None:
        try:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        except RuntimeError:  # the loop has ended first
            sys.exit()

    def read() -> None:
        rest = b""
        while chunk := os.read(0, 65536):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                tell(line.decode())
        if rest:
            tell(rest.decode())
        tell(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


async def speak(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Send what is typed, until the input ends."""
    lines = type_ahead()
    while (line := await lines.get()) is not None:
        if line.strip():
            await socket.send_str(line)


async def hear(socket: aiohttp.ClientWebSocketResponse, news: asyncio.Event) -> None:
    """Print frames until the server closes; each rings `news`."""
    async for frame in socket:
        if frame.type is aiohttp.WSMsgType.ERROR:
            return
        text = frame.data if isinstance(frame.data, str) else frame.data.decode(errors="replace")
        print(f"< {text}" if sys.stdout.isatty() else text, flush=True)
        news.set()


async def linger(news: asyncio.Event, seconds: float | None) -> None:
    """Return when nothing was heard for so long; answers may be on their way though the input has ended."""
    with contextlib.suppress(TimeoutError):
        while True:
            news.clear()
            await asyncio.wait_for(news.wait(), seconds)


async def talk(socket: aiohttp.ClientWebSocketResponse, *, wait: float) -> None:
    """Carry lines out and frames in, until one side has had enough."""
    news, leaving = asyncio.Event(), asyncio.Event()

    async def mouth() -> None:
        await speak(socket)
        await linger(news, wait if wait >= 0 else None)
        leaving.set()
        await socket.close()

    speaking = asyncio.create_task(mouth())
    await hear(socket, news)
    if not leaving.is_set():  # the server hung up first
        speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)


def note(words: str) -> None:
    """For the person in front, never for a program that reads the frames."""
    print(words, file=sys.stderr, flush=True)


async def connect(wanted: argparse.Namespace) -> int:
    headers = [tuple(part.strip() for part in header.split(":", 1)) for header in wanted.header]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            wanted.connect,
            headers=headers,
            heartbeat=wanted.keep_alive,
            ssl=trust(no_check=wanted.no_check),
            max_msg_size=FRAME_BYTES,
        ) as socket,
    ):
        note("connected (press CTRL+C to quit)")
        await talk(socket, wait=wanted.wait)
        note(f"disconnected ({socket.close_code})")
        return 0 if socket.close_code in GRACEFUL else 1


def main() -> int:
    wanted = options()
    try:
        return asyncio.run(connect(wanted))
    except aiohttp.WSServerHandshakeError as refusal:
        note(f"error: the server answered {refusal.status}")
    except (aiohttp.ClientError, OSError, ValueError) as trouble:
        note(f"error: {trouble}")
    except KeyboardInterrupt:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
