"""Relative paths, both generations. Source: docs/protocol.md 9.2."""

import pytest

from talkwire.files.model import Uploader
from talkwire.files.paths import build_path, parse_path
from talkwire.kernel.ids import AccountId, ParticipantId

ACCOUNT = AccountId("12345678")
UUID = "11111111-2222-3333-4444-555555555555"
CONSUMER = "0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"
SAMPLE = f"/v1/AUTH_async-images/12345678/{CONSUMER}_uuid_{UUID}_02-01-2024_03-04-05-678.PNG"


def test_a_path_is_built_as_the_documents_print_it() -> None:
    built = build_path(ACCOUNT, ParticipantId(CONSUMER), UUID, 1_704_164_645_678, "png")
    assert built == SAMPLE


def test_a_built_path_says_who_may_upload_and_when_it_was_made() -> None:
    found = parse_path(SAMPLE)
    assert found is not None
    assert (found.account_id, found.participant_id) == (ACCOUNT, CONSUMER)
    assert found.opened_at_ms == 1_704_164_645_678
    assert found.file_type == "PNG"
    assert found.uploader is Uploader.CONSUMER


def test_an_agents_path_begins_with_its_old_id() -> None:
    built = build_path(ACCOUNT, ParticipantId("12345678.282467514"), UUID, 0, "JPEG")
    found = parse_path(built)
    assert found is not None
    assert found.uploader is Uploader.AGENT
    assert found.participant_id == "12345678.282467514"


def test_a_consumer_whose_id_is_sixty_four_hex_digits_is_read() -> None:
    found = parse_path(build_path(ACCOUNT, ParticipantId("ab" * 32), UUID, 0, "GIF"))
    assert found is not None
    assert found.participant_id == "ab" * 32


def test_the_older_generation_is_read_and_names_nobody() -> None:
    found = parse_path(f"/v1/AUTH_async-images/12345678/{UUID}.JPG")
    assert found is not None
    assert (found.participant_id, found.opened_at_ms, found.file_type) == ("", 0, "JPG")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        SAMPLE[1:],
        "/" + SAMPLE,
        SAMPLE + "\n",
        SAMPLE + "/x",
        SAMPLE.replace("12345678/", "12345678/../12345678/"),
        SAMPLE.replace("12345678", "1234%2e"),
        SAMPLE.replace("02-01-2024", "31-02-2024"),
        SAMPLE.replace("02-01-2024", "02-01-٢٠٢٤"),
        SAMPLE.replace(".PNG", ""),
        SAMPLE.replace("AUTH_async-images", "AUTH_other"),
        f"/v1/AUTH_async-images/12345678/{UUID}_02-01-2024_03-04-05-678.PNG",
        f"/v1/AUTH_async-images/12345678/{CONSUMER}_uuid_{UUID}.PNG",
        "/v1/AUTH_async-images/12345678/1234.JPG",
    ],
)
def test_anything_else_is_no_path(path: str) -> None:
    assert parse_path(path) is None
