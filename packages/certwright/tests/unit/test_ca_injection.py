"""cainjector's decisions: which source counts, what is refused, where bundles go."""

from __future__ import annotations

import base64
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from certwright.reconcile.ca_injection import (
    INJECTABLES,
    InjectionOptions,
    gather_injection,
    injection_controllers,
    plan_injection,
    with_bundle,
)
from certwright.reconcile.contract import Apply, Emit, Index, Plan, Sources, Update
from certwright.reconcile.indexes import CERTIFICATES_BY_SECRET
from certwright.resources import known
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    API_SERVICE,
    CUSTOM_RESOURCE_DEFINITION,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Key,
    Kind,
    Manifest,
)
from certwright.resources.meta import key_of
from certwright_testing.objects import certificate, secret
from certwright_testing.pki import make_key

SOURCES = Sources(
    now=datetime(2026, 1, 1, tzinfo=UTC),
    private_key=lambda algorithm, size: make_key("unused", algorithm, size),
    serial=lambda: 1,
)
CA = b"the CA"
BUNDLE = base64.b64encode(CA).decode()
OPTIONS = InjectionOptions(apiserver_ca_pem=b"the API server's CA")


class Objects:
    """A reader of a few objects."""

    def __init__(self, *objects: Manifest) -> None:
        self._objects = {key_of(obj): obj for obj in objects}

    async def get(self, key: Key, /) -> Manifest | None:
        """Return an object."""
        return self._objects.get(key)

    async def find(self, index: Index, value: str, /) -> list[Manifest]:
        """Return objects by an index."""
        return [
            obj
            for key, obj in self._objects.items()
            if key.kind == index.kind and value in index.values(obj)
        ]

    async def list(self, kind: Kind, /, namespace: str | None = None) -> list[Manifest]:
        """Fail: nothing here lists."""
        raise AssertionError(kind, namespace)

    async def review(self, question: Manifest, /) -> Manifest:
        """Fail: nothing here asks."""
        raise AssertionError(question)


def target(kind: Kind = VALIDATING_WEBHOOK_CONFIGURATION, **annotations: str) -> Manifest:
    """Return a target with two places for a bundle where its kind has several."""
    bodies: dict[Kind, Manifest] = {
        API_SERVICE: {"spec": {"service": {"name": "s"}, "groupPriorityMinimum": 1}},
        CUSTOM_RESOURCE_DEFINITION: {
            "spec": {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"service": {"name": "s"}}},
                }
            }
        },
    }
    webhooks = {
        "webhooks": [
            {"name": "one", "clientConfig": {"service": {"name": "s"}}},
            {"name": "two", "clientConfig": {"url": "https://example", "caBundle": "b2xk"}},
        ]
    }
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "name": "t",
            "resourceVersion": "7",
            "annotations": {
                f"cert-manager.io/{name.replace('_', '-')}": text
                for name, text in annotations.items()
            },
        },
        **bodies.get(kind, webhooks),
    }


def direct(name: str = "ca", **data: bytes) -> Manifest:
    """Return a Secret that may be injected directly."""
    annotations = {known.ALLOW_DIRECT_INJECTION: "true"}
    return secret(name, "one", {"ca.crt": CA} | data, annotations=annotations)


def owned(owner: str = "web", **data: bytes) -> Manifest:
    """Return the Secret of a Certificate."""
    annotations = {known.CERTIFICATE_NAME: owner}
    return secret("tls", "one", {"ca.crt": CA} | data, annotations=annotations)


async def planned(obj: Manifest, *others: Manifest, options: InjectionOptions = OPTIONS) -> Plan:
    """Return what is planned for a target."""
    injection = await gather_injection(key_of(obj), Objects(obj, *others), options=options)
    return Plan() if injection is None else plan_injection(injection, SOURCES, options=options)


BUNDLES: dict[Kind, list[list[Any]]] = {
    MUTATING_WEBHOOK_CONFIGURATION: [
        ["webhooks", 0, "clientConfig", "caBundle"],
        ["webhooks", 1, "clientConfig", "caBundle"],
    ],
    VALIDATING_WEBHOOK_CONFIGURATION: [
        ["webhooks", 0, "clientConfig", "caBundle"],
        ["webhooks", 1, "clientConfig", "caBundle"],
    ],
    API_SERVICE: [["spec", "caBundle"]],
    CUSTOM_RESOURCE_DEFINITION: [["spec", "conversion", "webhook", "clientConfig", "caBundle"]],
}


@pytest.mark.parametrize("kind", INJECTABLES, ids=lambda kind: kind.name)
async def test_every_place_for_a_bundle_gets_it(kind: Kind) -> None:
    """Nothing else changes; a second pass finds nothing to do."""
    obj = target(kind, inject_ca_from_secret="one/ca")
    before = deepcopy(obj)
    plan = await planned(obj, direct())

    expected = deepcopy(obj)
    for path in BUNDLES[kind]:
        at: Any = expected
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = BUNDLE
    assert plan == Plan((Update(expected),))
    assert obj == before
    assert await planned(expected, direct()) == Plan()


@pytest.mark.parametrize("kind", INJECTABLES, ids=lambda kind: kind.name)
async def test_server_side_apply_sends_bundles_only(kind: Kind) -> None:
    """With the gate: the rest belongs to others."""
    options = InjectionOptions(gates=FeatureGates.parse("ServerSideApply=true"))
    plan = await planned(target(kind, inject_ca_from_secret="one/ca"), direct(), options=options)

    (action,) = plan.actions
    assert isinstance(action, Apply)
    assert action.object["metadata"] == {"name": "t"}
    text = str(action.object)
    assert text.count(BUNDLE) == len(BUNDLES[kind])
    assert "service" not in text
    assert "url" not in text


async def test_a_crd_without_a_conversion_webhook_is_left_alone() -> None:
    """There is no place for a bundle."""
    obj = target(CUSTOM_RESOURCE_DEFINITION, inject_ca_from_secret="one/ca")
    obj["spec"] = {"conversion": {"strategy": "None"}}

    assert await planned(obj, direct()) == Plan()


@pytest.mark.parametrize(
    ("annotations", "others", "expected"),
    [
        pytest.param({"inject_ca_from": "one/web"}, [certificate(), owned()], CA, id="certificate"),
        pytest.param({"inject_apiserver_ca": "true"}, [], b"the API server's CA", id="API server"),
        pytest.param(
            {
                "inject_ca_from_secret": "one/ca",
                "inject_ca_from": "one/web",
                "inject_apiserver_ca": "true",
            },
            [direct(**{"ca.crt": b"direct"}), certificate(), owned()],
            b"direct",
            id="the Secret before all",
        ),
        pytest.param(
            {"inject_ca_from": "one/web", "inject_apiserver_ca": "true"},
            [certificate(), owned()],
            CA,
            id="the Certificate before the API server",
        ),
    ],
)
async def test_the_first_annotation_counts(
    annotations: dict[str, str], others: list[Manifest], expected: bytes
) -> None:
    """Secret, Certificate, API server."""
    obj = target(**annotations)

    assert await planned(obj, *others) == Plan((Update(with_bundle(obj, expected)),))


@pytest.mark.parametrize(
    ("annotations", "others"),
    [
        pytest.param({}, [], id="no annotation"),
        pytest.param({"inject_apiserver_ca": "false"}, [], id="not the API server's"),
        pytest.param({"inject_ca_from_secret": "one/ca"}, [], id="no Secret yet"),
        pytest.param({"inject_ca_from": "one/web"}, [], id="no Certificate yet"),
        pytest.param({"inject_ca_from": "one/web"}, [certificate()], id="nothing issued yet"),
        pytest.param(
            {"inject_ca_from_secret": "one/none", "inject_apiserver_ca": "true"},
            [],
            id="a missing first source hides the second",
        ),
    ],
)
async def test_what_is_not_there_yet_is_waited_for(
    annotations: dict[str, str], others: list[Manifest]
) -> None:
    """Silently: its coming wakes the loop."""
    assert await planned(target(**annotations), *others) == Plan()


@pytest.mark.parametrize(
    ("annotations", "others", "expected"),
    [
        pytest.param(
            {"inject_ca_from_secret": "one/ca"},
            [secret("ca", "one", {"ca.crt": CA})],
            'Secret one/ca lacks the annotation cert-manager.io/allow-direct-injection: "true"',
            id="a Secret that does not allow it",
        ),
        pytest.param(
            {"inject_ca_from_secret": "one/ca"},
            [direct(**{"ca.crt": b""})],
            "Secret one/ca has no ca.crt",
            id="an empty CA",
        ),
        pytest.param(
            {"inject_ca_from": "one/web"},
            [certificate(), owned("other")],
            "Secret one/tls is not that of Certificate one/web: its annotation"
            ' cert-manager.io/certificate-name is "other"',
            id="somebody else's Secret",
        ),
        pytest.param(
            {"inject_ca_from": "one/web"},
            [certificate(), secret("tls", "one", {"ca.crt": CA})],
            "Secret one/tls is not that of Certificate one/web: its annotation"
            ' cert-manager.io/certificate-name is ""',
            id="nobody's Secret",
        ),
        pytest.param(
            {"inject_ca_from": "web"},
            [],
            'annotation cert-manager.io/inject-ca-from: "web" is not of the form namespace/name',
            id="no namespace",
        ),
    ],
)
async def test_what_must_be_mended_is_an_event(
    annotations: dict[str, str], others: list[Manifest], expected: str
) -> None:
    """And nothing is written."""
    obj = target(**annotations)

    event = Emit(obj, "Warning", "CAInjectionRefused", f"No CA injected: {expected}")
    assert await planned(obj, *others) == Plan((event,))


async def test_a_namespace_limits_the_sources() -> None:
    """Not the targets, which have none."""
    options = InjectionOptions(namespace="two")
    plan = await planned(target(inject_ca_from_secret="one/ca"), direct(), options=options)

    (action,) = plan.actions
    assert isinstance(action, Emit)
    assert "names another namespace than two" in action.message


async def test_certificates_can_be_left_out() -> None:
    """Their annotation is then not seen at all."""
    options = InjectionOptions(from_certificates=False, apiserver_ca_pem=b"api")
    obj = target(inject_ca_from="one/web", inject_apiserver_ca="true")

    assert await planned(obj, options=options) == Plan((Update(with_bundle(obj, b"api")),))
    (controller, *_) = injection_controllers(options)
    assert [wake.kind.name for wake in controller.wakes] == ["Secret"]
    assert CERTIFICATES_BY_SECRET not in controller.indexes


async def test_a_target_that_goes_is_left_alone() -> None:
    """It waits for its finalizers only."""
    obj = target(inject_ca_from_secret="one/ca")
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert await planned(obj, direct()) == Plan()


async def test_sources_wake_their_targets() -> None:
    """A Secret by its name and through its Certificate, a Certificate by its name."""
    by_secret = target(inject_ca_from_secret="one/ca")
    by_certificate = target(MUTATING_WEBHOOK_CONFIGURATION, inject_ca_from="one/web")
    objects = Objects(by_secret, by_certificate, certificate())
    woken = {}
    for controller in injection_controllers(OPTIONS):
        for wake in controller.wakes:
            for obj in (direct(), owned(), certificate()):
                if key_of(obj).kind == wake.kind:
                    for key in await wake.keys(obj, objects):
                        woken.setdefault(key_of(obj).name, set()).add(key.kind)

    assert woken == {
        "ca": {VALIDATING_WEBHOOK_CONFIGURATION},
        "tls": {MUTATING_WEBHOOK_CONFIGURATION},
        "web": {MUTATING_WEBHOOK_CONFIGURATION},
    }
