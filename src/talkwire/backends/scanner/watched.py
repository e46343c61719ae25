"""A scanner that remembers whether it was there when it was last asked: what the alarm looks at."""

from collections.abc import AsyncIterator

from talkwire.backends.scanner.port import NoAnswer, Scanner, ScannerDown, Unscannable, Verdict


class WatchedScanner:
    """`Scanner` that passes everything on to another."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self.is_up = True

    async def scan(self, chunks: AsyncIterator[bytes]) -> Verdict:
        try:
            verdict = await self._scanner.scan(chunks)
        except NoAnswer:
            raise  # perhaps it is these bytes: the next scan or ping tells
        except ScannerDown:
            self.is_up = False
            raise
        except Unscannable:
            self.is_up = True
            raise
        self.is_up = True
        return verdict

    async def ping(self) -> None:
        try:
            await self._scanner.ping()
        except ScannerDown:
            self.is_up = False
            raise
        self.is_up = True
