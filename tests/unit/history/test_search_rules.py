import pytest

from talkwire.conversations.model import State
from talkwire.history.search_errors import SearchInvalid
from talkwire.history.search_model import EVERYTHING, Content, Page, Span
from talkwire.history.search_rules import (
    MAX_MS,
    check_filters,
    contents_of,
    page_of,
    span_of,
    states_of,
    texts_of,
)


def test_a_page_is_fifty_of_the_newest_unless_told() -> None:
    assert page_of({}) == Page(0, 50, newest_first=True)
    asked = {"offset": "10", "limit": "100", "sort": "start:asc", "v": "2", "source": "x"}
    assert page_of(asked) == Page(10, 100, newest_first=False)
    assert page_of({"sort": "start"}) == Page()


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "101"},
        {"limit": "0"},
        {"limit": "ten"},
        {"offset": "-1"},
        {"offset": "10000001"},
        {"offset": "9" * 20},
        {"sort": "end:asc"},
        {"sort": "start:up"},
        {"v": "3"},
    ],
)
def test_pages_that_cannot_be_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(SearchInvalid):
        page_of(query)


def test_a_span_has_both_ends_in_it_and_one_may_be_left_out() -> None:
    assert span_of(None, "start") is None
    assert span_of({"from": 5, "to": "7"}, "start") == Span(5, 7)
    assert span_of({"from": 5}, "start") == Span(5, MAX_MS)
    assert span_of({"to": 7}, "start") == Span(0, 7)
    assert span_of({"from": 1, "to": 2}, "duration", unit=1000) == Span(1000, 2000)


@pytest.mark.parametrize(
    "value", [{}, [], "5", {"from": 7, "to": 5}, {"from": -1}, {"from": 2**54}, {"from": True}, {"to": 1.5}]
)
def test_spans_that_cannot_be_are_refused(value: object) -> None:
    with pytest.raises(SearchInvalid):
        span_of(value, "start")


def test_lists_come_bare_and_with_numbers_too() -> None:
    assert texts_of([5, "x", ""], "skillIds") == ("5", "x")
    assert texts_of(-1, "skillIds") == ("-1",)
    assert texts_of(None, "skillIds") == ()
    assert states_of(["open"]) == {State.OPEN}
    unusable: list[list[object]] = [[True], [None], [{}], ["x"] * 1001]
    for bad in unusable:
        with pytest.raises(SearchInvalid):
            texts_of(bad, "skillIds")
    with pytest.raises(SearchInvalid):
        states_of(["GONE"])


def test_everything_is_retrieved_unless_told() -> None:
    assert contents_of(None) == contents_of([]) == EVERYTHING
    assert contents_of(["transfers", "coBrowseSessions"]) == {Content.TRANSFERS}


def test_filters_that_we_do_not_have_are_refused_and_unknown_words_are_not() -> None:
    check_filters({"keyword": "", "sdeSearch": None, "agentGroupIds": [], "of another time": 5})
    with pytest.raises(SearchInvalid, match="keyword"):
        check_filters({"keyword": "gold"})
