-- Resources and scopes that were met together, with what they say.
SELECT {mark},
    cityHash64(resource) AS resource_hash,
    cityHash64(scope) AS scope_hash,
    nested_keys,
    toUnixTimestamp(seen) AS told,
    tupleElement({resource}, 'attributes') AS attributes,
    (
        tupleElement({scope} AS library, 'name'),
        tupleElement(library, 'version'),
        tupleElement(library, 'attributes')
    ) AS said
FROM {db}.origins
LIMIT {limit}
