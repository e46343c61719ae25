"""Which services a brand has, and where. One node serves them all, so each has the same host.

Source: docs/protocol.md 2.
"""

from talkwire.accounts.errors import ServiceUnknown
from talkwire.kernel.ids import AccountId

STORAGE = "swift"
SERVICE_NAMES = (
    "asyncMessagingEnt",  # consumer and brand sockets, connector REST
    "facadeMsg",  # COMPAT: node-agent-sdk 1.4 dials wss://undefined without it
    "agentVep",  # agent sign-in
    "idp",  # consumer identity
    "sentinel",  # applications' tokens
    STORAGE,  # file upload and download
    "accountConfigReadWrite",
    "accountConfigReadOnly",
    "acCdnDomain",  # public agent profiles
    "msgHist",  # history
    "leDataReporting",
    "rtbf",  # personal data deletion
    "rfl",
    "adminArea",
    "mtlsGateway",
    "smt",
    "asyncMessaging",
    "secureFormConfig",
    "pciCaptureService",
    "promptlibrary",
)


def base_uri(account_id: AccountId, service: str, host: str, storage_host: str = "") -> dict[str, str]:
    """One entry of a discovery answer; hosts are `host` or `host:port`. Raises ServiceUnknown.

    `storage_host` is the one that serves files alone; empty when none does.
    """
    if service not in SERVICE_NAMES:
        raise ServiceUnknown(f"No service {service[:64]!r}")
    uri = storage_host if service == STORAGE and storage_host else host
    return {"service": service, "account": account_id, "baseURI": uri}


def base_uris(account_id: AccountId, host: str, storage_host: str = "") -> list[dict[str, str]]:
    """All entries of a discovery answer."""
    return [base_uri(account_id, service, host, storage_host) for service in SERVICE_NAMES]
