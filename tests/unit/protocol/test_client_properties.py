"""What a client says of itself. Source: docs/protocol.md 3.7, 5.1."""

import pytest

from talkwire.protocol import client_properties

ADDRESS = "203.0.113.7"


def test_known_texts_are_kept_within_their_limits_and_the_rest_is_dropped() -> None:
    said = {"appId": "x" * 100, "os": "", "browser": 7, "unknown": "x", "ipAddress": "10.0.0.1"}
    tidied = client_properties.tidy(said, ADDRESS)
    assert tidied == {"type": ".ClientProperties", "appId": "x" * 64, "ipAddress": ADDRESS}


@pytest.mark.parametrize(
    "features", [["PHOTO_SHARING", "NEW"], "PHOTO_SHARING,NEW", ["PHOTO_SHARING", 7, "NEW"]]
)
def test_features_are_a_list_of_texts_unknown_ones_too(features: object) -> None:
    tidied = client_properties.tidy({"features": features}, ADDRESS)
    assert tidied["features"] == ["PHOTO_SHARING", "NEW"]


@pytest.mark.parametrize("features", [None, 7, {}])
def test_features_of_another_kind_are_dropped(features: object) -> None:
    assert "features" not in client_properties.tidy({"features": features}, ADDRESS)


def test_features_are_bounded() -> None:
    many = client_properties.tidy({"features": ["x" * 100] * 100}, ADDRESS)["features"]
    assert many == ["x" * 64] * client_properties.MAX_FEATURES


@pytest.mark.parametrize(
    "text", ["[object Object]", "undefined", "", "[]", "null", "7", "{", "\udcff", "[" * 100_000]
)
def test_a_header_that_says_nothing_is_ignored(text: str) -> None:
    assert client_properties.of_header(text) == {}


def test_a_header_and_a_query_say_the_same() -> None:
    assert client_properties.of_header('{"os":"LINUX"}') == {"os": "LINUX"}
    assert client_properties.of_query({"v": "3", "os": "LINUX", "features": "A,B"}) == {
        "os": "LINUX",
        "features": "A,B",
    }


@pytest.mark.parametrize("prefix", ["", ".", ".ams.headers."])
def test_the_types_of_header_items_have_three_spellings(prefix: str) -> None:
    assert client_properties.is_client_properties(f"{prefix}ClientProperties")
    assert client_properties.is_consumer_authentication(f"{prefix}ConsumerAuthentication")
    assert not client_properties.is_client_properties(f"{prefix}Clientproperties")
    assert not client_properties.is_consumer_authentication(f"{prefix}ClientProperties")
