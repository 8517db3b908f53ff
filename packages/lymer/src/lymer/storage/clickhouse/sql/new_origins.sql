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
    SELECT resource_hash, scope_hash, toString(resource) AS resource, toString(scope) AS scope
    FROM
    (
        -- A row of each, and no aggregate function: that would write every row's text out in full.
        SELECT
            resource,
            scope,
            cityHash64(resource) AS resource_hash,
            cityHash64(scope) AS scope_hash
        FROM {db}.spans
        WHERE seg = {seg} AND (cityHash64(resource), cityHash64(scope)) IN ({origins})
        LIMIT 1 BY resource_hash, scope_hash
    )
)
