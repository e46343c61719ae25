import pytest

from talkwire.vault.errors import Tampered
from talkwire.vault.wrapping import WRAPPED_KEY_BYTES, fingerprint, new_key, unwrap, wrap

ABOVE = bytes(range(32))
NAME = ("file", "a", "k", "h")


def test_a_wrapped_key_comes_back_and_has_one_length() -> None:
    key = new_key()
    wrapped = wrap(ABOVE, NAME, key)
    assert unwrap(ABOVE, NAME, wrapped) == key
    assert len(wrapped) == WRAPPED_KEY_BYTES
    assert wrap(ABOVE, NAME, key) != wrapped


@pytest.mark.parametrize(
    "name",
    [("file", "a", "k", "other"), ("file", "ak", "", "h"), ("file", "a", "k"), ("files", "a", "k", "h")],
)
def test_a_wrap_opens_under_its_own_name_only(name: tuple[str, ...]) -> None:
    wrapped = wrap(ABOVE, NAME, new_key())
    with pytest.raises(Tampered):
        unwrap(ABOVE, name, wrapped)


def test_every_byte_of_a_wrap_counts() -> None:
    wrapped = wrap(ABOVE, NAME, new_key())
    for at in range(len(wrapped)):
        altered = bytearray(wrapped)
        altered[at] ^= 0x80
        with pytest.raises(Tampered):
            unwrap(ABOVE, NAME, bytes(altered))
        with pytest.raises(Tampered):
            unwrap(ABOVE, NAME, wrapped[:at])


def test_the_fingerprint_of_a_master_key_does_not_change() -> None:
    assert fingerprint(ABOVE) == "15647c1f3b6f1603"
    assert fingerprint(bytes(32)) != fingerprint(ABOVE)
