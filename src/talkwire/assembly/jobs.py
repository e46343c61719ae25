"""Every job of the house, as the worker runs them."""

from talkwire.assembly.foundation import Foundation
from talkwire.assembly.identity import IdentityRooms
from talkwire.connectors.deliveries import jobs as delivery_jobs
from talkwire.conversations.jobs import jobs as conversation_jobs
from talkwire.conversations.service import Conversations
from talkwire.conversations.surveys import Surveys
from talkwire.identity.jobs import jobs as identity_jobs
from talkwire.kernel.jobs import Job
from talkwire.messaging.jobs import jobs as messaging_jobs
from talkwire.routing.jobs import jobs as routing_jobs


def jobs_of(base: Foundation, identity: IdentityRooms, conversations: Conversations) -> list[Job]:
    surveys = Surveys(base.database, base.clock, conversations, identity.accounts)
    return [
        *identity_jobs(identity.accounts, identity.sessions),
        *conversation_jobs(surveys),
        *routing_jobs(base.database, base.clock),
        *delivery_jobs(base.database, base.clock, base.settings.webhooks.webhook_dead_letter_days),
        *messaging_jobs(base.database, base.clock, base.settings.messages.idempotency_key_seconds),
    ]
