"""A survey that nobody ends: its time counts from its opening, and its end is like any other's."""

import pytest

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.accounts.model import PropertyChange
from talkwire.accounts.properties import SURVEY_SECONDS
from talkwire.accounts.service import Accounts
from talkwire.conversations import surveys as surveys_module
from talkwire.conversations.jobs import jobs
from talkwire.conversations.model import CloseReason, Conversation, Csat, State
from talkwire.conversations.surveys import Surveys
from talkwire.identity.model import Principal
from talkwire.kernel.ids import AccountId, DialogId
from talkwire.ops.worker import Worker
from talkwire.routing.model import CloseDialog, CsatChange, NoteChange

DAY = 86_400


@pytest.fixture
async def accounts(brand: Brand) -> Accounts:
    accounts = Accounts(brand.database, brand.clock)
    await accounts.create(ACCOUNT)
    brand.survey_app = "app-1"
    return accounts


@pytest.fixture
def surveys(brand: Brand, accounts: Accounts) -> Surveys:
    return Surveys(brand.database, brand.clock, brand.conversations, accounts)


async def in_survey(brand: Brand, who: Principal | None = None) -> Conversation:
    who = who or consumer()
    opened = await brand.open(who)
    await brand.update(who, opened.conversation_id, CloseDialog(DialogId(opened.conversation_id)))
    return (await brand.conversations.view(who.account_id, opened.conversation_id)).conversation


async def test_it_ends_after_a_day_and_not_before_as_one_that_was_answered(
    brand: Brand, surveys: Surveys
) -> None:
    who, heard = consumer(), list[Conversation]()
    opened = await brand.open(who)
    brand.clock.advance(days=3)  # its conversation is older than a survey gets
    await brand.update(who, opened.conversation_id, CloseDialog(DialogId(opened.conversation_id)))
    brand.conversations.on_change(heard.append)
    brand.clock.advance(seconds=DAY - 0.001)
    await surveys.end_overdue()
    assert heard == []
    brand.clock.advance(seconds=0.001)
    await surveys.end_overdue()
    now = await brand.now(opened.conversation_id)
    assert heard == [now]
    assert (now.state, now.stage, now.closed_at_ms) == (State.CLOSE, State.CLOSE, brand.clock.now_ms())
    assert now.close_reason is CloseReason.CONSUMER  # as the main dialog was
    assert [(d.state, d.closed_by) for d in now.dialogs] == [
        (State.CLOSE, CloseReason.CONSUMER),
        (State.CLOSE, CloseReason.TIMEOUT),
    ]
    changes = "SELECT ref FROM changes WHERE account_id = $1 AND kind = 'conversation'"
    assert len(await brand.database.read(changes, ACCOUNT)) == now.version
    await surveys.end_overdue()
    assert await brand.now(opened.conversation_id) is now
    await brand.update(who, opened.conversation_id, CsatChange(Csat(rate=4)))  # late, and welcome


async def test_what_is_said_about_a_conversation_does_not_make_its_survey_longer(
    brand: Brand, surveys: Surveys
) -> None:
    agent, who = await brand.online(), consumer()
    held = await brand.held_by(agent, who)
    await brand.update(agent, held.conversation_id, CloseDialog(DialogId(held.conversation_id)))
    brand.clock.advance(seconds=DAY - 1)
    await brand.update(agent, held.conversation_id, NoteChange("waits"))
    brand.clock.advance(seconds=1)
    await surveys.end_overdue()
    assert (await brand.now(held.conversation_id)).stage is State.CLOSE


async def test_a_conversation_without_a_survey_stays_open_and_an_ended_one_as_it_is(
    brand: Brand, surveys: Surveys
) -> None:
    who = consumer()
    still_open = await brand.open()
    ended = await in_survey(brand, who)
    await brand.update(who, ended.conversation_id, CloseDialog(ended.dialogs[1].dialog_id))
    ended = await brand.now(ended.conversation_id)
    brand.clock.advance(days=400)
    await surveys.end_overdue()
    assert await brand.now(still_open.conversation_id) is still_open
    assert await brand.now(ended.conversation_id) is ended


@pytest.mark.parametrize(
    ("declared", "after_seconds", "stage"),
    [
        (60, 59, State.OPEN),
        (60, 60, State.CLOSE),
        (0, 10 * 366 * DAY, State.OPEN),
        (-1, 10 * 366 * DAY, State.OPEN),
        ("soon", DAY, State.CLOSE),
        (10**30, DAY, State.OPEN),
        (10**30, 365 * DAY, State.CLOSE),
    ],
)
async def test_an_account_says_how_long(
    brand: Brand,
    accounts: Accounts,
    surveys: Surveys,
    declared: int | str,
    after_seconds: int,
    stage: State,
) -> None:
    await accounts.set_property(ACCOUNT, PropertyChange(SURVEY_SECONDS.name, str(declared)))
    now = await in_survey(brand)
    brand.clock.advance(seconds=after_seconds)
    await surveys.end_overdue()
    assert (await brand.now(now.conversation_id)).stage is stage


async def test_those_whose_time_is_not_over_are_not_in_the_way_of_the_others(
    brand: Brand, surveys: Surveys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveys_module, "AT_ONCE", 2)
    people = [consumer() for _ in range(7)]
    opened = [await brand.open(who) for who in people]
    brand.clock.advance(days=2)
    overdue = [await in_survey(brand) for _ in range(5)]
    brand.clock.advance(days=1)
    for who, one in zip(people, opened, strict=True):  # older conversations, later surveys
        await brand.update(who, one.conversation_id, CloseDialog(DialogId(one.conversation_id)))
    await surveys.end_overdue()
    stages = [(await brand.now(one.conversation_id)).stage for one in (*opened, *overdue)]
    assert stages == [State.OPEN] * 7 + [State.CLOSE] * 5


async def test_one_account_that_fails_holds_up_no_other_and_is_named(
    brand: Brand, accounts: Accounts, surveys: Surveys
) -> None:
    first = AccountId("10000000")
    await accounts.create(first)
    now, broken = await in_survey(brand), await in_survey(brand, consumer(first))
    assert broken.account_id == first

    sql = "UPDATE conversations SET record = '{' WHERE account_id = $1"
    await brand.database.write(lambda tx: tx.execute(sql, first))
    brand.clock.advance(days=1)
    (job,) = jobs(surveys)
    results = list[str]()
    await Worker([job], lambda _name, result, _seconds: results.append(result)).run_once(job)
    assert results == ["failed"]
    with pytest.raises(Exception, match="truncated") as failure:
        await surveys.end_overdue()
    assert failure.value.__notes__ == ["account 10000000"]
    assert (await brand.now(now.conversation_id)).stage is State.CLOSE
