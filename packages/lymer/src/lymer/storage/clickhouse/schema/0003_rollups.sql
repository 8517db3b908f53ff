-- Sums per minute of span start. `batch` is the highest segment a row holds: max(batch) is how far
-- the rollup has come, and survives merges, so every segment is counted exactly once
-- (docs/adr/007-rollups-by-ingest-watermark.md). Minutes are whole minutes since 1970.
CREATE TABLE IF NOT EXISTS {db}.red
(
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32,
    minute UInt32,
    calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    duration_sum SimpleAggregateFunction(sum, UInt64),
    buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    batch SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))
ORDER BY (service, name, kind, minute)
{ttl_red}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS {db}.dependencies
(
    parent LowCardinality(String),
    child LowCardinality(String),
    minute UInt32,
    calls SimpleAggregateFunction(sum, UInt64),
    batch SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))
ORDER BY (parent, child, minute)
{ttl_dependencies}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1;
