import re
from pathlib import Path

import pytest

import talkwire
from talkwire.cli.configuration import BadSettings, SettingRow, list_settings, load
from talkwire.settings import Settings


def loaded(environment: dict[str, str] | None = None, config: str | None = None, **flags: object) -> Settings:
    return load(config, environment or {}, flags)


def config_of(folder: Path, text: str) -> str:
    path = folder / "talkwire.toml"
    path.write_text(text)
    return str(path)


def test_without_anything_all_settings_have_their_defaults() -> None:
    assert loaded() == Settings()


def test_a_flag_goes_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    config = config_of(tmp_path, '[listen]\nport = 1001\nhost = "::1"\nhttp_port = 1002\n')
    settings = loaded({"TALKWIRE_PORT": "2001", "TALKWIRE_HTTP_PORT": "2002"}, config, http_port=3002)
    assert settings.listen.host == "::1"
    assert settings.listen.port == 2001
    assert settings.listen.http_port == 3002


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert loaded({"TALKWIRE_PORT": "2001"}, port=None).listen.port == 2001


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        (
            {"TALKWIRE_PROT": "1"},
            r"unknown environment variable TALKWIRE_PROT \(did you mean TALKWIRE_PORT\?\)",
        ),
        ({"TALKWIRE_PORT": "many"}, r"listen\.port: expected"),
        ({"TALKWIRE_PORT": "65536"}, r"listen\.port: expected `int` <= 65535"),
        ({"TALKWIRE_LOG_LEVEL": "loud"}, r"logs\.log_level: "),
        ({"TALKWIRE_IDLE_SECONDS": "0"}, r"sockets\.idle_seconds: "),
        ({"TALKWIRE_TLS_CERT_FILE": "a.pem"}, "belong together"),
        ({"TALKWIRE_PORT": "80", "TALKWIRE_HTTP_PORT": "80"}, "are the same"),
        ({"TALKWIRE_DATA_FOLDER": "d", "TALKWIRE_KEYS_FOLDER": "d/keys"}, "inside the data folder"),
        ({"TALKWIRE_PROXY_ADDRESSES": "next door"}, r"listen\.proxy_addresses: 'next door'"),
        ({"TALKWIRE_DATABASE_URL": "mysql://x"}, r"expected postgresql://"),
        ({"TALKWIRE_DATABASE_URL_FILE": "/nowhere"}, "TALKWIRE_DATABASE_URL_FILE: /nowhere: No such file"),
    ],
)
def test_what_makes_no_sense_in_the_environment_is_named(environment: dict[str, str], complaint: str) -> None:
    with pytest.raises(BadSettings, match=complaint):
        loaded(environment)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[listen]\nprot = 1\n", r"unknown setting prot in \[listen\] \(did you mean port\?\)"),
        ("[lisen]\nport = 1\n", r"unknown section \[lisen\] \(did you mean listen\?\)"),
        ("listen = 1\n", r"write \[listen\]"),
        ("[listen\n", "not TOML"),
    ],
)
def test_what_makes_no_sense_in_the_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadSettings, match=complaint):
        loaded(config=config_of(tmp_path, text))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(BadSettings, match=r"nowhere\.toml: No such file"):
        loaded(config="nowhere.toml")


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:p@h/d\n")
    assert loaded({"TALKWIRE_DATABASE_URL_FILE": str(secret)}).storage.database_url == "postgresql://u:p@h/d"
    config = config_of(tmp_path, f'[storage]\ndatabase_url_file = "{secret}"\n')
    assert loaded(config=config).storage.database_url == "postgresql://u:p@h/d"


def test_what_is_told_to_test_suites_is_not_ours() -> None:
    assert loaded({"TALKWIRE_FAULT_ROUNDS": "200"}) == Settings()


def test_an_empty_variable_counts_as_not_set() -> None:
    assert loaded({"TALKWIRE_HTTP_PORT": ""}).listen.http_port is None


def test_a_switch_is_read_from_words() -> None:
    assert loaded({"TALKWIRE_DEMO": "true"}).process.demo
    assert not loaded({"TALKWIRE_DEMO": "0"}).process.demo


def test_names_are_unique_so_that_a_variable_needs_no_section() -> None:
    names = [row.name for row in list_settings()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", list_settings(), ids=lambda row: row.name)
def test_every_setting_has_help_that_is_a_sentence(row: SettingRow) -> None:
    assert row.help[:1].isupper() or row.help.startswith("`")
    assert row.help.endswith(".")


def test_keys_lie_beside_the_data_unless_told_otherwise(tmp_path: Path) -> None:
    assert loaded(data_folder=str(tmp_path / "data")).storage.keys_path == tmp_path / "data-keys"
    assert loaded(keys_folder=str(tmp_path / "k")).storage.keys_path == tmp_path / "k"


@pytest.mark.parametrize(
    ("listen", "advertised"),
    [
        ({}, "127.0.0.1:8443"),
        ({"host": "::1"}, "[::1]:8443"),
        ({"host": "0.0.0.0", "port": 443}, "localhost:443"),
        ({"public_host": "chat.example.org"}, "chat.example.org"),
    ],
)
def test_clients_are_told_an_address_that_they_can_reach(listen: dict[str, object], advertised: str) -> None:
    assert load(None, {}, listen).listen.advertised == advertised


@pytest.mark.parametrize("row", list_settings(), ids=lambda row: row.name)
def test_every_setting_is_read_by_somebody(row: SettingRow) -> None:
    source = Path(talkwire.__file__).parent
    texts = (path.read_text() for path in source.rglob("*.py"))
    assert any(re.search(rf"\.{row.name}\b", text) for text in texts)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TALKWIRE_MASTER_KEY": "short"}, "storage.master_key: a master key is 64 hex digits"),
        ({"TALKWIRE_MASTER_KEY_FORMER": "5c" * 32}, "nothing without storage.master_key"),
        ({"TALKWIRE_KEYS_URL": "mysql://h/d", "TALKWIRE_MASTER_KEY": "5c" * 32}, "expected postgresql://"),
        ({"TALKWIRE_KEYS_URL": "postgresql://h/k"}, "storage.keys_url needs storage.master_key"),
        (
            {
                "TALKWIRE_KEYS_URL": "postgresql://h/d",
                "TALKWIRE_DATABASE_URL": "postgresql://h/d",
                "TALKWIRE_MASTER_KEY": "5c" * 32,
            },
            "a backup of the data would hold the keys",
        ),
    ],
)
def test_keys_that_cannot_be_kept_right_are_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(BadSettings, match=said) as refusal:
        loaded(environment)
    assert "5c5c" not in str(refusal.value)
