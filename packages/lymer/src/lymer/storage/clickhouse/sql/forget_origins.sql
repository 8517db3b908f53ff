-- Resources and scopes of deleted spans that no span is left of.
ALTER TABLE {db}.origins DELETE WHERE (cityHash64(resource), cityHash64(scope)) IN
(
    SELECT resource_hash, scope_hash FROM {db}.deleted_spans
    UNION ALL
    SELECT resource_hash, scope_hash FROM {db}.deleted_long_spans
)
AND (cityHash64(resource), cityHash64(scope)) NOT IN
(
    SELECT cityHash64(resource), cityHash64(scope) FROM {db}.spans
)
