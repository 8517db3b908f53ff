-- What exists: operations, and the distinct resources and scopes (a tag of a resource is decided
-- here first, so that a search need not read a resource per span). Both are filled by views that
-- are idempotent (max), for a view commits apart from its table.
CREATE TABLE lymer.operations
(
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32,
    seen SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (service, name, kind)
TTL seen + INTERVAL {retention_seconds} SECOND;

CREATE MATERIALIZED VIEW lymer.operations_view TO lymer.operations AS
SELECT service, name, kind, max(toDateTime(intDiv(seg, 1000000), 'UTC')) AS seen
FROM lymer.spans
GROUP BY service, name, kind;

CREATE TABLE lymer.origins
(
    resource String CODEC(ZSTD(3)),
    scope String CODEC(ZSTD(3)),
    seen SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (cityHash64(resource), cityHash64(scope))
TTL seen + INTERVAL {retention_seconds} SECOND;

CREATE MATERIALIZED VIEW lymer.origins_view TO lymer.origins AS
SELECT toString(resource) AS resource, toString(scope) AS scope,
    max(toDateTime(intDiv(seg, 1000000), 'UTC')) AS seen
FROM lymer.spans
GROUP BY resource, scope;
