-- What resources and scopes of a segment say that were not met before.
SELECT {mark}, resource_hash, scope_hash,
    tupleElement({resource}, 'attributes') AS attributes,
    (
        tupleElement({scope} AS library, 'name'),
        tupleElement(library, 'version'),
        tupleElement(library, 'attributes')
    ) AS said
FROM
(
    SELECT
        resource_hash,
        scope_hash,
        toString(any(spans.resource)) AS resource,
        toString(any(spans.scope)) AS scope
    FROM {db}.spans AS spans
    WHERE seg = {seg} AND (cityHash64(spans.resource), cityHash64(spans.scope)) IN ({origins})
    GROUP BY cityHash64(spans.resource) AS resource_hash, cityHash64(spans.scope) AS scope_hash
)
