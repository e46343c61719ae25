"""Every setting of the server, once: its type, default, bounds and help.

Read once at start from a TOML file (`--config`), the environment (`TALKWIRE_` and the name in capitals)
and flags, each over the one before. Names are unique over all sections, so that an environment variable
needs no section. Rooms receive values, never these structs. What a brand may change at run time is an
account property (`accounts/properties.py`). `docs/settings.md` is made from this table.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

KIB = 1024
MIB = 1024 * KIB  # "MB" in every limit of the protocol

PortNumber = Annotated[int, Meta(ge=0, le=65_535)]


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where clients reach the server."""

    host: Annotated[str, Meta(description="Address or host name to listen on.")] = "127.0.0.1"
    port: Annotated[PortNumber, Meta(description="Port with TLS; 0 picks a free one.")] = 8443
    http_port: Annotated[
        PortNumber | None,
        Meta(
            description="Port that serves the same without TLS, for a reverse proxy and for clients whose "
            "discovery is plain http; 0 picks a free one. Off by default, 8080 with `--demo`."
        ),
    ] = None
    public_host: Annotated[
        str,
        Meta(
            description="`host` or `host:port` that discovery tells clients. Empty: the host the client asked by."
        ),
    ] = ""
    storage_host: Annotated[
        str,
        Meta(
            description="`host` or `host:port` of a name of its own for files: discovery tells it for `swift`, it serves "
            "files and nothing else, and no other name serves files. Empty: every name serves everything."
        ),
    ] = ""
    storage_port: Annotated[
        PortNumber | None,
        Meta(
            description="Port with TLS that files go through, in a process of its own, and that discovery tells for "
            "`swift`; 0 picks a free one. Off: the server does it. `--demo`: 8444 if it is free."
        ),
    ] = None
    storage_http_port: Annotated[PortNumber | None, Meta(description="The same without TLS.")] = None
    proxy_addresses: Annotated[
        str,
        Meta(
            description="Networks of reverse proxies, with commas: their `X-Forwarded-For` says who the client is."
        ),
    ] = ""
    tls_cert_file: Annotated[
        str,
        Meta(
            description="Certificate chain, PEM. Empty: a local certificate authority is made on first start."
        ),
    ] = ""
    tls_key_file: Annotated[str, Meta(description="Private key of `tls_cert_file`, PEM.")] = ""
    http_body_bytes: Annotated[int, Meta(ge=1024, description="Longest HTTP body, uploads excepted.")] = MIB

    @property
    def advertised(self) -> str:
        """`host:port` for clients, which put `https://` or `wss://` before it."""
        if self.public_host:
            return self.public_host
        return f"{self.reachable_host}:{self.port}"

    @property
    def advertised_http(self) -> str:
        """`host:port` of the listener without TLS; empty when there is none."""
        return "" if self.http_port is None else f"{self.reachable_host}:{self.http_port}"

    @property
    def advertised_storage(self) -> str:
        """`host:port` of the one that clients take files to, with TLS."""
        if self.storage_host or self.public_host or self.storage_port is None:
            return self.storage_host or self.advertised
        return f"{self.reachable_host}:{self.storage_port}"

    @property
    def advertised_storage_http(self) -> str:
        """The same without TLS; empty when there is none."""
        own = self.storage_http_port
        return self.advertised_http if own is None else f"{self.reachable_host}:{own}"

    @property
    def reachable_host(self) -> str:
        if self.host in {"", "0.0.0.0", "::"}:  # noqa: S104 -- compared, not listened on
            return "localhost"
        return f"[{self.host}]" if ":" in self.host else self.host


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the truth lies."""

    data_folder: Annotated[str, Meta(description="Folder of the database and the files; made 0700.")] = "data"
    keys_folder: Annotated[
        str,
        Meta(
            description="Folder of the keys, never inside the data folder. Empty: beside it, its name with `-keys` added."
        ),
    ] = ""
    database_url: Annotated[
        str,
        Meta(description="`postgresql://…`. Empty: SQLite in the data folder.", extra={"secret": True}),
    ] = ""
    database_connections: Annotated[
        int, Meta(ge=2, le=1000, description="Connections to PostgreSQL, at most.")
    ] = 10
    keys_url: Annotated[
        str,
        Meta(
            description="`postgresql://…` of a database for wrapped keys, another than `database_url` and never "
            "backed up with it. Needs `master_key`. Empty: SQLite in the keys folder.",
            extra={"secret": True},
        ),
    ] = ""
    master_key: Annotated[
        str,
        Meta(
            description="The key above all keys, 64 hex digits, the same on all nodes. Empty: `master.key` in the "
            "keys folder, made on first start. Without it every file is lost.",
            extra={"secret": True},
        ),
    ] = ""
    master_key_former: Annotated[
        str,
        Meta(
            description="While it is changed: the one before, until `talkwire keys rotate-master` was run.",
            extra={"secret": True},
        ),
    ] = ""

    @property
    def data_path(self) -> Path:
        return Path(self.data_folder).expanduser().absolute()

    @property
    def keys_path(self) -> Path:
        if self.keys_folder:
            return Path(self.keys_folder).expanduser().absolute()
        return self.data_path.with_name(self.data_path.name + "-keys")


class Logs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written to standard error."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="`auto`: for people on a terminal, else JSON lines."),
    ] = "auto"
    log_requests: Annotated[bool, Meta(description="One line for each HTTP request.")] = False


class Sockets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of one WebSocket."""

    requests_per_second: Annotated[
        int, Meta(ge=1, description="Requests on one socket, sustained; more answer 429.")
    ] = 5_000
    requests_burst: Annotated[int, Meta(ge=1, description="Requests on one socket, at once.")] = 10_000
    frame_bytes: Annotated[int, Meta(ge=4096, description="Longest frame taken; longer closes 1009.")] = MIB
    outbox_bytes: Annotated[
        int, Meta(ge=4096, description="What may wait for a slow client before it is closed with 1013.")
    ] = 4 * MIB
    idle_seconds: Annotated[float, Meta(gt=0, description="A socket that was silent so long is closed.")] = 90
    first_frame_seconds: Annotated[
        float, Meta(gt=0, description="How long `InitConnection` is awaited on a socket without a token.")
    ] = 10


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signing in."""

    sign_ups_per_minute: Annotated[int, Meta(ge=1, description="Consumer sign-ups per address.")] = 1_000
    sign_ups_per_second: Annotated[
        int, Meta(ge=1, description="Consumer sign-ups of all together; who comes faster waits in line.")
    ] = 200
    failed_logins_per_minute: Annotated[int, Meta(ge=1, description="Per user and address.")] = 10
    session_idle_seconds: Annotated[
        int, Meta(ge=60, description="An agent's sign-in that was not used or refreshed so long ends.")
    ] = 1_800
    session_seconds: Annotated[
        int, Meta(ge=60, description="An agent's sign-in ends after this in any case.")
    ] = 43_200
    consumer_token_seconds: Annotated[int, Meta(ge=60, description="Life of a consumer's token.")] = 3_600


class Messages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of what is said."""

    text_bytes: Annotated[int, Meta(ge=1, description="Longest text, as UTF-8.")] = 32 * KIB
    rich_content_bytes: Annotated[int, Meta(ge=1, description="Longest rich content, as JSON.")] = 128 * KIB
    sde_bytes: Annotated[int, Meta(ge=1, description="Longest engagement attributes, as JSON.")] = 64 * KIB
    composing_seconds: Annotated[float, Meta(gt=0, description="COMPOSING ends by itself after this.")] = 30
    idempotency_key_seconds: Annotated[
        int, Meta(ge=60, le=86_400, description="How long a client's idempotency key is kept, at most a day.")
    ] = 86_400


class Routing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long routing waits for people."""

    agent_grace_seconds: Annotated[
        float, Meta(ge=0, description="An agent whose last socket went is offline after this.")
    ] = 30
    offer_seconds: Annotated[
        float, Meta(gt=0, description="How long an agent may think about an offered conversation.")
    ] = 72


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of shared files."""

    consumer_file_bytes: Annotated[int, Meta(ge=1, description="Largest file of a consumer.")] = 3 * MIB
    agent_file_bytes: Annotated[int, Meta(ge=1, description="Largest file of an agent or bot.")] = 5 * MIB
    preview_bytes: Annotated[int, Meta(ge=1, description="A preview is smaller than this.")] = 30 * KIB
    rebuild: Annotated[
        bool,
        Meta(
            description="Decode every picture and encode it anew. `false` is for measuring only: what was uploaded "
            "is then served as it came, whatever is hidden in it."
        ),
    ] = True
    jpeg_quality: Annotated[int, Meta(ge=1, le=100, description="Quality of rebuilt JPEG pictures.")] = 85
    png_compression: Annotated[
        int, Meta(ge=0, le=9, description="Effort spent on rebuilt PNG pictures; 9 is smallest and slowest.")
    ] = 6
    verdict_seconds: Annotated[
        float, Meta(ge=0, le=60, description="How long publishing a file waits until it is judged.")
    ] = 8
    orphan_seconds: Annotated[
        int, Meta(ge=60, description="A file that was never published goes after this.")
    ] = 86_400
    slot_seconds: Annotated[int, Meta(ge=1, description="Life of an upload or download URL.")] = 60
    consumer_slots: Annotated[int, Meta(ge=1, description="Unspent upload URLs of one consumer.")] = 5
    brand_slots: Annotated[int, Meta(ge=1, description="Unspent upload URLs of one agent, bot or app.")] = 200
    consumer_slots_per_minute: Annotated[
        int, Meta(ge=1, description="Upload URLs that one consumer is given in a minute.")
    ] = 300
    brand_slots_per_minute: Annotated[
        int, Meta(ge=1, description="Upload URLs that one agent, bot or app is given in a minute.")
    ] = 12_000
    upload_bytes_per_second: Annotated[
        int, Meta(ge=0, description="An upload slower than this over `upload_slow_seconds` is cut.")
    ] = 4 * KIB
    upload_slow_seconds: Annotated[float, Meta(gt=0, description="How long an upload may be slow.")] = 10
    upload_seconds: Annotated[float, Meta(gt=0, description="How long an upload may take in all.")] = 120


class Sanitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What rebuilding a picture may cost."""

    rebuild_workers: Annotated[
        int, Meta(ge=0, le=256, description="Processes that rebuild pictures; 0 is one per core.")
    ] = 0
    rebuild_queue: Annotated[
        int, Meta(ge=1, description="Pictures that may wait for a process; more are tried again later.")
    ] = 256
    rebuild_cpu_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="Processor time for one picture, and as much for each MB; over it it is rejected.",
        ),
    ] = 1
    rebuild_wall_seconds: Annotated[
        float, Meta(gt=0, le=600, description="A process that does not answer for so long is replaced.")
    ] = 30
    rebuild_memory_bytes: Annotated[
        int, Meta(ge=64 * MIB, description="Memory for one picture; over it the file is rejected.")
    ] = 256 * MIB
    picture_megapixels: Annotated[
        int, Meta(ge=1, le=250, description="A picture of more megapixels is rejected before it is decoded.")
    ] = 40
    picture_side: Annotated[
        int,
        Meta(ge=16, le=65_535, description="A picture with a longer side, in pixels, is rejected likewise."),
    ] = 16_384


class Connectors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of third-party channels."""

    ext_consumer_id_characters: Annotated[
        int, Meta(ge=1, le=1024, description="Longest name a connector may have for a consumer.")
    ] = 256
    app_requests_per_second: Annotated[
        int, Meta(ge=1, description="Requests of one app over HTTP, sustained; more answer 429.")
    ] = 20_000
    app_requests_burst: Annotated[int, Meta(ge=1, description="Requests of one app, at once.")] = 40_000


class Erasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Deletion of personal data."""

    erasure_cancel_seconds: Annotated[
        int, Meta(ge=0, description="How long a deletion request can be cancelled; then it is carried out.")
    ] = 432_000
    erasure_deadline_days: Annotated[
        int,
        Meta(
            ge=1,
            description="A deletion request that is not done so long after it became final (a conversation is "
            "still open) is an alarm.",
        ),
    ] = 20


class Webhooks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delivering notifications to apps over HTTP."""

    webhook_connect_seconds: Annotated[
        float, Meta(gt=0, le=60, description="How long a webhook's connection may take.")
    ] = 5
    webhook_read_seconds: Annotated[
        float, Meta(gt=0, le=60, description="How long a webhook's answer may take.")
    ] = 5
    webhook_concurrency: Annotated[
        int, Meta(ge=1, le=256, description="Deliveries under way to one endpoint at a time.")
    ] = 16
    webhook_allowed_hosts: Annotated[
        str,
        Meta(
            description="Hosts (`host` or `host:port`, separated by commas) that webhooks may reach at any "
            "address. Others are never reached at private, loopback, link-local or similar addresses."
        ),
    ] = ""
    webhook_ca_file: Annotated[
        str, Meta(description="Certificate authorities that webhooks trust besides the system's, PEM.")
    ] = ""
    webhook_dead_letter_days: Annotated[
        int, Meta(ge=1, le=3650, description="How long a delivery that was given up stays on the list.")
    ] = 30


class Scanner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Looking for malware in what is uploaded, before anything else touches it."""

    clamd: Annotated[
        str,
        Meta(
            pattern=r"^$|^unix:/.+$|^tcp:.+:[0-9]{1,5}$",
            description="ClamAV's daemon: `unix:/path` or `tcp:host:port`. Empty: no scanner. While it does not "
            "answer files wait, and none is served.",
        ),
    ] = ""
    clamd_seconds: Annotated[
        float,
        Meta(gt=0, le=600, description="For a scan, and for its turn; more than clamd's `MaxScanTime`."),
    ] = 30
    clamd_scans: Annotated[
        int, Meta(ge=2, le=256, description="Scans at once; no more than clamd's own `MaxThreads`.")
    ] = 8


class Process(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The process itself."""

    demo: Annotated[
        bool,
        Meta(
            description="Make a demo brand on first start and write `demo.env`. Never on a server that "
            "others reach: its passwords lie readable in the data folder."
        ),
    ] = False
    drain_seconds: Annotated[
        float, Meta(gt=0, le=300, description="How long a stop may take before it is forced.")
    ] = 10


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them, by section."""

    listen: Listen = Listen()
    storage: Storage = Storage()
    logs: Logs = Logs()
    sockets: Sockets = Sockets()
    identity: Identity = Identity()
    messages: Messages = Messages()
    routing: Routing = Routing()
    files: Files = Files()
    sanitation: Sanitation = Sanitation()
    erasure: Erasure = Erasure()
    connectors: Connectors = Connectors()
    webhooks: Webhooks = Webhooks()
    scanner: Scanner = Scanner()
    process: Process = Process()
