"""Fields of a conversation: what a request makes of it, who may ask, all or nothing."""

import pytest

from routing_rooms import Brand, consumer
from talkwire.conversations.errors import (
    AgentAlreadyAssigned,
    ConversationClosed,
    ConversationNotFound,
    DialogClosed,
    DialogNotFound,
    FieldInvalid,
    MayNotChange,
    ParticipantAbsent,
)
from talkwire.conversations.model import (
    CloseReason,
    Csat,
    Delay,
    DialogType,
    ParticipantState,
    Role,
    State,
    Ttr,
    TtrType,
)
from talkwire.kernel.ids import DialogId, SkillId
from talkwire.routing.errors import AgentNotFound
from talkwire.routing.model import (
    Availability,
    ChangeType,
    CloseConversation,
    CloseDialog,
    CsatChange,
    DelayChange,
    FieldChange,
    ManualEttrChange,
    NoteChange,
    ParticipantsChange,
    RingState,
    SkillChange,
    TopicChange,
    TtrChange,
)


def add(role: Role, user_id: str = "") -> ParticipantsChange:
    return ParticipantsChange(ChangeType.ADD, role, user_id)


def remove(role: Role, user_id: str = "") -> ParticipantsChange:
    return ParticipantsChange(ChangeType.REMOVE, role, user_id)


def suggest(user_id: str) -> ParticipantsChange:
    return ParticipantsChange(ChangeType.SUGGEST, Role.ASSIGNED_AGENT, user_id)


ACCEPT = ParticipantsChange(ChangeType.ACCEPT, Role.ASSIGNED_AGENT)
REJECT = ParticipantsChange(ChangeType.REJECT, Role.ASSIGNED_AGENT)
CLOSE = CloseConversation()
RATE = CsatChange(Csat(rate=5, resolution_confirmed=True))
OTHER_SKILL = SkillChange(SkillId("77"))


async def test_closing_tells_so_and_closes_everything(brand: Brand) -> None:
    who = consumer()
    opened = await brand.open(who)
    assert await brand.update(who, opened.conversation_id, CLOSE) == "OK Conversation resolved successfully"
    now = await brand.now(opened.conversation_id)
    assert (now.state, now.stage, now.main.state) == (State.CLOSE, State.CLOSE, State.CLOSE)
    assert (now.close_reason, now.main.closed_by) == (CloseReason.CONSUMER, CloseReason.CONSUMER)
    assert now.closed_at_ms == now.main.closed_at_ms == brand.clock.now_ms()


async def test_a_second_close_is_refused_in_these_words(brand: Brand) -> None:
    who = consumer()
    opened = await brand.open(who)
    await brand.update(who, opened.conversation_id, CLOSE)
    with pytest.raises(ConversationClosed, match=r"^Conversation is already closed$"):
        await brand.update(who, opened.conversation_id, CLOSE)


async def test_a_rating_is_taken_after_the_close_and_nothing_else_is(brand: Brand) -> None:
    who, manager = consumer(), brand.agent("manager")
    opened = await brand.open(who)
    await brand.update(manager, opened.conversation_id, add(Role.MANAGER))
    await brand.update(who, opened.conversation_id, CLOSE)
    assert (
        await brand.update(who, opened.conversation_id, RATE) == "OK Conversation field updated successfully"
    )
    assert (await brand.now(opened.conversation_id)).csat == Csat(rate=5, resolution_confirmed=True)
    with pytest.raises(ConversationClosed):
        await brand.update(manager, opened.conversation_id, NoteChange("late"))


@pytest.mark.parametrize("rate", [0, 6])
async def test_a_rating_is_between_one_and_five(brand: Brand, rate: int) -> None:
    who = consumer()
    opened = await brand.open(who)
    with pytest.raises(FieldInvalid):
        await brand.update(who, opened.conversation_id, CsatChange(Csat(rate=rate)))


async def test_all_items_or_none(brand: Brand) -> None:
    manager = brand.agent("manager")
    opened = await brand.open()
    with pytest.raises(ParticipantAbsent, match=r"^Agent does not exist in conversation$"):
        await brand.update(
            manager, opened.conversation_id, add(Role.MANAGER), NoteChange("x"), remove(Role.READER)
        )
    now = await brand.now(opened.conversation_id)
    assert now == opened


async def test_adding_twice_changes_nothing(brand: Brand) -> None:
    manager = brand.agent("manager")
    opened = await brand.open()
    for _ in range(2):
        text = await brand.update(manager, opened.conversation_id, add(Role.MANAGER, manager.old_id))
        assert text == "OK Agent added successfully"
    assert (await brand.now(opened.conversation_id)).version == 2


async def test_a_second_assigned_agent_is_refused_but_the_same_one_is_not(brand: Brand) -> None:
    first, second = brand.agent("bot"), brand.agent("bot")
    opened = await brand.open()
    await brand.update(first, opened.conversation_id, add(Role.ASSIGNED_AGENT))
    await brand.update(first, opened.conversation_id, add(Role.ASSIGNED_AGENT))
    with pytest.raises(AgentAlreadyAssigned):
        await brand.update(second, opened.conversation_id, add(Role.ASSIGNED_AGENT))


async def test_a_take_over_is_one_request_in_either_order(brand: Brand) -> None:
    first, bot = await brand.online(), brand.agent("bot")
    conversation = await brand.held_by(first)
    await brand.update(
        bot,
        conversation.conversation_id,
        add(Role.ASSIGNED_AGENT, bot.old_id),
        remove(Role.ASSIGNED_AGENT, first.old_id),
    )
    assigned = (await brand.now(conversation.conversation_id)).assigned_agent
    assert assigned is not None
    assert assigned.id == bot.id


async def test_back_to_the_queue_rings_somebody_else(brand: Brand) -> None:
    first = await brand.online()
    conversation = await brand.held_by(first)
    second = await brand.online()
    text = await brand.update(first, conversation.conversation_id, remove(Role.ASSIGNED_AGENT))
    assert text == "OK Agent removed successfully"
    await brand.settle()
    assert brand.rings(first) == []
    assert len(brand.rings(second)) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_transfer_to_a_skill_in_either_order(brand: Brand, order: tuple[int, int]) -> None:
    agent = await brand.online()
    conversation = await brand.held_by(agent)
    items: tuple[FieldChange, FieldChange] = (remove(Role.ASSIGNED_AGENT), OTHER_SKILL)
    await brand.update(agent, conversation.conversation_id, *(items[i] for i in order))
    now = await brand.now(conversation.conversation_id)
    assert (now.skill_id, now.assigned_agent) == ("77", None)
    assert now.queued_at_ms > 0


async def test_transfer_to_an_agent_rings_that_agent_alone(brand: Brand) -> None:
    first = await brand.online()
    conversation = await brand.held_by(first)
    second, third = brand.agent(), await brand.online()
    await brand.come_online(second, Availability.OCCUPIED)
    await brand.update(
        first, conversation.conversation_id, remove(Role.ASSIGNED_AGENT), suggest(second.old_id), OTHER_SKILL
    )
    await brand.settle()
    now = await brand.now(conversation.conversation_id)
    [suggested] = now.suggested_agents
    assert (suggested.id, suggested.state) == (second.id, ParticipantState.SUGGESTED)
    assert now.roles_of(second.id) == ()
    [ring] = brand.rings(second)
    assert ring.is_transfer
    assert brand.rings(first) == brand.rings(third) == []
    await brand.answer(second, conversation.conversation_id)
    assert (await brand.now(conversation.conversation_id)).roles_of(second.id) == (Role.ASSIGNED_AGENT,)
    assert (await brand.now(conversation.conversation_id)).suggested_agents == ()


async def test_a_suggestions_ring_waits_while_the_assigned_agent_stays(brand: Brand) -> None:
    first, second = await brand.online(), brand.agent()
    conversation = await brand.held_by(first)
    await brand.come_online(second)
    brand.rung.clear()
    await brand.update(first, conversation.conversation_id, suggest(second.id))
    await brand.settle()
    [view] = brand.rung
    assert (view.ring.agent_id, view.ring.state) == (second.id, RingState.WAITING)
    assert (view.assigned_agent_id, view.task_completed) == (first.id, False)
    brand.rung.clear()
    await brand.answer(second, conversation.conversation_id)
    [view] = brand.rung
    assert (view.ring.state, view.assigned_agent_id) == (RingState.ACCEPTED, second.id)
    assert view.task_completed


@pytest.mark.parametrize("by_ring", [True, False])
async def test_a_rejected_suggestion_goes_back_to_the_queue(brand: Brand, *, by_ring: bool) -> None:
    first, second = await brand.online(), brand.agent()
    conversation = await brand.held_by(first)
    await brand.come_online(second)
    await brand.update(first, conversation.conversation_id, remove(Role.ASSIGNED_AGENT), suggest(second.id))
    await brand.settle()
    brand.rung.clear()
    if by_ring:
        await brand.answer(second, conversation.conversation_id, RingState.REJECTED)
    else:
        await brand.update(second, conversation.conversation_id, REJECT)
    assert [view.ring.state for view in brand.rung] == [RingState.REJECTED]
    assert (await brand.now(conversation.conversation_id)).suggested_agents == ()
    await brand.settle()
    await brand.pass_time(10)
    assert len(brand.rings(first)) + len(brand.rings(second)) >= 1


async def test_a_suggested_agent_may_accept_by_the_field(brand: Brand) -> None:
    first, second = await brand.online(), brand.agent()
    conversation = await brand.held_by(first)
    await brand.update(first, conversation.conversation_id, suggest(second.id))
    await brand.update(second, conversation.conversation_id, ACCEPT)
    now = await brand.now(conversation.conversation_id)
    assert now.roles_of(second.id) == (Role.ASSIGNED_AGENT,)
    assert now.roles_of(first.id) == ()


async def test_a_suggestion_to_somebody_away_lapses_after_a_rings_time(brand: Brand) -> None:
    first, away = await brand.online(), brand.agent()
    conversation = await brand.held_by(first)
    await brand.update(first, conversation.conversation_id, remove(Role.ASSIGNED_AGENT), suggest(away.id))
    await brand.pass_time(71)
    assert len((await brand.now(conversation.conversation_id)).suggested_agents) == 1
    await brand.pass_time(1)
    assert (await brand.now(conversation.conversation_id)).suggested_agents == ()
    await brand.settle()
    assert len(brand.rings(first)) == 1


async def test_a_suggested_agents_expired_ring_ends_the_suggestion(brand: Brand) -> None:
    first, second = await brand.online(), await brand.online()
    conversation = await brand.held_by(first)
    await brand.update(first, conversation.conversation_id, remove(Role.ASSIGNED_AGENT), suggest(second.id))
    await brand.settle()
    await brand.pass_time(72.1)
    now = await brand.now(conversation.conversation_id)
    assert now.suggested_agents == ()
    assert len(brand.rings(first)) + len(brand.rings(second)) >= 1


async def test_whoever_is_no_agent_cannot_be_added_suggested_or_removed(brand: Brand) -> None:
    manager = brand.agent("manager")
    opened = await brand.open()
    with pytest.raises(AgentNotFound):
        await brand.update(manager, opened.conversation_id, add(Role.MANAGER, "nobody"))
    with pytest.raises(ParticipantAbsent):
        await brand.update(manager, opened.conversation_id, remove(Role.MANAGER, "nobody"))


async def test_nobody_joins_as_a_consumer(brand: Brand) -> None:
    manager = brand.agent("manager")
    opened = await brand.open()
    with pytest.raises((FieldInvalid, MayNotChange)):
        await brand.update(manager, opened.conversation_id, add(Role.CONSUMER))


async def test_an_empty_request_and_an_endless_one_are_refused(brand: Brand) -> None:
    who = consumer()
    opened = await brand.open(who)
    for changes in ((), (CLOSE,) * 51):
        with pytest.raises(FieldInvalid):
            await brand.update(who, opened.conversation_id, *changes)


async def test_the_other_fields_hold_what_they_are_told(brand: Brand) -> None:
    bot = brand.agent("bot")
    opened = await brand.open()
    await brand.update(bot, opened.conversation_id, add(Role.MANAGER))
    text = await brand.update(
        bot,
        opened.conversation_id,
        NoteChange("vip"),
        TopicChange("shoes"),
        ManualEttrChange(5),
        TtrChange(Ttr(TtrType.CUSTOM, 1800)),
    )
    now = await brand.now(opened.conversation_id)
    assert text == "OK Conversation field updated successfully"
    assert (now.note, now.topic, now.ttr) == ("vip", "shoes", Ttr(TtrType.CUSTOM, 1800))
    assert now.manual_ettr_ms is None  # a new promise replaces the manual one


async def test_a_delay_is_held_and_taken_back_and_a_role_is_changed(brand: Brand) -> None:
    manager = brand.agent("manager")
    opened = await brand.open()
    night = Delay("NIGHT", 5)
    joined = ParticipantsChange(ChangeType.UPDATE, Role.READER)
    text = await brand.update(manager, opened.conversation_id, add(Role.MANAGER), DelayChange(night), joined)
    now = await brand.now(opened.conversation_id)
    assert text == "OK Agent added successfully"
    assert (now.delay, now.roles_of(manager.id)) == (night, (Role.READER,))
    await brand.update(manager, opened.conversation_id, DelayChange(None))
    assert (await brand.now(opened.conversation_id)).delay is None


@pytest.mark.parametrize("kind", [ChangeType.ACCEPT, ChangeType.REJECT])
async def test_only_an_assignment_is_accepted_or_rejected(brand: Brand, kind: ChangeType) -> None:
    agent = await brand.online()
    opened = await brand.open()
    await brand.settle()
    with pytest.raises(FieldInvalid):
        await brand.update(agent, opened.conversation_id, ParticipantsChange(kind, Role.MANAGER))


async def test_a_negative_ttr_and_a_book_of_a_note_are_refused(brand: Brand) -> None:
    manager = brand.agent("manager")
    opened = await brand.open()
    await brand.update(manager, opened.conversation_id, add(Role.MANAGER))
    for change in (TtrChange(Ttr(TtrType.CUSTOM, -1)), NoteChange("x" * 8193)):
        with pytest.raises(FieldInvalid):
            await brand.update(manager, opened.conversation_id, change)


async def test_closing_the_main_dialog_closes_the_conversation_without_a_survey(brand: Brand) -> None:
    who = consumer()
    opened = await brand.open(who)
    main = DialogId(opened.conversation_id)
    text = await brand.update(who, opened.conversation_id, CloseDialog(main, "enough"))
    now = await brand.now(opened.conversation_id)
    assert text == "OK Conversation resolved successfully"
    assert (now.state, now.stage, now.main.closed_cause) == (State.CLOSE, State.CLOSE, "enough")


async def test_closing_the_main_dialog_opens_the_survey_where_there_is_one(brand: Brand) -> None:
    brand.survey_app = "app-1"
    agent, who = await brand.online(), consumer()
    conversation = await brand.held_by(agent, who)
    main = DialogId(conversation.conversation_id)
    await brand.update(agent, conversation.conversation_id, CloseDialog(main))
    now = await brand.now(conversation.conversation_id)
    assert (now.state, now.stage, now.close_reason) == (State.CLOSE, State.OPEN, CloseReason.AGENT)
    survey = now.dialogs[1]
    assert (survey.type, survey.state, survey.app_install_id) == (DialogType.POST_SURVEY, State.OPEN, "app-1")
    assert len(survey.dialog_id) == 22
    view = await brand.conversations.view_of_dialog(who.account_id, survey.dialog_id)
    assert view.conversation is now
    with pytest.raises(DialogClosed):
        await brand.update(who, conversation.conversation_id, CloseDialog(main))
    await brand.update(who, conversation.conversation_id, CloseDialog(survey.dialog_id))
    now = await brand.now(conversation.conversation_id)
    assert (now.stage, now.close_reason) == (State.CLOSE, CloseReason.AGENT)


async def test_a_dialog_of_another_conversation_is_not_found(brand: Brand) -> None:
    who = consumer()
    opened, other = await brand.open(who), await brand.open(who)
    with pytest.raises(DialogNotFound):
        await brand.update(who, opened.conversation_id, CloseDialog(DialogId(other.conversation_id)))


@pytest.mark.parametrize(
    "change",
    [add(Role.MANAGER), remove(Role.ASSIGNED_AGENT), OTHER_SKILL, NoteChange("x"), TopicChange("x"), ACCEPT],
)
async def test_a_consumer_changes_nothing_of_the_brands(brand: Brand, change: FieldChange) -> None:
    who = consumer()
    opened = await brand.open(who)
    with pytest.raises(MayNotChange):
        await brand.update(who, opened.conversation_id, change)


async def test_a_consumer_may_ask_for_an_urgent_answer_but_not_name_the_seconds(brand: Brand) -> None:
    who = consumer()
    opened = await brand.open(who)
    await brand.update(who, opened.conversation_id, TtrChange(Ttr(TtrType.URGENT, 300)))
    with pytest.raises(MayNotChange):
        await brand.update(who, opened.conversation_id, TtrChange(Ttr(TtrType.CUSTOM, 1)))


@pytest.mark.parametrize("change", [CLOSE, RATE, NoteChange("x"), add(Role.READER)])
async def test_anothers_conversation_looks_like_none(brand: Brand, change: FieldChange) -> None:
    opened = await brand.open()
    for stranger in (consumer(), brand.agent()):
        with pytest.raises(ConversationNotFound):
            await brand.update(stranger, opened.conversation_id, change)
        with pytest.raises(ConversationNotFound):
            await brand.update(stranger, "no-such-conversation", change)


@pytest.mark.parametrize(
    ("profile", "change"),
    [
        ("bot", NoteChange("x")),
        ("bot", CLOSE),
        ("bot", OTHER_SKILL),
        ("bot", remove(Role.ASSIGNED_AGENT, "other")),
        ("bot", add(Role.MANAGER, "other")),
        ("bot", RATE),
        ("bot", ACCEPT),
        ("manager", add(Role.ASSIGNED_AGENT)),
        ("manager", add(Role.CONTROLLER)),
        ("manager", RATE),
        ("administrator", add(Role.ASSIGNED_AGENT)),
    ],
)
async def test_who_sees_it_but_does_not_take_part_may_not(
    brand: Brand, profile: str, change: FieldChange
) -> None:
    who, other = brand.agent(profile), brand.agent()
    opened = await brand.open()
    if isinstance(change, ParticipantsChange) and change.user_id:
        change = ParticipantsChange(change.type, change.role, other.id)
    with pytest.raises(MayNotChange):
        await brand.update(who, opened.conversation_id, change)


@pytest.mark.parametrize(
    ("profile", "role"),
    [
        ("manager", Role.MANAGER),
        ("manager", Role.READER),
        ("administrator", Role.MANAGER),
        ("bot", Role.MANAGER),
        ("bot", Role.READER),
        ("bot", Role.ASSIGNED_AGENT),
        ("bot", Role.CONTROLLER),
    ],
)
async def test_who_may_join_by_itself(brand: Brand, profile: str, role: Role) -> None:
    who = brand.agent(profile)
    opened = await brand.open()
    await brand.update(who, opened.conversation_id, add(role))
    assert (await brand.now(opened.conversation_id)).roles_of(who.id) == (role,)
    await brand.update(who, opened.conversation_id, remove(role))
    assert (await brand.now(opened.conversation_id)).roles_of(who.id) == ()


async def test_an_assigned_agent_neither_adds_nor_removes_others(brand: Brand) -> None:
    agent, manager, other = await brand.online(), brand.agent("manager"), brand.agent()
    conversation = await brand.held_by(agent)
    await brand.update(manager, conversation.conversation_id, add(Role.MANAGER))
    for change in (add(Role.READER, other.id), remove(Role.MANAGER, manager.id), add(Role.MANAGER)):
        with pytest.raises(MayNotChange):
            await brand.update(agent, conversation.conversation_id, change)


async def test_who_is_rung_may_join_as_assigned_agent_and_that_accepts_the_ring(brand: Brand) -> None:
    agent, other = await brand.online(), await brand.online()
    opened = await brand.open()
    await brand.settle()
    brand.rung.clear()
    await brand.update(agent, opened.conversation_id, add(Role.ASSIGNED_AGENT))
    states = {view.ring.agent_id: view.ring.state for view in brand.rung}
    assert states == {agent.id: RingState.ACCEPTED, other.id: RingState.CANCELLED}


async def test_a_reader_may_leave_but_not_close(brand: Brand) -> None:
    reader = brand.agent("bot")
    opened = await brand.open()
    await brand.update(reader, opened.conversation_id, add(Role.READER))
    with pytest.raises(MayNotChange):
        await brand.update(reader, opened.conversation_id, CLOSE)
