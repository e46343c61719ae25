"""Every HTTP route, once: what openapi.json is made from. A test demands that each route of the server is here."""

from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from talkwire.httpapi.connector_opening import MOST_REQUESTS
from talkwire.messaging.automatic_rules import AutomaticMessage
from talkwire.protocol import http_past as past
from talkwire.protocol import http_shapes as s
from talkwire.routing.rules import RoutingRule


class Parameter(NamedTuple):
    """A parameter of the address, or a header."""

    name: str
    help: str
    kind: Any = str
    required: bool = False
    place: str = "query"


class Route(NamedTuple):
    """`auth`: agent, administrator, consumer, app, connector, signature, or nothing."""

    method: str
    path: str
    summary: str
    auth: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    answer: Any = None  # None: no JSON
    status: int = 200
    media: str = "application/json"
    sent_as: str = "application/json"
    refusal: Any = s.Refusal
    refused_as: str = "application/json"


P = Parameter
ACCOUNT = "/api/account/{account_id}"
CONFIGURATION = ACCOUNT + "/configuration"
HISTORY = "/messaging_history/api/account/{account_id}"
DELETION = ACCOUNT + "/personal-data-deletion"
SCRIPT = "application/javascript"
TEXT = "text/plain"
ANY = Any

V = P("v", "Version; 1.0, 2.0, 3.0 and the like are all taken.")
SELECT = P("select", "Members wanted, by comma; `$all` for all.")
IF_MATCH = P("If-Match", "The `ac-revision` last seen; -1 compares nothing.", place="header")
WRITE = (IF_MATCH, V)
CALLBACK = P("cb", "The page's function.", required=True)
PAGE = (
    P("offset", "Records to pass over.", int),
    P("limit", "1 to 100; 50 without.", int),
    P("sort", "start:asc or start:desc."),
    P("v", "1 or 2."),
    P("source", "Who asks; ignored."),
)
APP_TOKEN = (
    P("grant_type", "client_credentials. Like the next two it may stand here instead of in the form."),
    P("client_id", "The app."),
    P("client_secret", "Its secret; better in the form, which no proxy writes down."),
)
CONNECTOR = (
    P("v", "3.", required=True),
    P("X-LP-ON-BEHALF", "The ConsumerJWS.", required=True, place="header"),
    P("Client-Properties", "JSON; what is none is ignored.", place="header"),
    P("Idempotency-Key", "1 to 128 characters: done once.", place="header"),
)
UPLOAD = (
    P("temp_url_sig", "Signature as given.", required=True),
    P("temp_url_expires", "Unix seconds as given.", required=True),
)
DOWNLOAD = (*UPLOAD, P("filename", "Name to save it under."), P("inline", "Show it instead of saving it."))


def _discovery() -> list[Route]:
    found = []
    for prefix in (ACCOUNT, "/csdr/account/{account_id}"):
        for service, answer, one in (
            ("", s.BaseUris, "every service"),
            ("/{service}", s.BaseUri, "a service"),
        ):
            path = f"{prefix}/service{service}/baseURI"
            query = (P("version", "1.0."), P("service", "One service, added at the top level."))
            found += [
                Route("GET", f"{path}.json", f"Where {one} answers", parameters=query, answer=answer),
                Route("GET", path, f"Where {one} answers", parameters=query, answer=answer),
                Route(
                    "GET", f"{path}.lpCsds", f"Where {one} answers, as a script", parameters=(CALLBACK,),
                    media=SCRIPT,
                ),
            ]  # fmt: skip
    return found


SIGN_IN = (
    Route(
        "POST", f"{ACCOUNT}/login", "An agent signs in", "", (V,), s.SignInBody, s.SignedInAnswer,
        refusal=s.SignInRefusal,
    ),
    Route("POST", f"{ACCOUNT}/refresh", "Keep a session", "cookie", (V,), s.CsrfBody, refusal=s.SignInRefusal),
    Route("POST", f"{ACCOUNT}/logout", "End a session", "cookie", (V,), s.CsrfBody, refusal=s.SignInRefusal),
    Route("POST", f"{ACCOUNT}/signup", "A new consumer", answer=s.JwtAnswer),
    Route("GET", f"{ACCOUNT}/signup.jsonp", "A new consumer, as a script",
          parameters=(P("callback", "The page's function.", required=True),), media=SCRIPT),
    Route("POST", f"{ACCOUNT}/authenticate", "A consumer whom the brand vouches for", body=s.AuthCodeBody,
          answer=s.JwtAnswer),
    Route("POST", f"{ACCOUNT}/app/{{connector_id}}/authenticate", "The same, by newer clients",
          parameters=(V,), body=s.IdTokenBody, answer=s.TokenAnswer),
    Route("POST", f"{ACCOUNT}/anonymous/authorize", "A visitor, or the same one again", body=s.RenewalBody,
          answer=s.TokenAnswer),
    Route("POST", f"/sentinel{ACCOUNT}/app/token", "A connector's AppJWT", parameters=(V, *APP_TOKEN), body=s.AppTokenForm,
          answer=s.AppTokenAnswer, sent_as="application/x-www-form-urlencoded"),
    Route("POST", f"{ACCOUNT}/consumer", "A ConsumerJWS for a connector's customer", "app", (V,),
          s.ExternalConsumerBody, s.TokenAnswer, 201),
)  # fmt: skip

ARRAY = Annotated[list[s.ConnectorRequest], Meta(min_length=1, max_length=MOST_REQUESTS)]
CONNECTORS = (
    Route("POST", f"{ACCOUNT}/messaging/consumer/conversation", "A conversation with its profile, whole or not at all",
          "connector", CONNECTOR, ARRAY, list[s.ConnectorAnswer]),
    Route("POST", f"{ACCOUNT}/messaging/consumer/conversation/send", "One request of a consumer",
          "connector", CONNECTOR, s.ConnectorRequest, s.ConnectorAnswer),
)  # fmt: skip

_PROPERTIES = f"{CONFIGURATION}/setting/properties"
_USERS = f"{CONFIGURATION}/le-users"
_APPS = f"{CONFIGURATION}/app-install/installations"
_HOOKS = f"{CONFIGURATION}/webhooks"
_LETTER = f"{_HOOKS}/dead-letters/{{delivery_id}}"
WEBHOOKS = (
    Route("GET", f"{_HOOKS}/endpoints", "How the endpoints of apps stand", "administrator", answer=list[s.EndpointAnswer]),
    Route("GET", f"{_HOOKS}/dead-letters", "What could not be delivered", "administrator",
          (P("app", "Of this client id."), P("limit", "How many; 100 without.", int)), answer=list[s.DeadLetter]),
    Route("GET", _LETTER, "One that could not be delivered", "administrator", answer=list[s.DeadLetter]),
    Route("POST", f"{_LETTER}/replay", "Deliver it after all", "administrator", answer=list[s.DeadLetter]),
    Route("DELETE", _LETTER, "Forget it", "administrator", answer=ANY),
)  # fmt: skip

CONFIGURING = (
    Route("GET", _PROPERTIES, "Site properties", "agent", (V,), answer=list[s.PropertyAnswer]),
    *(
        Route(method, _PROPERTIES, "Set the property named in the body", "administrator", WRITE, s.PropertyBody,
              s.PropertyAnswer)
        for method in ("POST", "PUT")
    ),
    Route("GET", f"{_PROPERTIES}/{{name}}", "A site property", "agent", (V,), answer=s.PropertyAnswer),
    *(
        Route(method, f"{_PROPERTIES}/{{name}}", "Set a site property", "administrator", WRITE, s.PropertyBody,
              s.PropertyAnswer)
        for method in ("PUT", "POST")
    ),
    Route("GET", f"{CONFIGURATION}/provision/featureGrants", "Feature grants", "agent", (V,), answer=s.FeatureGrants),
    Route("POST", f"{CONFIGURATION}/provision/featureGrants", "Grant features", "administrator",
          (*WRITE, P("overrideAll", "true: what is not named goes.")), s.FeatureGrants, s.FeatureGrants),
    Route("GET", f"{_USERS}/users", "Users", "agent", (V, SELECT), answer=list[s.UserAnswer]),
    Route("POST", f"{_USERS}/users", "A new user, or a list of them", "administrator", WRITE,
          s.UserBody | list[s.UserBody], s.UserAnswer | list[s.UserAnswer], 201),
    Route("GET", f"{_USERS}/users/{{user_id}}", "A user; without a bearer what consumers may see, by PId", "agent",
          (V, SELECT, P("cb", "As a script.")), answer=s.UserAnswer),
    Route("PUT", f"{_USERS}/users/{{user_id}}", "Change a user", "administrator", WRITE, s.UserBody, s.UserAnswer),
    Route("DELETE", f"{_USERS}/users/{{user_id}}", "Let a user go", "administrator", WRITE, answer=ANY),
    Route("GET", f"{_USERS}/profiles", "What profiles allow", "agent", (V,), answer=list[s.ProfileAnswer]),
    Route("PUT", f"{_USERS}/profiles/{{name}}", "Switch privileges of a profile", "administrator", WRITE,
          s.PrivilegesBody, s.ProfileAnswer),
    Route("GET", f"{_USERS}/skills", "Skills", "agent", (V, SELECT), answer=list[s.SkillAnswer]),
    Route("POST", f"{_USERS}/skills", "A new skill", "administrator", WRITE, s.SkillBody, s.SkillAnswer, 201),
    Route("GET", f"{_USERS}/skills/{{skill_id}}", "A skill", "agent", (V, SELECT), answer=s.SkillAnswer),
    Route("PUT", f"{_USERS}/skills/{{skill_id}}", "Change a skill", "administrator", WRITE, s.SkillBody,
          s.SkillAnswer),
    Route("DELETE", f"{_USERS}/skills/{{skill_id}}", "Let a skill go", "administrator", WRITE, answer=ANY),
    Route("GET", f"{CONFIGURATION}/campaigns", "Which skills engagements lead to", "administrator",
          answer=list[s.CampaignBody]),
    Route("PUT", f"{CONFIGURATION}/campaigns", "Lead an engagement to a skill", "administrator", WRITE,
          s.CampaignBody, s.CampaignBody),
    Route("GET", f"{CONFIGURATION}/routing-rules", "Routing rules, in their order", "administrator",
          answer=list[RoutingRule]),
    Route("PUT", f"{CONFIGURATION}/routing-rules", "Set the routing rules", "administrator", WRITE,
          list[RoutingRule], list[RoutingRule]),
    Route("GET", f"{CONFIGURATION}/automatic-messages", "Automatic messages, in their order", "administrator",
          answer=list[AutomaticMessage]),
    Route("PUT", f"{CONFIGURATION}/automatic-messages", "Set the automatic messages", "administrator", WRITE,
          list[AutomaticMessage], list[AutomaticMessage]),
    Route("GET", f"{CONFIGURATION}/consumer-keys", "Keys of the brand's identity service", "administrator",
          answer=list[s.BrandKeyAnswer]),
    Route("PUT", f"{CONFIGURATION}/consumer-keys/{{key_id}}", "Believe what a key signs", "administrator", WRITE,
          s.BrandKeyBody, s.BrandKeyAnswer),
    Route("DELETE", f"{CONFIGURATION}/consumer-keys/{{key_id}}", "Believe a key no more", "administrator",
          answer=ANY),
    Route("POST", f"{CONFIGURATION}/signing-keys", "Sign consumers' tokens with a new key", "administrator",
          answer=s.SigningKeyAnswer, status=201),
    Route("POST", f"{_USERS}/users/{{user_id}}/api-keys", "An application key for a bot", "administrator",
          answer=s.ApiKeyAnswer, status=201),
    Route("DELETE", f"{CONFIGURATION}/api-keys/{{app_key}}", "Revoke an application key", "administrator",
          answer=ANY),
    Route("GET", _APPS, "App installations", "administrator", (V,), answer=list[s.InstallationAnswer]),
    Route("POST", _APPS, "Install an app", "administrator", WRITE, s.InstallationBody, s.InstallationAnswer, 201),
    Route("GET", f"{_APPS}/{{client_id}}", "An installation", "administrator", (V,), answer=s.InstallationAnswer),
    Route("PUT", f"{_APPS}/{{client_id}}", "Change an installation", "administrator", WRITE, s.InstallationBody,
          s.InstallationAnswer),
    Route("DELETE", f"{_APPS}/{{client_id}}", "Let an installation go", "administrator", WRITE, answer=ANY),
    Route("POST", f"{_APPS}/{{client_id}}", "What X-HTTP-Method-Override says", "administrator",
          (*WRITE, P("X-HTTP-Method-Override", "PUT or DELETE.", required=True, place="header")),
          s.InstallationBody, s.InstallationAnswer),
)  # fmt: skip

_OWN = f"{HISTORY}/conversations/conversation/content/search"
PAST = (
    Route("POST", f"{HISTORY}/conversations/search", "Past conversations by their metadata", "agent", PAGE,
          past.SearchBody, past.FoundConversations),
    Route("POST", f"{HISTORY}/conversations/conversation/search", "Past conversations by id", "agent", PAGE,
          past.ConversationSearchBody, past.FoundConversations),
    Route("POST", f"{HISTORY}/conversations/consumer/search", "A consumer's past conversations", "agent", PAGE,
          past.ConsumerSearchBody, past.FoundConversations),
    Route("POST", f"{HISTORY}/agent-view/status", "How agents stand", "agent", body=past.AgentStatusBody,
          answer=past.AgentStatusAnswer),
    Route("GET", _OWN, "A consumer's own conversation", "consumer",
          (P("conversationId", "Which one.", required=True),), answer=past.OwnEvents),
    Route("POST", _OWN, "A consumer's own conversation", "consumer", body=past.OwnConversationBody,
          answer=past.OwnEvents),
    Route("POST", DELETION, "Ask for the deletion of personal data", "administrator", body=past.DeletionBody,
          answer=past.DeletionAnswer, status=201),
    Route("GET", DELETION, "Deletion requests", "administrator",
          (P("status", "NOT_STARTED, IN_PROGRESS, CANCELED or DONE."), P("fromDate", "A date or moment."),
           P("toDate", "A date or moment.")), answer=list[past.ListedDeletion]),
    Route("GET", f"{DELETION}/{{request_id}}", "A deletion request", "administrator",
          answer=list[past.ListedDeletion]),
    Route("POST", f"{DELETION}/{{request_id}}/cancel", "Cancel a deletion request", "administrator",
          answer=list[past.DeletionAnswer]),
    Route("DELETE", f"{DELETION}/{{request_id}}", "Cancel a deletion request", "administrator",
          answer=list[past.DeletionAnswer]),
    Route("PUT", f"{DELETION}/{{request_id}}", "Cancel a deletion request", "administrator",
          body=past.CancellationBody, answer=list[past.DeletionAnswer]),
    Route("GET", f"{DELETION}/{{request_id}}/receipt", "The signed receipt of a deletion", "administrator",
          answer=ANY),
    Route("GET", "/.well-known/talkwire/receipt-keys/{account_id}", "The keys that sign receipts", answer=ANY),
)  # fmt: skip

_FILE = "/v1/AUTH_async-images/{tail}"
_OCTETS = "application/octet-stream"
FILES = (
    Route("PUT", _FILE, "Upload a file", "signature", UPLOAD, bytes, status=201, media=TEXT, sent_as=_OCTETS,
          refusal=str, refused_as=TEXT),
    Route("GET", _FILE, "Download a file", "signature", DOWNLOAD, media=_OCTETS, refusal=str, refused_as=TEXT),
    Route("HEAD", _FILE, "Look at a file", "signature", DOWNLOAD, media=_OCTETS, refusal=str, refused_as=TEXT),
    Route("OPTIONS", _FILE, "What browsers of other origins may do", media=TEXT, refusal=str, refused_as=TEXT),
)  # fmt: skip

_SOCKET = "/ws_api/account/{account_id}/messaging"
SOCKETS = tuple(
    Route("GET", f"{_SOCKET}/{role}{rest}", f"Open a {role} socket: see asyncapi.json", "",
          (P("v", "2, 2.1 or 3."),), status=101, media=TEXT)
    for role in ("consumer", "brand")
    for rest in ("", "/", "/{token}")
)  # fmt: skip

WATCHING = (
    Route("GET", "/healthz", "The process lives", media=TEXT),
    Route("GET", "/readyz", "Send traffic here, or (503) not now", answer=s.Readiness, refusal=s.Readiness),
    Route("GET", "/metrics", "Metrics for Prometheus", media=TEXT),
    Route("GET", "/openapi.json", "This description", answer=ANY),
    Route("GET", "/asyncapi.json", "The description of the sockets", answer=ANY),
)

TAGS: dict[str, tuple[Route, ...]] = {
    "Discovery": tuple(_discovery()),
    "Signing in": SIGN_IN,
    "Connector API": CONNECTORS,
    "Files": FILES,
    "Sockets": SOCKETS,
    "History and deletion": PAST,
    "Account configuration": CONFIGURING,
    "Webhooks": WEBHOOKS,
    "Operations": WATCHING,
}
