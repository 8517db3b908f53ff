"""Certificates for Ingresses, Gateways and ListenerSets: each row of what may become of one."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from certwright.pki.keys import generate_private_key
from certwright.reconcile.options import Options, ShimOptions
from certwright.resources import meta
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    CERTIFICATE,
    GATEWAY,
    INGRESS,
    LISTENER_SET,
    SECRET,
    Kind,
    Manifest,
)
from certwright_testing.objects import issuer
from certwright_testing.world import World

GATES = FeatureGates(frozenset({"ExperimentalGatewayAPISupport", "ListenerSets"}))
ISSUER = {"cert-manager.io/issuer": "ca"}
ECDSA = {"cert-manager.io/private-key-algorithm": "ECDSA"}
WEB = CERTIFICATE.key("one", "web-tls")
SKIPPED = "Skipped a listener block: spec.listeners[0]"


def served(kind: Kind, spec: Manifest, annotations: dict[str, str] | None = None) -> Manifest:
    """Return an object called `web` that wants certificates from the issuer `ca`."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "name": "web",
            "namespace": "one",
            "labels": {"team": "blue", "applyset.kubernetes.io/part-of": "set"},
            "annotations": {**ISSUER, **ECDSA} if annotations is None else annotations,
        },
        "spec": spec,
    }


def ingress(annotations: dict[str, str] | None = None, *tls: Manifest) -> Manifest:
    """Return an Ingress; without `tls` it serves two hosts with the Secret `web-tls`."""
    blocks = list(tls) or [{"hosts": ["a.example", "b.example"], "secretName": "web-tls"}]
    return served(INGRESS, {"tls": blocks}, annotations)


def listener(name: str = "https", **fields: Any) -> Manifest:
    """Return a listener of a Gateway as an API server stores it."""
    ref = {"group": "", "kind": "Secret", "name": "web-tls"}
    usual = {
        "name": name,
        "port": 443,
        "protocol": "HTTPS",
        "hostname": "a.example",
        "tls": {"mode": "Terminate", "certificateRefs": [ref]},
    }
    return {field: value for field, value in {**usual, **fields}.items() if value is not None}


async def world_with(*objects: Manifest, **options: Any) -> World:
    """Return a settled world with an issuer `ca` that signs itself, and these objects."""
    world = World(Options(gates=GATES, **options), private_key=cache(generate_private_key))
    await world.apply(issuer(), *objects)
    await world.settle()
    return world


def events(world: World) -> list[tuple[str, str]]:
    """Return reason and message of the shims' events."""
    shims = {"cert-manager-ingress-shim", "cert-manager-gateway-shim", "cert-manager-listenerset"}
    return [(reason, text) for who, _, _, reason, text in world.events if who in shims]


# ------------------------------------------------------------------------------ Ingresses


async def test_an_annotated_ingress_gets_its_secret() -> None:
    """The Certificate is the original's, and it is issued."""
    world = await world_with(ingress())

    made = await world.got(WEB)
    owner = meta.controller_of(made)
    assert owner is not None
    assert (owner.kind, owner.name) == ("Ingress", "web")
    assert meta.labels(made) == {"team": "blue"}
    assert made["spec"] == {
        "dnsNames": ["a.example", "b.example"],
        "secretName": "web-tls",
        "issuerRef": {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"},
        "usages": ["digital signature", "key encipherment"],
        "privateKey": {"algorithm": "ECDSA"},
    }
    assert (await world.got(SECRET.key("one", "web-tls")))["data"]["tls.crt"]
    assert events(world) == [("CreateCertificate", 'Successfully created Certificate "web-tls"')]


async def test_all_annotations_are_read() -> None:
    """Each ends in the field that is meant."""
    prefix = "cert-manager.io"
    world = await world_with(
        ingress(
            {
                f"{prefix}/cluster-issuer": "everybody",
                f"{prefix}/common-name": "a.example",
                f"{prefix}/email-sans": "a@a.example, b@a.example",
                f"{prefix}/subject-organizations": '"Blue, Ltd",Red',
                f"{prefix}/subject-organizationalunits": "u",
                f"{prefix}/subject-countries": "DE",
                f"{prefix}/subject-provinces": "p",
                f"{prefix}/subject-localities": "l",
                f"{prefix}/subject-postalcodes": "12345",
                f"{prefix}/subject-streetaddresses": '"1 Street, North"',
                f"{prefix}/subject-serialnumber": "7",
                f"{prefix}/duration": "48h",
                f"{prefix}/renew-before": "90m",
                f"{prefix}/usages": "server auth, client auth",
                f"{prefix}/revision-history-limit": "3",
                f"{prefix}/private-key-algorithm": "RSA",
                f"{prefix}/private-key-encoding": "PKCS8",
                f"{prefix}/private-key-size": "3072",
                f"{prefix}/private-key-rotation-policy": "Always",
                f"{prefix}/alt-names": "c.example",
                f"{prefix}/ip-sans": "192.0.2.1",
                f"{prefix}/secret-template": '{"labels": {"l": "1"}}',
                f"acme.{prefix}/http01-edit-in-place": "true",
                f"acme.{prefix}/http01-ingress-class": "nginx",
            },
            {"hosts": ["a.example", "2001:db8::1"], "secretName": "web-tls"},
        )
    )

    made = await world.got(WEB)
    assert meta.annotations(made) == {
        f"acme.{prefix}/http01-override-ingress-name": "web",
        f"{prefix}/issue-temporary-certificate": "true",
        f"acme.{prefix}/http01-override-ingress-class": "nginx",
    }
    assert made["spec"] == {
        "commonName": "a.example",
        "dnsNames": ["a.example", "c.example"],
        "ipAddresses": ["2001:db8::1", "192.0.2.1"],
        "emailAddresses": ["a@a.example", "b@a.example"],
        "subject": {
            "organizations": ["Blue, Ltd", "Red"],
            "organizationalUnits": ["u"],
            "countries": ["DE"],
            "provinces": ["p"],
            "localities": ["l"],
            "postalCodes": ["12345"],
            "streetAddresses": ["1 Street, North"],
            "serialNumber": "7",
        },
        "duration": "48h0m0s",
        "renewBefore": "1h30m0s",
        "usages": ["server auth", "client auth"],
        "revisionHistoryLimit": 3,
        "privateKey": {
            "algorithm": "RSA",
            "encoding": "PKCS8",
            "size": 3072,
            "rotationPolicy": "Always",
        },
        "secretTemplate": {"labels": {"l": "1"}},
        "secretName": "web-tls",
        "issuerRef": {"name": "everybody", "kind": "ClusterIssuer", "group": "cert-manager.io"},
    }
    before = world.writes
    world.restart()
    await world.settle()
    assert world.writes == before, "what is as it should be is not written again"


@pytest.mark.parametrize(
    ("annotation", "text", "why"),
    [
        ("duration", "90d", 'time: unknown unit "d" in duration "90d"'),
        ("usages", "server auth,flying", 'invalid key usage name "flying"'),
        ("revision-history-limit", "0", 'revision history limit must be a positive number "0"'),
        (
            "revision-history-limit",
            "many",
            'strconv.ParseInt: parsing "many": invalid syntax',
        ),
        ("private-key-algorithm", "DSA", 'invalid private key algorithm "DSA"'),
        ("private-key-encoding", "PEM", 'invalid private key encoding "PEM"'),
        ("private-key-size", "1024", 'invalid private key size for RSA algorithm "1024"'),
        ("private-key-size", "big", 'strconv.Atoi: parsing "big": invalid syntax'),
        ("private-key-rotation-policy", "Soon", 'invalid private key rotation policy "Soon"'),
        (
            "secret-template",
            '{"annotations": {"cert-manager.io/a": "b"}}',
            'secretTemplate must not have cert-manager.io/ annotations: "cert-manager.io/a"',
        ),
        ("ip-sans", "a.example", '"a.example" is not a valid IP address'),
    ],
)
async def test_an_annotation_that_cannot_be_read_is_named(
    annotation: str, text: str, why: str
) -> None:
    """Nothing is made, and the Ingress says why."""
    world = await world_with(ingress({**ISSUER, f"cert-manager.io/{annotation}": text}))

    message = f'invalid ingress annotation "cert-manager.io/{annotation}": {why}'
    assert events(world) == [("BadConfig", message)]
    assert not world.all(CERTIFICATE)


@pytest.mark.parametrize(
    ("annotations", "why"),
    [
        (
            {**ISSUER, "cert-manager.io/cluster-issuer": "b"},
            'both "cert-manager.io/issuer" and "cert-manager.io/cluster-issuer" may not be set',
        ),
        (
            {"cert-manager.io/cluster-issuer": "b", "cert-manager.io/issuer-group": "g"},
            (
                'both "cert-manager.io/cluster-issuer" and "cert-manager.io/issuer-group" may not'
                " be set"
            ),
        ),
        (
            {"kubernetes.io/tls-acme": "true"},
            "failed to determine issuer name to be used for ingress resource",
        ),
    ],
)
async def test_an_issuer_that_cannot_be_found_out_is_said(
    annotations: dict[str, str], why: str
) -> None:
    """In the original's words."""
    world = await world_with(ingress(annotations))

    said = f"Could not determine issuer for ingress due to bad annotations: {why}"
    assert events(world) == [("BadConfig", said)]


async def test_the_default_issuer_is_for_who_asks_for_it() -> None:
    """By an annotation that is true; on an Ingress only."""
    shim = ShimOptions("fallback", "ClusterIssuer", auto_certificate_annotations=("my/tls",))
    world = await world_with(
        ingress({"my/tls": "True"}),
        served(GATEWAY, {"listeners": [listener()]}, {"my/tls": "true"}),
        shim=shim,
    )

    assert [meta.name(made) for made in world.all(CERTIFICATE)] == ["web-tls"]
    issuer_ref = (await world.got(WEB))["spec"]["issuerRef"]
    assert issuer_ref == {"name": "fallback", "kind": "ClusterIssuer", "group": "cert-manager.io"}


async def test_who_does_not_ask_gets_nothing() -> None:
    """Neither without an annotation, nor with one that says no, nor while it is deleted."""
    going = ingress()
    going["metadata"]["finalizers"] = ["foregroundDeletion"]
    for obj in (ingress({}), ingress({"kubernetes.io/tls-acme": "false"}), going):
        world = await world_with(obj)
        assert not world.all(CERTIFICATE)
        assert not events(world)


async def test_blocks_that_cannot_be_served_are_skipped() -> None:
    """The others are served."""
    world = await world_with(
        ingress(
            None,
            {"secretName": "empty"},
            {"hosts": ["a.example"]},
            {"hosts": ["a.example"], "secretName": "web-tls"},
        )
    )

    assert events(world)[:2] == [
        ("BadConfig", "Skipped a TLS block: spec.tls[0].hosts: Required value"),
        ("BadConfig", "Skipped a TLS block: spec.tls[1].secretName: Required value"),
    ]
    assert [meta.name(made) for made in world.all(CERTIFICATE)] == ["web-tls"]


async def test_one_secret_in_two_blocks_is_refused() -> None:
    """As a whole."""
    block = {"hosts": ["a.example"], "secretName": "web-tls"}
    world = await world_with(ingress(None, block, {**block, "hosts": ["b.example"]}))

    message = (
        'spec.tls[0].secretName: Invalid value: "web-tls": this secret name must only appear in a'
        " single TLS entry but is also used in spec.tls[1].secretName"
    )
    assert events(world) == [("BadConfig", message)]
    assert not world.all(CERTIFICATE)


async def test_a_change_is_followed_and_what_is_the_users_stays() -> None:
    """Hosts, durations and issuers follow; fields that the shim knows nothing of are kept."""
    world = await world_with(ingress())
    await world.change(WEB, secretTemplate={"labels": {"own": "1"}})
    await world.settle()
    await world.apply(
        ingress(
            {**ISSUER, **ECDSA, "cert-manager.io/duration": "48h"},
            {"hosts": ["c.example"], "secretName": "web-tls"},
        )
    )
    await world.settle()

    spec = (await world.got(WEB))["spec"]
    assert (spec["dnsNames"], spec["duration"]) == (["c.example"], "48h0m0s")
    assert spec["secretTemplate"] == {"labels": {"own": "1"}}
    assert world.said("UpdateCertificate") == ['Successfully updated Certificate "web-tls"']


@pytest.mark.parametrize(
    ("annotation", "text", "field", "value"),
    [
        ("common-name", "a.example", "commonName", "a.example"),
        ("email-sans", "a@a.example", "emailAddresses", ["a@a.example"]),
        ("ip-sans", "192.0.2.1", "ipAddresses", ["192.0.2.1"]),
        ("subject-organizations", "Blue", "subject", {"organizations": ["Blue"]}),
        ("subject-serialnumber", "7", "subject", {"serialNumber": "7"}),
        ("duration", "48h", "duration", "48h0m0s"),
        ("renew-before", "90m", "renewBefore", "1h30m0s"),
        ("usages", "client auth", "usages", ["client auth"]),
        ("revision-history-limit", "3", "revisionHistoryLimit", 3),
        (
            "private-key-encoding",
            "PKCS8",
            "privateKey",
            {"algorithm": "ECDSA", "encoding": "PKCS8"},
        ),
        ("private-key-size", "384", "privateKey", {"algorithm": "ECDSA", "size": 384}),
        (
            "private-key-rotation-policy",
            "Always",
            "privateKey",
            {"algorithm": "ECDSA", "rotationPolicy": "Always"},
        ),
        (
            "issuer-group",
            "example.com",
            "issuerRef",
            {"name": "ca", "kind": "Issuer", "group": "example.com"},
        ),
        (
            "issuer-kind",
            "Other",
            "issuerRef",
            {"name": "ca", "kind": "Other", "group": "example.com"},
        ),
    ],
)
async def test_every_annotation_that_changes_is_followed_once(
    annotation: str, text: str, field: str, value: Any
) -> None:
    """A change of any of them reaches a Certificate that is there, and is written once."""
    group = {"cert-manager.io/issuer-group": "example.com"} if annotation == "issuer-kind" else {}
    usual = {**ISSUER, **ECDSA, **group}
    world = await world_with(ingress(usual))
    before = (await world.got(WEB))["spec"]
    await world.apply(ingress({**usual, f"cert-manager.io/{annotation}": text}))
    await world.settle()

    assert (await world.got(WEB))["spec"] == {**before, field: value}
    assert len(world.said("UpdateCertificate")) == 1
    world.restart()
    await world.settle()
    assert len(world.said("UpdateCertificate")) == 1

    await world.apply(ingress(usual))
    await world.settle()
    kept = {"emailAddresses", "subject", "duration", "renewBefore"}  # may be somebody else's
    assert ((await world.got(WEB))["spec"] == before) == (field not in kept)


async def test_a_limit_of_the_history_is_not_written_for_ever() -> None:
    """As the original does, which compares pointers."""
    limit = {"cert-manager.io/revision-history-limit": "2"}
    world = await world_with(ingress({**ISSUER, **ECDSA, **limit}))
    world.restart()
    await world.settle()

    assert (await world.got(WEB))["spec"]["revisionHistoryLimit"] == 2
    assert not world.said("UpdateCertificate")


async def test_what_is_no_longer_named_is_deleted() -> None:
    """And what was deleted by somebody else comes back."""
    world = await world_with(ingress())
    await world.store.delete(WEB)
    await world.settle()
    assert (await world.got(WEB))["spec"]["secretName"] == "web-tls"

    await world.apply(ingress(None, {"hosts": ["a.example"], "secretName": "other"}))
    await world.settle()
    assert [meta.name(made) for made in world.all(CERTIFICATE)] == ["other"]
    assert world.said("DeleteCertificate") == [
        'Successfully deleted unrequired Certificate "web-tls"'
    ]


async def test_certificates_of_others_are_left_alone() -> None:
    """One without an owner, and one of another Ingress."""
    own = {
        "apiVersion": CERTIFICATE.api_version,
        "kind": "Certificate",
        "metadata": {"name": "web-tls", "namespace": "one"},
        "spec": {"secretName": "web-tls", "dnsNames": ["own"], "issuerRef": {"name": "ca"}},
    }
    world = await world_with(own, ingress())
    assert (await world.got(WEB))["spec"]["dnsNames"] == ["own"]

    other = ingress()
    other["metadata"]["name"] = "second"
    world = await world_with(ingress(), other)
    owner = meta.controller_of(await world.got(WEB))
    assert owner is not None
    assert owner.name == "web"
    assert len(events(world)) == 1


# ------------------------------------------------------------------------------ Gateways


async def test_listeners_of_one_secret_share_a_certificate() -> None:
    """Hosts in the order of the listeners."""
    world = await world_with(
        served(
            GATEWAY,
            {"listeners": [listener(), listener("second", hostname="*.b.example")]},
        )
    )

    made = await world.got(WEB)
    assert made["spec"]["dnsNames"] == ["a.example", "*.b.example"]
    owner = meta.controller_of(made)
    assert owner is not None
    assert (owner.api_version, owner.kind) == ("gateway.networking.k8s.io/v1beta1", "Gateway")


REF: Manifest = {"group": "", "kind": "Secret", "name": "web-tls"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hostname": None}, f"{SKIPPED}.hostname: Required value: the hostname cannot be empty"),
        ({"tls": None}, f"{SKIPPED}.tls: Required value: the TLS block cannot be empty"),
        (
            {"tls": {"mode": "Terminate"}},
            f"{SKIPPED}.tls.certificateRef: Required value: listener has no certificateRefs",
        ),
        (
            {"tls": {"mode": "Passthrough", "certificateRefs": [REF]}},
            f'{SKIPPED}.tls.mode: Unsupported value: "Passthrough": supported values: "Terminate"',
        ),
        (
            {"tls": {"mode": "Terminate", "certificateRefs": [{**REF, "kind": "Pod"}]}},
            (
                f"{SKIPPED}.tls.certificateRef[0].kind: Unsupported value: "
                '"Pod": supported values: "Secret", ""'
            ),
        ),
        (
            {"tls": {"mode": "Terminate", "certificateRefs": [{**REF, "namespace": "two"}]}},
            (
                f'{SKIPPED}.tls.certificateRef[0].namespace: Invalid value: "two": '
                "cross-namespace secret references are not allowed in listeners"
            ),
        ),
    ],
)
async def test_listeners_that_cannot_be_served_are_named(fields: Manifest, message: str) -> None:
    """In the original's words."""
    world = await world_with(served(GATEWAY, {"listeners": [listener(**fields)]}))

    assert events(world) == [("BadConfig", message)]


async def test_a_listener_without_a_host_takes_nothing_from_the_others() -> None:
    """It is named in an event; who loses its host keeps its Certificate as it is."""
    other = {"mode": "Terminate", "certificateRefs": [{**REF, "name": "other-tls"}]}
    world = await world_with(
        served(GATEWAY, {"listeners": [listener(), listener("second", tls=other)]})
    )
    before = {meta.name(made): made for made in world.all(CERTIFICATE)}
    assert sorted(before) == ["other-tls", "web-tls"]
    for hostname in (None, ""):
        bare = listener("second", tls=other, hostname=hostname)
        await world.apply(served(GATEWAY, {"listeners": [listener(hostname="b.example"), bare]}))
        await world.settle()

        assert world.said("BadConfig")[-1] == (
            "Skipped a listener block: spec.listeners[1].hostname: Required value: the hostname"
            " cannot be empty"
        )
        made = {meta.name(made): made for made in world.all(CERTIFICATE)}
        assert made["web-tls"]["spec"]["dnsNames"] == ["b.example"]
        assert made["other-tls"]["spec"] == before["other-tls"]["spec"]
    assert not world.said("DeleteCertificate")


async def test_a_listener_set_has_its_issuer_from_its_gateway() -> None:
    """HTTP is left out in silence; a solver's route would hang on the set."""
    sets = served(
        LISTENER_SET,
        {
            "parentRef": {"name": "web"},
            "listeners": [
                listener(protocol="HTTP", tls=None),
                listener("ignored"),
                listener("second", hostname="b.example"),
            ],
        },
        {**ECDSA, "cert-manager.io/ignore-tls-listeners": "ignored"},
    )
    world = await world_with(sets)
    assert not world.all(CERTIFICATE), "its Gateway is not there yet"

    await world.apply(served(GATEWAY, {"listeners": []}))
    await world.settle()
    made = await world.got(WEB)
    assert made["spec"]["dnsNames"] == ["b.example"]
    assert made["spec"]["issuerRef"]["name"] == "ca"
    assert meta.annotations(made) == {
        "acme.cert-manager.io/http01-parentrefkind": "ListenerSet",
        "acme.cert-manager.io/http01-parentrefname": "web",
    }
    assert [reason for reason, _ in events(world)] == ["CreateCertificate"]
