-- The sums of `red` by whole hours, so that a week is 168 of them and the minutes of its two ends
-- (docs/adr/058-a-week-of-red-is-hours.md). A rollup of its own: `batch` as in 0003_rollups.sql. What was
-- counted before is taken from the minutes, day by day, so that a start that was killed goes on.
CREATE TABLE IF NOT EXISTS {db}.red_hours
(
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32,
    hour UInt32 CODEC(Delta(4), ZSTD(1)),
    calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    duration_sum SimpleAggregateFunction(sum, UInt64),
    buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    batch SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))
ORDER BY (hour, service, name, kind)
{ttl_red_hours}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1,
    index_granularity = 1024;

INSERT INTO {db}.red_hours (service, name, kind, hour, calls, errors, duration_sum, buckets, batch)
SELECT service, name, kind, toUInt32(intDiv(minute, 60)) AS hour, sum(r.calls), sum(r.errors),
    sum(r.duration_sum), sumMap(r.buckets), max(r.batch)
FROM {db}.red AS r
WHERE toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC')) NOT IN
    (SELECT toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC')) FROM {db}.red_hours)
GROUP BY toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC')), service, name, kind, hour
SETTINGS max_partitions_per_insert_block = 0
