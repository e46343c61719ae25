"""Google's Tink opens what we seal, and we open what Tink seals: the format is the published one."""

import io
import os
import random

import pytest

from talkwire.vault.errors import Tampered
from talkwire.vault.streaming import HEADER_BYTES, SEGMENT_BYTES, Opener, open_whole, seal_whole

tink = pytest.importorskip("tink", reason="tink is not installed (requirements/dev.in)")

from tink import cleartext_keyset_handle, streaming_aead  # type: ignore[import-untyped] # noqa: E402
from tink.proto import (  # type: ignore[import-untyped] # noqa: E402
    aes_gcm_hkdf_streaming_pb2,
    common_pb2,
    tink_pb2,
)

KEY = bytes(range(32))
AAD = b"account/relative/path"
SIZES = (0, 1, 65_479, 65_480, 65_481, 131_000, 131_001, 300_000, 1_048_576)


class Kept(io.BytesIO):
    """What Tink wrote can be read after Tink closed it."""

    def close(self) -> None: ...


def primitive(key: bytes) -> "streaming_aead.StreamingAead":
    """Tink's own, for this key, with our segment size."""
    streaming_aead.register()
    parameters = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=SEGMENT_BYTES, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=parameters, key_value=key)
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.add(
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            value=value.SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        ),
        status=tink_pb2.ENABLED,
        key_id=1,
        output_prefix_type=tink_pb2.RAW,
    )
    handle = cleartext_keyset_handle.read(tink.BinaryKeysetReader(keyset.SerializeToString()))
    return handle.primitive(streaming_aead.StreamingAead)


@pytest.mark.parametrize("size", SIZES)
def test_tink_opens_what_we_seal(size: int) -> None:
    plain = random.Random(size).randbytes(size)
    source = io.BytesIO(seal_whole(KEY, AAD, plain))
    with primitive(KEY).new_decrypting_stream(source, AAD) as stream:
        assert stream.read() == plain


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_tink_seals(size: int) -> None:
    plain = random.Random(size).randbytes(size)
    target = Kept()
    with primitive(KEY).new_encrypting_stream(target, AAD) as stream:
        stream.write(plain)
    sealed = target.getvalue()
    assert open_whole(KEY, AAD, sealed) == plain
    assert Opener(KEY, AAD, sealed[:HEADER_BYTES], len(sealed)).plain_bytes == size
    with pytest.raises(Tampered):
        open_whole(os.urandom(32), AAD, sealed)
