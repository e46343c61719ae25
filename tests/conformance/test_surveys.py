"""The end of surveys, on each database: two nodes at once, a fall in the middle, a consumer who answers just then."""

import asyncio

import pytest

from erasure_rooms import Forgetting, Killed, state_of
from events import append, entry
from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.accounts.service import Accounts
from talkwire.backends.database.port import Database, Outcome
from talkwire.conversations.errors import ConversationClosed, DialogClosed
from talkwire.conversations.model import CloseReason, Conversation, Csat, State
from talkwire.conversations.surveys import Surveys
from talkwire.history.erasure_model import RequestState
from talkwire.identity.model import Principal
from talkwire.kernel.ids import DialogId
from talkwire.routing.model import CloseDialog, CsatChange


async def brand_on(database: Database) -> Brand:
    brand = Brand(database, survey_app="app-1")
    await Accounts(database, brand.clock).create(ACCOUNT)
    return brand


def surveys_of(brand: Brand) -> Surveys:
    accounts = Accounts(brand.database, brand.clock)
    return Surveys(brand.database, brand.clock, brand.conversations, accounts)


async def in_survey(brand: Brand, who: Principal) -> Conversation:
    opened = await brand.open(who)
    await brand.update(who, opened.conversation_id, CloseDialog(DialogId(opened.conversation_id)))
    return await brand.now(opened.conversation_id)


async def test_two_nodes_end_each_survey_once(any_database: Database) -> None:
    one = await brand_on(any_database)
    other, heard = one.restarted(), list[str]()
    for node in (one, other):
        node.conversations.on_change(
            lambda c: heard.append(c.conversation_id) if c.stage is State.CLOSE else None
        )
    ids = [(await in_survey(one, consumer())).conversation_id for _ in range(50)]
    one.clock.advance(days=1)
    await asyncio.gather(*(surveys_of(node).end_overdue() for node in (one, other, one)))
    assert sorted(heard) == sorted(ids)
    fresh = one.restarted()
    for conversation_id in ids:
        now = await fresh.now(conversation_id)
        assert (now.stage, now.version) == (State.CLOSE, 3)


async def test_what_a_fall_left_is_ended_by_the_next_look(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    brand = await brand_on(any_database)
    ids = [(await in_survey(brand, consumer())).conversation_id for _ in range(30)]
    brand.clock.advance(days=1)
    surveys, ended = surveys_of(brand), list[str]()
    reach = Surveys._end  # where the process falls

    async def falls(self: Surveys, found: Conversation, opened_by_ms: int) -> None:
        if len(ended) == 25:
            raise Killed
        ended.append(found.conversation_id)
        await reach(self, found, opened_by_ms)

    with monkeypatch.context() as patch:
        patch.setattr(Surveys, "_end", falls)
        with pytest.raises(ExceptionGroup):
            await surveys.end_overdue()
    fresh = brand.restarted()
    await surveys_of(fresh).end_overdue()
    stages = {(await fresh.now(conversation_id)).stage for conversation_id in ids}
    assert stages == {State.CLOSE}


@pytest.mark.parametrize("what", ["a close", "a rating", "a word"])
async def test_an_answer_at_the_very_moment_is_taken_or_refused_and_the_survey_has_one_end(
    any_database: Database, what: str
) -> None:
    brand = await brand_on(any_database)
    people = [consumer() for _ in range(20)]
    talks = [await in_survey(brand, who) for who in people]
    brand.clock.advance(days=1)

    async def answer(who: Principal, talk: Conversation) -> Outcome | None:
        survey = talk.dialogs[1].dialog_id
        if what == "a close":
            await brand.update(who, talk.conversation_id, CloseDialog(survey))
        elif what == "a rating":
            await brand.update(who, talk.conversation_id, CsatChange(Csat(rate=5)))
        else:
            said = entry(dialog_id=survey, account_id=ACCOUNT, version=talk.version, originator_id=who.id)
            said.conversation_id = talk.conversation_id
            return (await append(any_database, said))[0].outcome
        return None

    answers = [answer(*one) for one in zip(people, talks, strict=True)]
    outcomes = await asyncio.gather(
        *answers[:10], surveys_of(brand).end_overdue(), *answers[10:], return_exceptions=True
    )
    for outcome in outcomes[:10] + outcomes[11:]:
        assert outcome in {None, Outcome.APPENDED, Outcome.STALE} or isinstance(
            outcome, ConversationClosed | DialogClosed
        )
    assert outcomes[10] is None
    fresh = brand.restarted()
    for talk in talks:
        now = await fresh.now(talk.conversation_id)
        assert now.stage is State.CLOSE
        assert now.dialogs[1].closed_by in {CloseReason.TIMEOUT, CloseReason.CONSUMER}
        if what == "a rating":
            assert now.csat == Csat(rate=5)


async def test_who_is_to_be_forgotten_waits_no_longer_than_the_survey(forgetting: Forgetting) -> None:
    brand, who = forgetting.brand, consumer()
    brand.survey_app = "app-1"
    await Accounts(forgetting.database, brand.clock).create(ACCOUNT)
    await in_survey(brand, who)
    request_id = await forgetting.run(consumer=[who.id])
    assert await state_of(forgetting, request_id) is RequestState.IN_PROGRESS
    forgetting.clock.advance(days=1)
    await surveys_of(brand).end_overdue()
    await forgetting.runs.carry_out_due()
    assert await state_of(forgetting, request_id) is RequestState.DONE
