"""The first verdict on a file counts; one that came too late leaves nothing behind."""

import asyncio

from files_desk import ACCOUNT, CONSUMER, Desk, until_files
from pictures import png
from talkwire.files.leftovers import Leftovers
from talkwire.files.memory import InMemory
from talkwire.files.model import FileState, HostedFile, Verdict
from talkwire.files.previews import Previews
from talkwire.files.quotas import Quotas
from talkwire.files.register import FileRegister
from talkwire.files.sealed import Place, SealedObjects
from talkwire.files.settling import Settling
from talkwire.files.verdicts import Verdicts

PICTURE = png(6, 6)
ANEW = "a" * 32
"""The id of an object that was made of it."""


class Node:
    """Another node's part in a verdict, over the desk's database and disk."""

    def __init__(self, desk: Desk) -> None:
        ground = desk.ground
        self.objects = SealedObjects(ground.store, ground.vault)
        self.register = FileRegister(ground.database, ground.clock)
        self.verdicts = Verdicts(self.register, 5.0)
        previews = Previews(ground.database, ground.clock, self.objects, None, 1000)
        self.settling = Settling(
            ground.database,
            ground.trail,
            InMemory(self.register, previews, self.verdicts),
            Quotas(ground.database, ground.clock, ground.switches),
            Leftovers(ground.store, ground.vault, ground.tasks),
        )

    async def file(self, path: str) -> HostedFile:
        found = await self.register.find(ACCOUNT, path)
        assert found is not None
        return found


async def unjudged(desk: Desk) -> str:
    """The path of a file that waits for its verdict."""
    path = await desk.uploaded(CONSUMER, PICTURE)

    async def unit(tx: object) -> None:
        await tx.execute("UPDATE files SET state = 'received'")  # type: ignore[attr-defined]

    await desk.database.write(unit)
    return path


async def records(desk: Desk) -> list[str]:
    rows = await desk.database.read("SELECT act FROM audit_records ORDER BY number")
    return [row["act"] for row in rows]


async def test_a_verdict_wakes_who_waits_and_the_original_goes(desk: Desk) -> None:
    path, node = await unjudged(desk), Node(desk)
    file = await node.file(path)
    stored = await node.objects.put_whole(Place(ACCOUNT, path, ANEW), file.key_id, b"anew")
    verdict = Verdict(
        FileState.CLEAN,
        object_key=ANEW,
        served_bytes=stored.size_bytes,
        served_sha256=stored.sha256,
        image_type=file.image_type,
    )
    waiting = asyncio.create_task(node.verdicts.wait(file.name, node.verdicts.deadline()))
    await asyncio.sleep(0)
    await node.settling.settle(file, verdict)
    async with asyncio.timeout(0.3):  # before it would look for another node's verdict
        await waiting
    assert (await node.file(path)).state is FileState.CLEAN
    await until_files(desk.folder, 1)
    assert (await records(desk))[-1] == "judged"


async def test_a_verdict_that_came_too_late_changes_nothing_and_its_object_goes(desk: Desk) -> None:
    path, node = await unjudged(desk), Node(desk)
    file = await node.file(path)
    await Node(desk).settling.settle(file, Verdict(FileState.REJECTED, "malware"))
    await until_files(desk.folder, 0)
    before = await records(desk)
    await node.objects.put_whole(Place(ACCOUNT, path, ANEW), file.key_id, b"late")
    await node.settling.settle(file, Verdict(FileState.CLEAN, object_key=ANEW, served_bytes=4))
    assert (await node.file(path)).reason == "malware"
    assert await records(desk) == before
    await until_files(desk.folder, 0)
