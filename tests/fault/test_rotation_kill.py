"""`kill -9` in the middle of rotations: everything that was wrapped still opens."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from keys import opened_vault
from talkwire.vault.model import CONSUMER, Holder

ROUNDS = 6
CONSUMERS = 400

ROTATING = """
import asyncio, sys
from pathlib import Path
from keys import opened_vault

async def main():
    async with opened_vault(Path(sys.argv[1])) as vault:
        print("open", flush=True)
        while True:
            await vault.rotate_account("a")
            await vault.rotate_master()
            print("rotated", flush=True)

asyncio.run(main())
"""


def rotate_until_killed(folder: Path, seconds: float) -> None:
    tests = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", ROTATING, str(folder)],
        env={"PYTHONPATH": f"{tests}:{tests.parent / 'src'}"},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    time.sleep(seconds)  # the moment of the kill is the test's question, nothing is waited for
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


async def test_keys_open_after_a_rotation_was_killed(tmp_path: Path) -> None:
    chance = random.Random(7)
    async with opened_vault(tmp_path) as vault:
        keys = [await vault.create_file_key("a", Holder(CONSUMER, f"c{n}")) for n in range(CONSUMERS)]
        sealed = await vault.seal("a", "test", b"kept")
    for _ in range(ROUNDS):
        rotate_until_killed(tmp_path, chance.uniform(0, 0.4))
        async with opened_vault(tmp_path) as vault:
            opened = [await vault.file_key("a", key.key_id) for key in keys]
            assert opened == [key.secret for key in keys]
            assert await vault.unseal("a", "test", sealed) == b"kept"
            assert (await vault.counts()).unfinished_rotations == 0
        assert not (tmp_path / "master.next.key").exists()
