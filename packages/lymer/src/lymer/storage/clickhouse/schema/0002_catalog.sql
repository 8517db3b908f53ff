-- What exists: operations; the distinct resources and scopes (a tag of a resource is decided here
-- first, so that a search need not read a resource per span); the keys under which events and links
-- have attributes (a tag with another key need not be looked for there). All are filled by views
-- that are idempotent (max), for a view commits apart from its table.
CREATE TABLE lymer.operations
(
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32,
    seen SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (service, name, kind)
TTL seen + INTERVAL {retention_seconds} SECOND
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

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
TTL seen + INTERVAL {retention_seconds} SECOND
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW lymer.origins_view TO lymer.origins AS
SELECT toString(resource) AS resource, toString(scope) AS scope,
    max(toDateTime(intDiv(seg, 1000000), 'UTC')) AS seen
FROM lymer.spans
GROUP BY resource, scope;

CREATE TABLE lymer.nested_keys
(
    key String,
    seen SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY key
TTL seen + INTERVAL {retention_seconds} SECOND
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW lymer.nested_keys_view TO lymer.nested_keys AS
SELECT key, max(toDateTime(intDiv(seg, 1000000), 'UTC')) AS seen
FROM
(
    SELECT seg, arrayJoin({nested_keys}) AS key
    FROM lymer.spans WHERE notEmpty(events) OR notEmpty(links)
)
GROUP BY key;
