"""One file of the corpus, and what is to become of it."""

from typing import NamedTuple

from talkwire.sanitation.model import Reason

SECRET = b"S3CRET-OF-THE-UPLOADER"
"""Stands in whatever must not survive."""


class Case(NamedTuple):
    name: str
    data: bytes
    reasons: frozenset[Reason] = frozenset()  # it may be refused for one of these
    may_pass: bool = True  # and come out as a clean picture

    @property
    def is_refused(self) -> bool:
        return not self.may_pass


def refused(name: str, data: bytes, *reasons: Reason) -> Case:
    return Case(name, data, frozenset(reasons), may_pass=False)


def either(name: str, data: bytes, *reasons: Reason) -> Case:
    """On a slow machine it is refused."""
    return Case(name, data, frozenset(reasons))


def cleaned(name: str, data: bytes) -> Case:
    return Case(name, data)
