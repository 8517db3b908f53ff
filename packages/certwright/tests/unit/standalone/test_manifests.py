"""What stands in the files: objects, or what is wrong with them."""

from __future__ import annotations

import base64

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidError
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, CLUSTER_ISSUER, ISSUER, SECRET
from certwright.roles.standalone.manifests import FILE_BYTES_MAX, Problem, decode_manifests
from certwright.roles.standalone.samples import make_sample

GATES = FeatureGates()
ISSUER_YAML = """\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self}
spec: {selfSigned: {}}
"""


def problems_of(text: str) -> list[str]:
    """Return what is wrong with a file, its objects being of no interest."""
    return [str(problem) for problem in decode_manifests("x.yaml", text.encode(), GATES)[1]]


def test_a_file_may_hold_several_documents() -> None:
    """Empty ones and comments are none; what names no namespace is in `default`."""
    text = (
        f"# words\n---\n{ISSUER_YAML}---\n---\napiVersion: v1\nkind: Secret\n"
        "metadata: {name: s, namespace: other}\nstringData: {password: secret}\n---\n"
        "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: c, namespace: x}\n"
        "spec: {ca: {secretName: s}}\n"
    )
    documents, problems = decode_manifests("x.yaml", text.encode(), GATES)

    assert problems == []
    assert [(document.source, document.key) for document in documents] == [
        ("x.yaml document 1", ISSUER.key("default", "self")),
        ("x.yaml document 2", SECRET.key("other", "s")),
        ("x.yaml document 3", CLUSTER_ISSUER.key("", "c")),
    ]
    assert documents[1].object["data"] == {"password": base64.b64encode(b"secret").decode()}
    assert "stringData" not in documents[1].object
    assert "namespace" not in documents[2].object["metadata"]


def test_a_list_is_its_items() -> None:
    """As `kubectl get -o yaml` gives it, with what a server wrote into it taken away."""
    obj = yaml.safe_load(ISSUER_YAML)
    obj["metadata"] |= {"uid": "u", "resourceVersion": "5", "generation": 3}
    obj["status"] = {"conditions": []}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [obj]})
    (document,), problems = decode_manifests("x.yaml", text.encode(), GATES)

    assert problems == []
    assert document.object["metadata"] == {"name": "self", "namespace": "default"}
    assert "status" not in document.object


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: [", "x.yaml: it is not YAML: ", id="no YAML"),
        pytest.param("- 1", "x.yaml: it is no object but a list or a single value", id="a list"),
        pytest.param(
            "apiVersion: v1\nkind: Pod\n",
            'x.yaml: kind "Pod" of "v1" is not used here; used are: Issuer, ClusterIssuer, '
            "Certificate, CertificateRequest, Secret",
            id="another kind",
        ),
        pytest.param(
            ISSUER_YAML.replace("{name: self}", "{}"),
            "x.yaml: Issuer: metadata.name: must be given, as text",
            id="no name",
        ),
        pytest.param(
            ISSUER_YAML.replace("selfSigned: {}", "selfSigned: 3"),
            'x.yaml: Issuer default/self: spec.selfSigned: Invalid value: "integer": '
            'spec.selfSigned in body must be of type object: "integer"',
            id="a wrong type",
        ),
        pytest.param(
            "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c}\n"
            "spec: {secretName: s, issuerRef: {name: x}}\n",
            'x.yaml: Certificate default/c: spec: Invalid value: "": at least one of commonName, '
            "dnsNames, uris ipAddresses, or emailAddresses must be set",
            id="the webhook's words",
        ),
        pytest.param(
            "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c}\nspec:\n"
            "  {secretName: s, issuerRef: {name: x}, dnsNames: [a], duration: 1d}\n",
            "x.yaml: Certificate default/c: ",
            id="no duration",
        ),
        pytest.param(
            ISSUER_YAML + "kind: Issuer\n", 'field "kind" is there twice at line 5', id="twice"
        ),
        pytest.param(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: '!'}\n",
            "x.yaml: Secret default/s: data[a]: must be base64; stringData takes text",
            id="no base64",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: 1}\n",
            "x.yaml: Secret default/s: stringData[a]: must be text",
            id="a number as text",
        ),
        pytest.param("#" * (FILE_BYTES_MAX + 1), "x.yaml: it has 4194305 bytes", id="too large"),
        pytest.param(
            "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
            "x.yaml: it has more than 200000 values, aliases counted",
            id="a bomb",
        ),
        pytest.param("!!python/object:os.system x", "x.yaml: it is not YAML: ", id="code"),
    ],
)
def test_what_cannot_be_used_is_said(text: str, expected: str) -> None:
    """With the file, the object as far as it is known, and why."""
    (found,) = problems_of(text)

    assert expected in found


def test_the_other_documents_of_a_file_are_used() -> None:
    """One mistake does not stop the rest."""
    text = f"{ISSUER_YAML}---\nkind: Pod\n"
    documents, problems = decode_manifests("x.yaml", text.encode(), GATES)

    assert [document.key for document in documents] == [ISSUER.key("default", "self")]
    assert [problem.source for problem in problems] == ["x.yaml document 2"]


def test_an_unknown_field_is_warned_of() -> None:
    """The object is used without it."""
    text = ISSUER_YAML.replace("selfSigned: {}", "selfSigned: {}, color: red")
    (document,), (problem,) = decode_manifests("x.yaml", text.encode(), GATES)

    assert document.key == ISSUER.key("default", "self")
    assert problem.is_warning
    assert problem.message == 'unknown field "spec.color" is not used'


@pytest.mark.parametrize("renewal", ["3", "{windows: 3}", "{windows: [3]}", "[{}]"])
def test_what_is_no_renewal_is_said(renewal: str) -> None:
    """By its type, without a traceback."""
    spec = f"{{secretName: s, issuerRef: {{name: i}}, dnsNames: [a], renewal: {renewal}}}"
    text = f"{_HEAD}spec: {spec}"
    (problem, *_) = problems_of(text)
    assert "spec.renewal" in problem
    assert "must be of type" in problem


def test_dates_and_durations_stay_text() -> None:
    """A name that looks like a date is a name."""
    text = (
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c}\n"
        "spec: {commonName: 2024-01-01, secretName: s, issuerRef: {name: x}, duration: 2h}\n"
    )
    (document,), problems = decode_manifests("x.yaml", text.encode(), GATES)

    assert problems == []
    assert document.object["spec"]["commonName"] == "2024-01-01"


@given(st.text(alphabet="a: -{}[]\n&*!%\"'|>1kindSecret", max_size=60))
def test_no_text_crashes_the_reader(text: str) -> None:
    """It is documents or problems."""
    documents, problems = decode_manifests("x.yaml", text.encode(), GATES)

    assert all(isinstance(problem, Problem) for problem in problems)
    assert documents == []


# ------------------------------------------------------------------------------ samples


def test_the_sample_is_valid_and_names_what_was_asked_for() -> None:
    """DNS names and addresses go where they belong."""
    sample = make_sample(["*.Example.com", "localhost", "127.0.0.1", "::1"])
    documents, problems = decode_manifests("x.yaml", sample.yaml.encode(), GATES)

    assert problems == []
    assert [document.key for document in documents] == [
        ISSUER.key("default", "self-signed"),
        CERTIFICATE.key("default", "local-ca"),
        ISSUER.key("default", "local-ca"),
        CERTIFICATE.key("default", "wildcard.example.com"),
    ]
    spec = documents[3].object["spec"]
    assert spec["dnsNames"] == ["*.Example.com", "localhost"]
    assert spec["ipAddresses"] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("hosts", [[], ["a b"], [""], ["-x"], ["a\nb"]])
def test_a_sample_for_no_host_is_refused(hosts: list[str]) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidError):
        make_sample(hosts)


_HEAD = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            _HEAD + "spec: {secretName: s, issuerRef: {name: i}, dnsName: [a.example]}",
            ['unknown field "spec.dnsName" is not used; did you mean "dnsNames"?', "at least one"],
            id="the reason of a refusal",
        ),
        pytest.param(
            _HEAD + "spec: {secretName: s, isserRef: {name: i}, dnsNames: [a.example]}",
            ['unknown field "spec.isserRef" is not used; did you mean "issuerRef"?', "Required"],
            id="a required field misspelt",
        ),
        pytest.param(
            _HEAD + "spec: {secretName: s, issuerRef: {naame: i, name: i}, dnsNames: [a.example]}",
            ['unknown field "spec.issuerRef.naame" is not used; did you mean "name"?'],
            id="deeper",
        ),
        pytest.param(
            _HEAD + "spec: {secretName: s, issuerRef: {name: i}, dnsNames: [a], zzzzz: 1}",
            ['unknown field "spec.zzzzz" is not used'],
            id="like nothing",
        ),
        pytest.param(
            _HEAD + "spec: {secretName: s, issuerRef: {name: i}, dnsNames: [a], duration: 90d}",
            ['spec.duration: time: unknown unit "d" in duration "90d"; write hours: 2160h'],
            id="days",
        ),
        pytest.param(
            _HEAD + "spec: {secretName: s, issuerRef: {name: i}, dnsNames: [a], renewBefore: x}",
            ['spec.renewBefore: time: invalid duration "x"; such as 2160h or 90m'],
            id="no duration",
        ),
        pytest.param(
            _HEAD + "spec: {secretName: s, issuerRef: {name: i}, dnsNames: [a], renewal: {policy:"
            " RenewBefore, windows: [{cron: 0 2 * * *, windowDuration: 1d, timezon: UTC}]}}",
            [
                "spec.renewal.windows[0].windowDuration: time: unknown unit",
                'in duration "1d"; write hours: 24h',
                'did you mean "timezone"?',
            ],
            id="a window",
        ),
        pytest.param(
            "kind: Issuer\nmetadata: {name: i}\nspec: {selfSigned: {}}",
            ["apiVersion: must be given, such as `apiVersion: cert-manager.io/v1`"],
            id="no apiVersion",
        ),
        pytest.param(
            "kind: Secret\nmetadata: {name: i}",
            ["apiVersion: must be given, such as `apiVersion: v1`"],
            id="no apiVersion of a Secret",
        ),
        pytest.param(
            "apiVersion: cert-manager.io/v1\nmetadata: {name: i}",
            ["kind: must be given, such as `kind: Certificate`"],
            id="no kind",
        ),
        pytest.param(
            _HEAD
            + "spec: {secretName: s, issuerRef: {name: i}, dnsNames: [www.m\u00fcller.example]}",
            [
                'spec.dnsNames[0]: "www.m\u00fcller.example" is not ASCII',
                "; write www.xn--mller-kva.example",
            ],
            id="an umlaut",
        ),
        pytest.param(
            _HEAD
            + "spec: {secretName: s, issuerRef: {name: i}, emailAddresses: [a@b\u00fc.example]}",
            ['spec.emailAddresses[0]: "a@b\u00fc.example" is not ASCII; write a@xn--b-eha.example'],
            id="an umlaut behind an at",
        ),
    ],
)
def test_the_words_say_which_field_and_what_to_write(text: str, words: list[str]) -> None:
    """A newcomer's mistakes, each with the way out."""
    (problem,) = problems_of(text)
    for word in words:
        assert word in problem
