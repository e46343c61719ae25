"""Frames between server and worker."""

import msgspec

from talkwire.sanitation.model import Reason, Wish
from talkwire.sanitation.sniff import ImageType
from talkwire.sanitation.wire import LENGTHS, Done, Job, frame


def test_a_frame_says_how_long_its_parts_are() -> None:
    start, first, second = frame(Job(Wish(long_side=800)), b"picture", b"more")
    head_bytes, first_bytes, second_bytes = LENGTHS.unpack(start[: LENGTHS.size])
    assert (first_bytes, second_bytes) == (len(first), len(second)) == (7, 4)
    job = msgspec.msgpack.decode(start[LENGTHS.size :], type=Job)
    assert head_bytes == len(start) - LENGTHS.size
    assert job == Job(Wish(long_side=800))


def test_a_verdict_comes_through() -> None:
    done = Done(ImageType.PNG, ImageType.JPEG, 3, 2, Reason.CORRUPT, "why")
    start, _, _ = frame(done)
    assert msgspec.msgpack.decode(start[LENGTHS.size :], type=Done) == done
