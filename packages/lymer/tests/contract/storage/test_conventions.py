"""One thing under all names that conventions gave it: found by any, if that is asked for."""

from __future__ import annotations

import pytest

from contract.storage.conftest import Store, Write
from lymer.model.conventions import CONVENTIONS, names_of
from lymer.model.question import TraceQuestion
from make import START, make_request, make_span, trace_hex


def _found(store: Store, *tags: tuple[str, str], any_name: bool) -> set[str]:
    question = TraceQuestion(START - 1, START + 1, tags=tags, any_name=any_name)
    return {found.trace_id for found in store.find_traces(question)}


def test_a_tag_is_found_by_any_name_if_that_is_asked_for(store: Store, write: Write) -> None:
    """Old by new and new by old; every other tag must match as well."""
    write(
        make_request(
            make_span(1, 1, attrs={"http.status_code": 500, "db.name": "shop"}),
            make_span(2, 1, attrs={"http.response.status_code": 500, "db.namespace": "shop"}),
            make_span(3, 1, attrs={"http.response.status_code": 500, "db.namespace": "till"}),
            make_span(4, 1, attrs={"http.status": 500}),
        )
    )
    one, two, three = map(trace_hex, (1, 2, 3))
    old, new = ("http.status_code", "500"), ("http.response.status_code", "500")
    assert _found(store, old, any_name=False) == {one}
    assert _found(store, new, any_name=False) == {two, three}
    assert _found(store, old, any_name=True) == {one, two, three}
    assert _found(store, new, any_name=True) == {one, two, three}
    assert _found(store, old, ("db.name", "shop"), any_name=True) == {one, two}
    assert _found(store, old, ("http.response.status_code", "404"), any_name=True) == set()


def test_a_name_is_of_one_thing() -> None:
    """The table is a partition, and knows what the migration guides begin with."""
    names = [name for group in CONVENTIONS for name in group]
    assert len(names) == len(set(names))
    assert all(len(group) > 1 for group in CONVENTIONS)
    assert names_of("http.method")[0] == "http.request.method"
    assert set(names_of("db.system.name")) == {"db.system.name", "db.system"}
    assert names_of("net.peer.name")[0] == "server.address"
    assert names_of("unheard.of") == ("unheard.of",)


@pytest.mark.parametrize("group", CONVENTIONS, ids=lambda group: group[0])
def test_all_names_are_the_first(group: tuple[str, ...]) -> None:
    """Whichever one asks for."""
    assert {names_of(name) for name in group} == {group}
