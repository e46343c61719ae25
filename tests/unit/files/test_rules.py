"""Who may share what, at the edges. Source: docs/protocol.md 9.6, 9.7."""

import base64

import msgspec
import pytest

from files_desk import AGENT, BOT, CONSUMER, MANAGER, OTHER_AGENT, STRANGER, TALK, conversation
from pictures import png
from talkwire.conversations.model import Role, State
from talkwire.files import rules
from talkwire.files.errors import (
    FileMayNotResume,
    FileSharingOff,
    FileSizeMissing,
    FileTooLarge,
    FileTypeNotAllowed,
    MaySendNoFiles,
    NotJudgedYet,
    PreviewUnusable,
    UnusableFile,
)
from talkwire.files.model import (
    FileLimits,
    FileState,
    HostedFile,
    PublishedIn,
    UploadClaim,
    Uploader,
)
from talkwire.identity.model import Kind, Principal, Privilege
from talkwire.sanitation.sniff import ImageType

LIMITS = FileLimits()
PICTURE = png(2, 2)
FILE = HostedFile(
    account_id=CONSUMER.account_id,
    relative_path="/v1/…",
    object_key="ab" * 16,
    key_id="ef" * 16,
    uploader_id=CONSUMER.id,
    uploader=Uploader.CONSUMER,
    state=FileState.CLEAN,
    size_bytes=1000,
    sha256="cd" * 32,
    served_bytes=1000,
    served_sha256="cd" * 32,
    image_type=ImageType.PNG,
    received_at_ms=0,
)


@pytest.mark.parametrize(("uploader", "limit"), [(Uploader.CONSUMER, 3_145_728), (Uploader.AGENT, 5_242_880)])
def test_an_upload_one_byte_over_the_limit_is_refused(uploader: Uploader, limit: int) -> None:
    rules.admit_upload(UploadClaim(limit, "jpg"), uploader, LIMITS)
    with pytest.raises(FileTooLarge) as refusal:
        rules.admit_upload(UploadClaim(limit + 1, "jpg"), uploader, LIMITS)
    assert refusal.value.max_bytes == limit
    assert refusal.value.number == 2


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_is_not_positive_is_refused(size: int) -> None:
    with pytest.raises(FileSizeMissing) as refusal:
        rules.admit_upload(UploadClaim(size, "PNG"), Uploader.CONSUMER, LIMITS)
    assert refusal.value.number == 1


@pytest.mark.parametrize("file_type", ["JPG", "jpeg", "Png", "gif"])
def test_the_four_types_are_admitted_in_any_case(file_type: str) -> None:
    rules.admit_upload(UploadClaim(1, file_type), Uploader.CONSUMER, LIMITS)


@pytest.mark.parametrize("file_type", ["PDF", "SVG", "EXE", ""])
def test_other_types_are_refused(file_type: str) -> None:
    with pytest.raises(FileTypeNotAllowed) as refusal:
        rules.admit_upload(UploadClaim(1, file_type), Uploader.AGENT, LIMITS)
    assert refusal.value.number == 3


def test_consumers_share_when_their_switch_is_on() -> None:
    rules.admit_sharing(CONSUMER, consumers_on=True, agents_on=False, granted=False)
    with pytest.raises(FileSharingOff):
        rules.admit_sharing(CONSUMER, consumers_on=False, agents_on=True, granted=True)


@pytest.mark.parametrize("consumers_on", [True, False])
@pytest.mark.parametrize("agents_on", [True, False])
@pytest.mark.parametrize("granted", [True, False])
def test_agents_need_every_gate_open(*, consumers_on: bool, agents_on: bool, granted: bool) -> None:
    gates = {"consumers_on": consumers_on, "agents_on": agents_on, "granted": granted}
    if all(gates.values()):
        rules.admit_sharing(AGENT, **gates)
        return
    with pytest.raises(FileSharingOff):
        rules.admit_sharing(AGENT, **gates)


@pytest.mark.parametrize("privilege", [Privilege.SEND_FILES, Privilege.SEND_FILES_FROM_WIDGETS])
def test_one_of_the_two_privileges_is_enough(privilege: Privilege) -> None:
    bot = msgspec.structs.replace(OTHER_AGENT, privileges=frozenset({privilege}), is_bot=True)
    rules.admit_sharing(bot, consumers_on=True, agents_on=True, granted=True)


def test_an_agent_without_either_privilege_sends_nothing() -> None:
    with pytest.raises(MaySendNoFiles) as refusal:
        rules.admit_sharing(OTHER_AGENT, consumers_on=True, agents_on=True, granted=True)
    assert refusal.value.number == 2


def test_a_connector_uploads_as_the_consumer_it_speaks_for() -> None:
    app = Principal(CONSUMER.account_id, CONSUMER.id, Kind.APP, app_id="app")
    assert rules.uploader_of(app) is Uploader.CONSUMER
    assert rules.is_uploader(app, FILE)


def test_only_its_uploader_is_its_uploader() -> None:
    assert rules.is_uploader(CONSUMER, FILE)
    assert not rules.is_uploader(STRANGER, FILE)
    by_agent = msgspec.structs.replace(FILE, uploader_id="12345678.282467514")
    assert rules.is_uploader(AGENT, by_agent)
    assert not rules.is_uploader(OTHER_AGENT, by_agent)
    other_account = msgspec.structs.replace(CONSUMER, account_id="87654321")
    assert not rules.is_uploader(other_account, FILE)


def test_empty_bytes_and_bytes_of_no_image_are_rejected() -> None:
    sound = msgspec.structs.replace(FILE, state=FileState.RECEIVED, served_bytes=0, served_sha256="")
    assert rules.judged(sound, rules.as_received(sound)) == FILE
    for unsound in (
        msgspec.structs.replace(sound, image_type=None),
        msgspec.structs.replace(sound, image_type=None, size_bytes=0),
    ):
        verdict = rules.as_received(unsound)
        assert (verdict.state, verdict.object_key) == (FileState.REJECTED, "")


def test_a_file_that_nobody_knows_and_one_that_was_rejected_are_refused_alike() -> None:
    rejected = msgspec.structs.replace(FILE, state=FileState.REJECTED)
    too_large = msgspec.structs.replace(FILE, size_bytes=3_145_729)
    for file in (None, rejected, too_large):
        with pytest.raises(UnusableFile) as refusal:
            rules.admit_file(file, Uploader.CONSUMER, LIMITS)
        assert refusal.value.number == 4
    assert rules.admit_file(too_large, Uploader.AGENT, LIMITS) is too_large


def test_a_file_without_verdict_is_to_be_tried_again() -> None:
    received = msgspec.structs.replace(FILE, state=FileState.RECEIVED)
    with pytest.raises(NotJudgedYet):
        rules.admit_file(received, Uploader.CONSUMER, LIMITS)


@pytest.mark.parametrize("file_type", ["JPG", "jpeg", "PNG", "GIF", "IMG", "TXT", "PDF"])
def test_an_event_may_use_any_published_word_for_its_type(file_type: str) -> None:
    rules.admit_published_type(file_type)


def test_an_event_may_not_invent_a_type() -> None:
    with pytest.raises(FileTypeNotAllowed):
        rules.admit_published_type("EXE")


def padded(size: int) -> str:
    return base64.b64encode(PICTURE + bytes(size - len(PICTURE))).decode()


def test_a_preview_of_30_kb_is_refused_and_one_byte_less_is_not() -> None:
    # The padding is a trailer of zeros: shorter than what is searched for the end of the picture.
    limits = FileLimits(preview_bytes=2000)
    assert rules.read_preview(padded(1999), limits) is not None
    for size in (2000, 2001, 2002, 2003, 4000):
        with pytest.raises(PreviewUnusable) as refusal:
            rules.read_preview(padded(size), limits)
        assert refusal.value.number == 5
    assert LIMITS.preview_bytes == 30 * 1024


@pytest.mark.parametrize("label", ["", "data:image/png;base64,", "data:image/jpeg;charset=utf-8;base64,"])
def test_a_preview_comes_as_data_uri_or_bare_and_its_bytes_say_what_it_is(label: str) -> None:
    preview = rules.read_preview(label + base64.b64encode(PICTURE).decode(), LIMITS)
    assert preview is not None
    assert preview.image_type is ImageType.PNG
    assert rules.preview_uri(preview).startswith("data:image/png;base64,")


@pytest.mark.parametrize("preview", [None, ""])
def test_no_preview_is_no_preview(preview: str | None) -> None:
    assert rules.read_preview(preview, LIMITS) is None


@pytest.mark.parametrize(
    "preview",
    [
        "data:image/png;base64,<Base64Image>",
        "not base64",
        base64.b64encode(PICTURE).decode()[:-2],
        "дата",
    ],
)
def test_a_preview_that_is_not_base64_is_refused(preview: str) -> None:
    with pytest.raises(PreviewUnusable):
        rules.read_preview(preview, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>",
        PICTURE[:-1],
        b"",
    ],
    ids=["webp", "svg", "html", "cut off", "empty"],
)
def test_a_preview_that_is_no_picture_of_ours_is_left_aside(data: bytes) -> None:
    for label in ("", "data:image/png;base64,"):
        assert rules.read_preview(label + base64.b64encode(data).decode(), LIMITS) is None


def test_participants_download_and_consumers_only_what_was_public() -> None:
    talk = conversation((CONSUMER, Role.CONSUMER), (AGENT, Role.ASSIGNED_AGENT), suggested=OTHER_AGENT)
    public, private = PublishedIn(TALK, is_public=True), PublishedIn(TALK, is_public=False)
    assert rules.may_download(CONSUMER, public, talk)
    assert not rules.may_download(CONSUMER, private, talk)
    assert rules.may_download(AGENT, public, talk)
    assert rules.may_download(AGENT, private, talk)
    assert not rules.may_download(OTHER_AGENT, public, talk)
    assert not rules.may_download(STRANGER, public, talk)
    assert not rules.may_download(MANAGER, public, talk), "who may read it has to join to be shown its files"


def test_managers_look_back_at_what_is_over_and_nobody_else_does() -> None:
    talk = conversation((CONSUMER, Role.CONSUMER))
    over = msgspec.structs.replace(talk, state=State.CLOSE, stage=State.CLOSE)
    in_survey = msgspec.structs.replace(talk, state=State.CLOSE)
    assert rules.may_look_back(MANAGER, over)
    assert not rules.may_look_back(MANAGER, talk)
    assert not rules.may_look_back(MANAGER, in_survey)
    for who in (BOT, AGENT, CONSUMER):
        assert not rules.may_look_back(who, over)


@pytest.mark.parametrize(
    ("depth", "has_content", "from_widget", "refused"),
    [
        (0, False, False, False),
        (0, False, True, False),
        (1, False, False, False),
        (1, False, True, True),
        (1, True, True, False),
        (2, False, False, True),
        (2, True, False, False),
        (3, False, False, True),
    ],
)
def test_a_twice_resumed_conversation_does_not_begin_with_a_file(
    depth: int, *, has_content: bool, from_widget: bool, refused: bool
) -> None:
    asked = {"resume_depth": depth, "has_content": has_content, "from_widget": from_widget}
    if not refused:
        rules.admit_resume_by_file(**asked)  # type: ignore[arg-type]
        return
    with pytest.raises(FileMayNotResume) as refusal:
        rules.admit_resume_by_file(**asked)  # type: ignore[arg-type]
    assert refusal.value.number == 6
