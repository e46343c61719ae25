"""Conversations, routing, files and messaging, put together."""

from collections.abc import Awaitable, Callable

from talkwire.accounts.properties import CONTROLLER_BOTS, SURVEY_APP
from talkwire.accounts.service import Accounts
from talkwire.assembly.files import FileRooms
from talkwire.assembly.foundation import Foundation
from talkwire.assembly.identity import IdentityRooms
from talkwire.conversations.opening import Opening
from talkwire.conversations.service import Conversations
from talkwire.handlers.services import Services
from talkwire.history.search import Directory, History
from talkwire.kernel.ids import AccountId
from talkwire.messaging.automatic import AutomaticMessages, in_force
from talkwire.messaging.automatic_sending import AutomaticSending
from talkwire.messaging.catching_up import Log
from talkwire.messaging.controller import Controller
from talkwire.messaging.feeds import Feeds
from talkwire.messaging.file_publishing import FilePublishing
from talkwire.messaging.hub import Hub
from talkwire.messaging.leaving import Leaving
from talkwire.messaging.presence import Presence
from talkwire.messaging.previews import Previews
from talkwire.messaging.publishing import Publishing
from talkwire.messaging.rules import EventLimits
from talkwire.messaging.telling import Telling
from talkwire.routing.model import Timing
from talkwire.routing.service import Routing
from talkwire.routing.skill_rules import SkillRules
from talkwire.routing.skills import Skills
from talkwire.settings import Settings


def survey_app_of(accounts: Accounts) -> Callable[[AccountId], Awaitable[str]]:
    async def survey_app(account_id: AccountId) -> str:
        return str(await accounts.value(account_id, SURVEY_APP))

    return survey_app


def bots_allowed_by(accounts: Accounts) -> Callable[[AccountId], Awaitable[bool]]:
    async def allowed(account_id: AccountId) -> bool:
        return bool(await accounts.value(account_id, CONTROLLER_BOTS))

    return allowed


def timing_of(settings: Settings) -> Timing:
    return Timing(
        ring_life_ms=int(settings.routing.offer_seconds * 1000),
        grace_ms=int(settings.routing.agent_grace_seconds * 1000),
    )


def services_of(
    base: Foundation,
    identity: IdentityRooms,
    routing: Routing,
    files: FileRooms,
    conversations: Conversations,
) -> Services:
    settings, clock, database, tasks = base.settings, base.clock, base.database, base.tasks
    hub = Hub()
    feeds = Feeds(conversations, tasks, clock)
    presence = Presence(hub, conversations.views, clock, settings.messages.composing_seconds)
    telling = Telling(conversations, hub, feeds, presence)
    limits = EventLimits(settings.messages.text_bytes, settings.messages.rich_content_bytes)
    publishing = Publishing(database, conversations, telling, presence, clock, tasks, limits)
    previews = Previews(files.previews)
    file_publishing = FilePublishing(publishing, files.showing, files.publications, files.verdicts, previews)
    directory = Directory(identity.agents, identity.consumers.profiles, Skills(database, clock))
    skill_rules = SkillRules(database, clock, identity.consumers.profiles, identity.acts)
    leaving = Leaving(hub, conversations)
    automatic = AutomaticMessages(database, clock, identity.acts)
    messages = in_force(automatic, bots_allowed_by(identity.accounts))
    sending = AutomaticSending(database, conversations, messages, telling, clock)
    controller = Controller(database, sending, hub, clock, tasks)
    conversations.at_opening = controller.opening
    conversations.on_change(controller.changed)
    conversations.on_change(feeds.heard)
    conversations.on_change(leaving.changed)
    routing.on_ring(lambda account_id, _, view: leaving.offer_changed(account_id, view.ring.conversation_id))
    return Services(
        accounts=identity.accounts,
        agents=identity.agents,
        automatic_messages=automatic,
        clock=clock,
        consumers=identity.consumers,
        controller=controller,
        conversations=conversations,
        feeds=feeds,
        file_publishing=file_publishing,
        files=files.files,
        history=History(database, directory, previews, clock),
        hub=hub,
        log=Log(database, identity.agents, previews),
        opening=Opening(conversations, identity.accounts, skill_rules.skill_for),
        presence=presence,
        publishing=publishing,
        routing=routing,
        skill_rules=skill_rules,
        sign_in=identity.sign_in,
    )
