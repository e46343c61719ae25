import pytest

from talkwire.ops.proxies import client_address, parse_networks

OURS = parse_networks("127.0.0.1, 10.0.0.0/8, ::1")


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "address"),
    [
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7", "10.1.2.3"], "203.0.113.7"),
        ("::1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", [], "127.0.0.1"),
    ],
)
def test_behind_our_proxies_it_is_who_they_heard(remote: str, forwarded_for: list[str], address: str) -> None:
    assert client_address(remote, forwarded_for, OURS) == address


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "address"),
    [
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # nobody's proxy says whatever it likes
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # what a client invented stands left
        ("127.0.0.1", ["203.0.113.7, nonsense"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
    ],
)
def test_what_is_forged_counts_for_nothing(remote: str, forwarded_for: list[str], address: str) -> None:
    assert client_address(remote, forwarded_for, OURS) == address


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        parse_networks("nonsense")
