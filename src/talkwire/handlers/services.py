"""The full set of services, as handlers and what lies right of them see it."""

from dataclasses import dataclass

from talkwire.accounts.service import Accounts
from talkwire.conversations.opening import Opening
from talkwire.conversations.service import Conversations
from talkwire.files.service import Files
from talkwire.history.search import History
from talkwire.identity.agents import Agents
from talkwire.identity.consumers import Consumers
from talkwire.identity.sign_in import SignIn
from talkwire.kernel.clock import Clock
from talkwire.messaging.automatic import AutomaticMessages
from talkwire.messaging.catching_up import Log
from talkwire.messaging.controller import Controller
from talkwire.messaging.feeds import Feeds
from talkwire.messaging.file_publishing import FilePublishing
from talkwire.messaging.hub import Hub
from talkwire.messaging.presence import Presence
from talkwire.messaging.publishing import Publishing
from talkwire.routing.service import Routing
from talkwire.routing.skill_rules import SkillRules


@dataclass(frozen=True)
class Services:
    """Made once, by assembly."""

    accounts: Accounts
    agents: Agents
    automatic_messages: AutomaticMessages
    clock: Clock
    consumers: Consumers
    controller: Controller
    conversations: Conversations
    feeds: Feeds
    file_publishing: FilePublishing
    files: Files
    history: History
    hub: Hub
    log: Log
    opening: Opening
    presence: Presence
    publishing: Publishing
    routing: Routing
    skill_rules: SkillRules
    sign_in: SignIn
