import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkwire.kernel.hmacs import hmac_digest, hmac_digest_once


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@given(key=st.binary(max_size=200), text=st.binary(max_size=300))
def test_it_is_the_librarys_hmac(algorithm: str, key: bytes, text: bytes) -> None:
    expected = hmac.digest(key, text, algorithm)
    assert hmac_digest(key, text, algorithm) == expected
    assert hmac_digest(key, text, algorithm) == expected  # its pads are not used up
    assert hmac_digest_once(key, text, algorithm) == expected
