"""Which of a Zipkin span's tags belong to its resource.

OpenTelemetry's Zipkin exporters write resource attributes as tags; on the way in they move back.
Source: OpenTelemetry semantic conventions 1.6.1, resource attributes, and three of OpenCensus.
"""

from __future__ import annotations

from typing import Final

__all__ = ["RESOURCE_KEYS"]

RESOURCE_KEYS: Final = frozenset(
    f"{group}.{key}"
    for group, keys in {
        "aws.ecs": "cluster.arn container.arn launchtype task.arn task.family task.revision",
        "aws.eks": "cluster.arn",
        "aws.log": "group.arns group.names stream.arns stream.names",
        "cloud": "account.id availability_zone platform provider region",
        "container": "id image.name image.tag name runtime",
        "deployment": "environment",
        "device": "id model.identifier model.name",
        "faas": "id instance max_memory name version",
        "host": "arch id image.id image.name image.version name type",
        "k8s": (
            "cluster.name container.name cronjob.name cronjob.uid daemonset.name daemonset.uid "
            "deployment.name deployment.uid job.name job.uid namespace.name node.name node.uid "
            "pod.name pod.uid replicaset.name replicaset.uid statefulset.name statefulset.uid"
        ),
        "opencensus": "exporterversion resourcetype starttime",
        "os": "description name type version",
        "process": (
            "command command_args command_line executable.name executable.path owner pid "
            "runtime.description runtime.name runtime.version"
        ),
        "service": "instance.id name namespace version",
        "telemetry": "auto.version sdk.language sdk.name sdk.version",
        "webengine": "description name version",
    }.items()
    for key in keys.split()
)
