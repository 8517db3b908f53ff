"""Which solver proves a name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.acme.selection import choose_solver, overridden
from certwright.errors import InvalidError

HTTP = {"type": "http-01", "token": "h", "url": "https://ca/h"}
DNS = {"type": "dns-01", "token": "d", "url": "https://ca/d"}
NEW = {"type": "dns-account-01", "token": "n", "url": "https://ca/n"}


def authorization(name: str, *challenges: Any, wildcard: bool = False) -> dict[str, Any]:
    """Return an entry of `status.authorizations`."""
    return {"identifier": name, "wildcard": wildcard, "challenges": list(challenges or (HTTP, DNS))}


def solver(name: str, kind: str = "dns01", **selector: Any) -> dict[str, Any]:
    """Return a solver that is known by its name."""
    found: dict[str, Any] = {kind: {"name": name}}
    return {**found, "selector": selector} if selector else found


def chosen(solvers: list[Any], name: str, labels: dict[str, str] | None = None, **more: Any) -> str:
    """Return the name of the solver that is chosen."""
    choice = choose_solver(solvers, authorization(name, **more), labels or {})
    return str((choice.solver.get("dns01") or choice.solver.get("http01"))["name"])


@pytest.mark.parametrize(
    ("solvers", "expected"),
    [
        pytest.param([solver("a"), solver("b")], "a", id="the first without a selector"),
        pytest.param(
            [solver("all"), solver("zone", dnsZones=["example.com"])], "zone", id="a zone beats all"
        ),
        pytest.param(
            [
                solver("zone", dnsZones=["www.example.com"]),
                solver("name", dnsNames=["www.example.com"]),
            ],
            "name",
            id="a name beats a zone",
        ),
        pytest.param(
            [solver("short", dnsZones=["com"]), solver("long", dnsZones=["Example.com."])],
            "long",
            id="the longer zone, whatever its case",
        ),
        pytest.param(
            [
                solver("one", matchLabels={"a": "1"}),
                solver("two", matchLabels={"a": "1", "b": "2"}),
                solver("no", matchLabels={"a": "1", "b": "2", "c": "3"}),
            ],
            "two",
            id="more labels, all of which must be there",
        ),
        pytest.param(
            [
                solver("zone", dnsZones=["example.com"]),
                solver("labels", matchLabels={"a": "1", "b": "2"}),
            ],
            "zone",
            id="a zone beats labels",
        ),
        pytest.param(
            [solver("first", dnsZones=["example.com"]), solver("same", dnsZones=["example.com"])],
            "first",
            id="the first of equals",
        ),
        pytest.param(
            [solver("other", dnsZones=["ample.com"]), solver("rest")], "rest", id="zones are labels"
        ),
    ],
)
def test_the_most_specific_wins(solvers: list[Any], expected: str) -> None:
    """Names, then zones, then labels."""
    assert chosen(solvers, "www.example.com", {"a": "1", "b": "2"}) == expected


def test_a_wildcard_is_its_own_name() -> None:
    """A selector for `example.com` does not mean `*.example.com`; a zone does."""
    solvers = [solver("apex", dnsNames=["example.com"]), solver("star", dnsNames=["*.example.com"])]

    assert chosen(solvers, "example.com", wildcard=True) == "star"
    assert chosen([solver("z", dnsZones=["example.com"])], "example.com", wildcard=True) == "z"


def test_a_solver_must_answer_a_challenge_that_is_offered() -> None:
    """Types that nobody knows are passed over."""
    solvers = [solver("http", "http01"), solver("dns")]
    only_dns = authorization("example.com", NEW, DNS, wildcard=True)

    choice = choose_solver(solvers, only_dns, {})
    assert (choice.solver["dns01"]["name"], choice.challenge) == ("dns", DNS)
    with pytest.raises(InvalidError, match="no configured challenge solvers can be used"):
        choose_solver(solvers, authorization("example.com", NEW), {})


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "dnsNames": st.lists(st.sampled_from(["a.b.c", "x"]), max_size=1),
                "dnsZones": st.lists(st.sampled_from(["c", "b.c", "a.b.c", "d"]), max_size=2),
                "matchLabels": st.dictionaries(st.sampled_from("pq"), st.just("1"), max_size=2),
            },
        ),
        min_size=1,
        max_size=5,
    )
)
def test_who_is_chosen_is_never_less_specific_than_another(selectors: list[dict[str, Any]]) -> None:
    """Whatever the order; written anew: every solver that matches is compared."""
    solvers = [solver(str(n), **selector) for n, selector in enumerate(selectors)]
    labels = {"p": "1"}

    def weight(selector: dict[str, Any]) -> tuple[int, int, int] | None:
        names, zones = selector.get("dnsNames"), selector.get("dnsZones")
        wanted = selector.get("matchLabels") or {}
        lengths = [zone.count(".") + 1 for zone in zones or () if ".a.b.c".endswith(f".{zone}")]
        fits = (
            (not names or "a.b.c" in names)
            and (not zones or bool(lengths))
            and set(wanted) <= set(labels)
        )
        return (int(bool(names)), max(lengths, default=0), len(wanted)) if fits else None

    weights = [weight(selector) for selector in selectors]
    if all(found is None for found in weights):
        with pytest.raises(InvalidError):
            chosen(solvers, "a.b.c", labels)
        return
    best = max(found for found in weights if found is not None)
    assert chosen(solvers, "a.b.c", labels) == str(weights.index(best))


def test_annotations_choose_the_ingress() -> None:
    """One of the two; what the issuer says about it goes."""
    given_solver = {"http01": {"ingress": {"class": "a", "name": "n", "serviceType": "ClusterIP"}}}

    by_name = overridden(
        given_solver, {"acme.cert-manager.io/http01-override-ingress-name": "mine"}, "one"
    )
    assert by_name["http01"]["ingress"] == {"serviceType": "ClusterIP", "name": "mine"}
    by_class = overridden(
        given_solver, {"acme.cert-manager.io/http01-override-ingress-class": "mine"}, "one"
    )
    assert by_class["http01"]["ingress"] == {"serviceType": "ClusterIP", "class": "mine"}
    with pytest.raises(InvalidError, match="both ingress name and ingress class overrides"):
        overridden(
            given_solver,
            {
                "acme.cert-manager.io/http01-override-ingress-name": "a",
                "acme.cert-manager.io/http01-override-ingress-class": "b",
            },
            "one",
        )


def test_annotations_choose_the_class_name() -> None:
    """It takes the place of all that the issuer says; two of them contradict each other."""
    given_solver = {"http01": {"ingress": {"ingressClassName": "a", "serviceType": "ClusterIP"}}}
    wanted = {"acme.cert-manager.io/http01-override-ingress-ingressclassname": "mine"}

    changed = overridden(given_solver, wanted, "one")["http01"]["ingress"]
    assert changed == {"serviceType": "ClusterIP", "ingressClassName": "mine"}
    with pytest.raises(InvalidError, match="may not specify more than one of"):
        overridden(
            given_solver,
            {**wanted, "acme.cert-manager.io/http01-override-ingress-name": "a"},
            "one",
        )


def test_annotations_hang_the_route_on_a_listener_set() -> None:
    """Beside the issuer's parents, and once."""
    kept = {"name": "g", "namespace": "infra"}
    solver = {"http01": {"gatewayHTTPRoute": {"parentRefs": [kept]}}}
    name = "acme.cert-manager.io/http01-parentrefname"
    kind = "acme.cert-manager.io/http01-parentrefkind"

    changed = overridden(solver, {name: "mine", kind: "ListenerSet"}, "one")
    ours = {
        "group": "gateway.networking.k8s.io",
        "kind": "ListenerSet",
        "name": "mine",
        "namespace": "one",
    }
    assert changed["http01"]["gatewayHTTPRoute"]["parentRefs"] == [kept, ours]
    again = overridden(changed, {name: "mine", kind: "ListenerSet"}, "one")
    assert again == changed
    with pytest.raises(InvalidError, match="cannot specify only one of"):
        overridden(solver, {name: "mine"}, "one")
