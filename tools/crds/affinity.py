"""The schema of a pod's affinity, as the Kubernetes API has it.

Source: kubernetes API reference v1.27, core/v1 Affinity.
"""

from __future__ import annotations

from crds.schema import Schema, array, integer, mapping, record, text, texts

_ATOMIC: Schema = {"x-kubernetes-map-type": "atomic"}


def _requirements(whose: str, operators: str) -> Schema:
    return array(
        f"Conditions on {whose}; all must hold.",
        record(
            "One condition.",
            required=("key", "operator"),
            key=text(f"Which of the {whose}."),
            operator=text(f"{operators}."),
            values=texts("What the operator compares with; empty with Exists and DoesNotExist."),
        ),
    )


def _node_term(description: str) -> Schema:
    operators = "In, NotIn, Exists, DoesNotExist, Gt or Lt"
    return record(
        description,
        rules=_ATOMIC,
        matchExpressions=_requirements("labels of the node", operators),
        matchFields=_requirements("fields of the node", operators),
    )


def _label_selector(description: str) -> Schema:
    return record(
        description,
        rules=_ATOMIC,
        matchExpressions=_requirements("labels", "In, NotIn, Exists or DoesNotExist"),
        matchLabels=mapping("Labels that must be there with these values."),
    )


def _weight() -> Schema:
    return integer("What a node that fits gains, 1 to 100.", format="int32")


def _pod_term(description: str) -> Schema:
    return record(
        description,
        required=("topologyKey",),
        labelSelector=_label_selector("Which pods are meant."),
        namespaceSelector=_label_selector(
            "Namespaces, by their labels, whose pods are meant, besides those in `namespaces`; an"
            " empty selector is for all."
        ),
        namespaces=texts("Namespaces whose pods are meant; the pod's own if neither is set."),
        topologyKey=text("Label of nodes; nodes with the same value are one place."),
    )


def _pods(description: str) -> Schema:
    return record(
        description,
        preferredDuringSchedulingIgnoredDuringExecution=array(
            "What is wished for, with weights.",
            record(
                "One wish.",
                required=("podAffinityTerm", "weight"),
                podAffinityTerm=_pod_term("The wish."),
                weight=_weight(),
            ),
        ),
        requiredDuringSchedulingIgnoredDuringExecution=array(
            "What must hold.", _pod_term("One demand.")
        ),
    )


AFFINITY = record(
    "Where the solver pod may run.",
    nodeAffinity=record(
        "On which nodes.",
        preferredDuringSchedulingIgnoredDuringExecution=array(
            "What is wished for, with weights.",
            record(
                "One wish.",
                required=("preference", "weight"),
                preference=_node_term("The wish."),
                weight=_weight(),
            ),
        ),
        requiredDuringSchedulingIgnoredDuringExecution=record(
            "What must hold.",
            required=("nodeSelectorTerms",),
            rules=_ATOMIC,
            nodeSelectorTerms=array("One of these must hold.", _node_term("One choice.")),
        ),
    ),
    podAffinity=_pods("Near which pods."),
    podAntiAffinity=_pods("Away from which pods."),
)
