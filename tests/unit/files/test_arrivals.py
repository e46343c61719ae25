"""Uploads on their way, without a byte: what comes to nothing leaves neither a place taken nor a key."""

import asyncio

import pytest

from files_desk import CONSUMER, Desk
from talkwire.files.arrivals import Arrivals
from talkwire.files.counter import Kept
from talkwire.files.errors import TooManyUploads
from talkwire.files.leftovers import Leftovers
from talkwire.files.model import FileLimits
from talkwire.files.paths import parse_path
from talkwire.files.register import FileRegister
from talkwire.files.slots import UploadsUnderWay
from talkwire.files.temp_urls import SignedPath


class Gate:
    """Arrivals with room for one upload under a slot."""

    def __init__(self, desk: Desk) -> None:
        ground = desk.ground
        self.leftovers = Leftovers(ground.store, ground.vault, ground.tasks)
        self.arrivals = Arrivals(
            UploadsUnderWay(FileLimits(uploads_per_slot=1)),
            ground.vault,
            FileRegister(ground.database, ground.clock),
            self.leftovers,
            ground.clock,
        )


async def signed_path(desk: Desk) -> SignedPath:
    url = await desk.slot(CONSUMER)
    named = parse_path(url.relative_path)
    assert named is not None
    return SignedPath(url.relative_path, named, url.expires)


@pytest.mark.parametrize("is_abandoned", [False, True])
async def test_what_comes_to_nothing_gives_its_place_and_its_key_back(
    desk: Desk, *, is_abandoned: bool
) -> None:
    gate, signed = Gate(desk), await signed_path(desk)
    before = await desk.held()
    ticket = gate.arrivals.begin(signed, 1000).ticket
    with pytest.raises(TooManyUploads):
        gate.arrivals.begin(signed, 1000)
    if is_abandoned:
        gate.arrivals.abandon(ticket)
        gate.arrivals.abandon(ticket)  # twice is once
    else:
        assert gate.arrivals.drop(ticket) is signed
    upload = gate.arrivals.take(gate.arrivals.begin(signed, 1000).ticket)
    assert isinstance(upload.wrapped, asyncio.Future)
    await upload.wrapped
    await gate.leftovers.clear()
    assert {key_id for _, key_id in await desk.held() - before} == {upload.key_id}


async def test_a_file_is_described_when_its_key_is_durable(desk: Desk) -> None:
    gate, signed = Gate(desk), await signed_path(desk)
    admission = gate.arrivals.begin(signed, 1000)
    assert not admission.is_spent
    upload = gate.arrivals.take(admission.ticket)
    assert isinstance(upload.wrapped, asyncio.Future)
    file = await gate.arrivals.described(upload, upload.wrapped, Kept(7, "ab", None))
    assert (file.relative_path, file.object_key) == (signed.relative_path, admission.place.object_key)
    assert (file.uploader_id, file.size_bytes, file.sha256) == (CONSUMER.id, 7, "ab")
    assert file.key_id in {key_id for _, key_id in await desk.held()}
