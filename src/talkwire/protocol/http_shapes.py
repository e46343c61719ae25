"""Bodies and answers of HTTP calls, as the published description tells them. Handlers are more tolerant.

Source: docs/protocol.md 2, 3, 7, 9.10, 9.11, 10.
"""

from typing import Annotated, Any, Literal

import msgspec

Id = str | int
"""COMPAT: ids come as text or as numbers."""

Moment = Annotated[int, msgspec.Meta(description="Epoch milliseconds.")]


class Refusal(msgspec.Struct):
    """Every refusal: `errorCode` is the HTTP status × 100 + n."""

    kind: str
    code: int
    type: str
    body: dict[str, Any]
    error: dict[str, Any] | None = None
    internalCode: int | None = None  # noqa: N815 -- the wire's spelling


class SignInRefusal(msgspec.Struct, rename="camel"):
    """How signing in, refreshing and signing out refuse."""

    error: dict[str, Any]
    internal_code: int


class BaseUri(msgspec.Struct):
    """Where a service answers: `host` or `host:port`, without scheme."""

    service: str
    account: str
    baseURI: str  # noqa: N815 -- the wire's spelling


class BaseUris(msgspec.Struct):
    baseURIs: list[BaseUri]  # noqa: N815


class SignInBody(msgspec.Struct, rename="camel", omit_defaults=True):
    """A password, or the four values of an application key; `assertion` (SAML) is refused."""

    username: str | None = None
    password: str | None = None
    app_key: str | None = None
    secret: str | None = None
    access_token: str | None = None
    access_token_secret: str | None = None


class SignedInAnswer(msgspec.Struct):
    csrf: str
    bearer: str
    wsuk: str
    sessionTTl: str  # noqa: N815
    config: dict[str, Any]
    csdsCollectionResponse: BaseUris  # noqa: N815
    accountData: dict[str, Any]  # noqa: N815


class CsrfBody(msgspec.Struct):
    """Beside the cookie."""

    csrf: str


class JwtAnswer(msgspec.Struct):
    """A consumer's JWT (RS256)."""

    jwt: str


class TokenAnswer(msgspec.Struct):
    token: str


class AuthCodeBody(msgspec.Struct, rename="camel"):
    """A JWT that the brand's own identity service signed."""

    auth_code: str


class IdTokenBody(msgspec.Struct):
    """The same, as newer clients name it."""

    id_token: str


class RenewalBody(msgspec.Struct, omit_defaults=True):
    """With the last token, the same visitor goes on."""

    id_token: str | None = None


class AppTokenForm(msgspec.Struct):
    """As a form, or as parameters of the address."""

    grant_type: Literal["client_credentials"]
    client_id: str
    client_secret: str


class AppTokenAnswer(msgspec.Struct):
    access_token: str
    token_type: str
    expires_in: int


class ExternalConsumerBody(msgspec.Struct):
    """Who somebody is at the connector: always the same consumer here."""

    ext_consumer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class ConnectorRequest(msgspec.Struct, omit_defaults=True):
    """A request as on sockets; its bodies are those of asyncapi.json."""

    type: str
    id: Id | None = None
    kind: str = "req"
    body: dict[str, Any] | None = None
    metadata: list[dict[str, Any]] | None = None


class ConnectorAnswer(msgspec.Struct, rename="camel"):
    """`code` is the name of the status; texts stand as `{"msg"}`."""

    code: str
    body: Any
    req_id: str | None = None


class PropertyValue(msgspec.Struct):
    value: str | bool | int | float


class PropertyBody(msgspec.Struct, rename="camel", omit_defaults=True):
    property_value: PropertyValue
    id: str | None = None
    type: int = 2
    deleted: bool | str = False


class PropertyAnswer(msgspec.Struct, rename="camel"):
    id: str
    type: int
    property_value: dict[str, Any]
    created_date: Moment
    modified_date: Moment
    deleted: bool


class FeatureGrants(msgspec.Struct, rename="camel"):
    """`appDataList[].accountList.accountList[].itemsCollection.data[]`: `{compoundFeatureID, value: {value}}`."""

    app_data_list: list[dict[str, Any]]


class UserBody(msgspec.Struct, rename="camel", omit_defaults=True):
    """A user to make needs `loginName` and `password`; to change one, what is left out stays."""

    login_name: str | None = None
    password: str | None = None
    full_name: str | None = None
    nickname: str | None = None
    email: str | None = None
    picture_url: str | None = None
    employee_id: str | None = None
    is_enabled: bool | None = None
    max_chats: int | None = None
    skill_ids: list[Id] | None = None
    profile_ids: list[int] | None = None
    granted_privileges: list[str] | None = None
    user_type_id: int | None = None


class UserAnswer(msgspec.Struct, rename="camel"):
    """With `select` only the members named."""

    id: int | None = None
    pid: str | None = None
    login_name: str | None = None
    full_name: str | None = None
    nickname: str | None = None
    is_enabled: bool | None = None
    max_chats: int | None = None
    skill_ids: list[Id] | None = None
    profile_ids: list[int] | None = None
    privileges: list[str] | None = None
    revision: int | None = None


class ProfileAnswer(msgspec.Struct, rename="camel"):
    id: int
    name: str
    deleted: bool
    max_chats: int
    permissions: list[str]


class PrivilegesBody(msgspec.Struct):
    """Which privileges of a profile to switch on or off; others stay."""

    privileges: dict[str, bool]


class SkillBody(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    description: str | None = None


class SkillAnswer(msgspec.Struct, rename="camel"):
    """With `select` only the members named."""

    id: int | None = None
    name: str | None = None
    description: str | None = None
    deleted: bool | None = None
    date_created: Moment | None = None
    date_updated: Moment | None = None


class CampaignBody(msgspec.Struct, rename="camel"):
    """An empty engagement stands for the whole campaign."""

    campaign_id: Id
    skill_id: Id
    engagement_id: Id = ""


class BrandKeyBody(msgspec.Struct, rename="camel"):
    public_key: str
    issuer: str = ""


class BrandKeyAnswer(msgspec.Struct, rename="camel"):
    id: str
    issuer: str
    public_key: str
    created_date: Moment


class SigningKeyAnswer(msgspec.Struct):
    kid: str


class ApiKeyAnswer(msgspec.Struct, rename="camel"):
    """Shown this once."""

    app_key: str
    secret: str
    access_token: str
    access_token_secret: str


class InstallationBody(msgspec.Struct, omit_defaults=True):
    """`capabilities` are meant whole; other members that are missing stay."""

    client_name: str | None = None
    description: str | None = None
    enabled: bool | None = None
    logo_uri: str | None = None
    scope: str | None = None
    grant_types: list[str] | None = None
    response_types: list[str] | None = None
    capabilities: dict[str, Any] | None = None


class InstallationAnswer(msgspec.Struct):
    id: str
    client_id: str
    client_secret: str
    client_id_issued_at: int
    client_secret_expires_at: int
    client_name: str
    description: str
    enabled: bool
    deleted: bool
    logo_uri: str
    grant_types: list[str]
    response_types: list[str]
    scope: str
    capabilities: dict[str, Any]


class EndpointAnswer(msgspec.Struct, rename="camel"):
    """An address that apps are told at, and how it does."""

    client_id: str
    endpoint: str
    event_keys: list[str]
    state: str
    state_since: Moment
    waiting_conversations: int
    retrying: int
    dead: int
    next_attempt: Moment | None
    last_error: str


class DeadLetter(msgspec.Struct, rename="camel"):
    """What could not be delivered, without its text."""

    delivery_id: str
    client_id: str
    endpoint: str
    event_key: str
    conversation_id: str
    dialog_id: str
    sequence: int
    event_time: Moment
    given_up_time: Moment
    reason: str
    attempts: int
    last_error: str


class Readiness(msgspec.Struct):
    ready: bool
    checks: dict[str, str]
