"""Every account property a brand may change at run time, with its type and default.

Unknown names are stored and given back too (clients keep their own there); only these have a meaning here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    name: str
    default: bool | int | str
    help: str


CONSUMER_FILE_SHARING = Property(
    "messaging.file.sharing.enabled",
    default=False,
    help="Consumers and connectors may upload files.",
)
AGENT_FILE_SHARING = Property(
    "messaging.agent.file.sharing.enabled",
    default=False,
    help="Agents and bots may upload files; needs the consumers' switch as well.",
)
ONE_OPEN_CONVERSATION = Property(
    "messaging.one.open.conversation.per.consumer",
    default=False,
    help="A second request of a consumer answers with the id of the open conversation.",
)
DEFAULT_TTR_SECONDS = Property(
    "messaging.default.ttr.seconds",
    default=600,
    help="Time to response of a new conversation.",
)
SURVEY_APP = Property(
    "messaging.survey.app.installation.id",
    default="",
    help="The installed app that asks after the main dialog; without one no survey dialog is opened.",
)
SURVEY_SECONDS = Property(
    "messaging.survey.timeout.seconds",
    default=86_400,
    help="A survey that nobody ended closes so many seconds after it was opened, and its conversation with it; "
    "0 keeps it open, and the erasure of its consumer waits for it.",
)
CONSUMER_LONG_SIDE = Property(
    "messaging.file.sharing.long.side",
    default=0,
    help="Consumers' and connectors' pictures are made smaller until their longer side has so many pixels; "
    "0 keeps them.",
)
AGENT_LONG_SIDE = Property(
    "messaging.agent.file.sharing.long.side",
    default=800,
    help="The same for pictures of agents and bots.",
)
CONSUMER_DAILY_FILES = Property(
    "messaging.file.sharing.consumer.daily.files",
    default=2_000,
    help="Files that one consumer may upload on one day (UTC); 0: any number.",
)
CONSUMER_DAILY_MEGABYTES = Property(
    "messaging.file.sharing.consumer.daily.megabytes",
    default=2_048,
    help="What one consumer may upload on one day, in MB; 0: any amount.",
)
ACCOUNT_DAILY_FILES = Property(
    "messaging.file.sharing.account.daily.files",
    default=1_000_000,
    help="Files that all of a brand may upload on one day (UTC); 0: any number.",
)
ACCOUNT_DAILY_MEGABYTES = Property(
    "messaging.file.sharing.account.daily.megabytes",
    default=1_048_576,
    help="What all of a brand may upload on one day, in MB; 0: any amount.",
)
FILE_RETENTION_MONTHS = Property(
    "messaging.file.sharing.retention.months",
    default=13,
    help="A file goes so many months after it was last published; 0 keeps files for good.",
)

CONTROLLER_BOTS = Property(
    "messaging.controller.bots.enabled",
    default=False,
    help="Automatic messages are sent to clients that ask for them.",
)

PROPERTIES: dict[str, Property] = {
    p.name: p
    for p in (
        CONSUMER_FILE_SHARING,
        AGENT_FILE_SHARING,
        CONSUMER_LONG_SIDE,
        AGENT_LONG_SIDE,
        FILE_RETENTION_MONTHS,
        CONSUMER_DAILY_FILES,
        CONSUMER_DAILY_MEGABYTES,
        ACCOUNT_DAILY_FILES,
        ACCOUNT_DAILY_MEGABYTES,
        ONE_OPEN_CONVERSATION,
        DEFAULT_TTR_SECONDS,
        SURVEY_APP,
        SURVEY_SECONDS,
        CONTROLLER_BOTS,
    )
}

ALIASES = {"messaging.agent.file.sharing.enable": AGENT_FILE_SHARING.name}
"""COMPAT: one published example misspells the name. Source: docs/protocol.md 9.7."""

AGENT_FILE_SHARING_GRANT = "Messaging.Agent_File_Sharing"
AGENT_FILE_SHARING_V2_GRANT = "Messaging.Agent_File_Sharing_V2"
"""Feature grants that an account needs (either one) before its agents may send files."""
