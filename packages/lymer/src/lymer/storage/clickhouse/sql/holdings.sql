-- What a segment holds. Texts of resources and scopes may be large and on many spans: only their
-- hashes are grouped.
SELECT {mark}, service, name, kind,
    cityHash64(resource) AS resource_hash,
    cityHash64(scope) AS scope_hash,
    groupUniqArrayArray({nested_keys}) AS nested_keys
FROM {db}.spans
WHERE seg = {seg}
GROUP BY service, name, kind, resource_hash, scope_hash
