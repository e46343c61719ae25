"""The published vectors, escapes, and headers that nobody can pretend."""

import json

import pytest

from talkwire.connectors.delivery_model import Delivery
from talkwire.connectors.model import EventKey
from talkwire.conversations.model import Conversation, Dialog, DialogType, State, Ttr, TtrType
from talkwire.conversations.views import DialogLog, View
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId
from talkwire.webhooks.letters import Letter, ascii_json, conversation_letter, headers_of, signature

BODY = b'{"kind":"notification","type":"ms.MessagingEventNotification","body":{"changes":[]}}'


def test_the_signatures_are_those_of_the_published_vectors() -> None:
    """Source: docs/protocol.md, Appendix D."""
    assert signature(b"s3cret", BODY, "sha1") == "sha1=FsYVzwjFeD277ld6irEWsOHBe9U="
    assert signature(b"s3cret", BODY, "sha256") == "sha256=i9lSM5PX+NBXK+nZDbWQMjKvDMlFwUrAyF1ANlaa99w="


@pytest.mark.parametrize("text", ["plain", "Grüße", "😀", "\u2028", 'quo"te\\', "日本"])
def test_escaping_changes_no_meaning(text: str) -> None:
    body = json.dumps({"message": text}, ensure_ascii=False, separators=(",", ":")).encode()
    escaped = ascii_json(body)
    assert escaped.isascii()
    assert json.loads(escaped) == {"message": text}


def test_what_is_ascii_stays_as_it_is() -> None:
    assert ascii_json(BODY) is BODY


def test_a_smiley_is_two_escapes() -> None:
    assert ascii_json('"😀"'.encode()) == b'"\\ud83d\\ude00"'


def test_an_apps_own_headers_cannot_pretend_to_be_ours() -> None:
    delivery = Delivery(
        delivery_id="c.0",
        event_key=EventKey.CONTENT,
        conversation_id="c",
        dialog_id="c",
        sequence=0,
        event_at_ms=0,
    )
    custom = (("x-liveperson-signature", "sha1=forged"), ("content-TYPE", "text/html"), ("X-Mine", "1"))
    headers = headers_of(Letter(delivery, BODY), "123", "app", b"s3cret", custom, 2)
    assert headers["X-Liveperson-Signature"] == "sha1=FsYVzwjFeD277ld6irEWsOHBe9U="
    assert headers["X-Liveperson-Signature-256"].startswith("sha256=i9lSM5PX")
    assert headers["X-Mine"] == "1"
    assert headers["Content-Type"] == "application/json"
    assert len({name.lower() for name in headers}) == len(headers)
    assert (headers["X-Talkwire-Delivery-Id"], headers["X-Talkwire-Attempt"]) == ("c.0", "2")


def test_a_letter_about_a_survey_says_which_app_asks() -> None:
    """Source: docs/protocol.md 6.3."""
    talk = Conversation(
        account_id=AccountId("1"),
        conversation_id=ConversationId("c"),
        consumer_id=ParticipantId("jo"),
        version=1,
        created_at_ms=1,
        updated_at_ms=2,
        ttr=Ttr(TtrType.NORMAL, 1200),
        participants=(),
        dialogs=(
            Dialog(DialogId("c"), DialogType.MAIN, 1, 2, State.CLOSE),
            Dialog(DialogId("s"), DialogType.POST_SURVEY, 2, 2, app_install_id="survey-app"),
        ),
    )
    letter = conversation_letter(View(talk, {dialog.dialog_id: DialogLog() for dialog in talk.dialogs}))
    dialogs = json.loads(letter.body)["body"]["changes"][0]["result"]["conversationDetails"]["dialogs"]
    assert [dialog.get("metaData") for dialog in dialogs] == [None, {"appInstallId": "survey-app"}]
