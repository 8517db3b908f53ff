-- Root spans by the second in which they arrived and the probability they were sampled by; counted
-- by the same watermark as the other rollups, only while adaptive sampling is switched on
-- (docs/adr/019-throughput-by-the-engine.md). `origin`: 0 does not say, 1 tags of a probabilistic
-- sampler, 2 tags of another one, 3 the threshold in the trace state.
CREATE TABLE IF NOT EXISTS {db}.throughput
(
    second UInt32 CODEC(Delta(4), ZSTD(1)),
    service LowCardinality(String),
    name LowCardinality(String),
    origin UInt8,
    probability Float64,
    roots SimpleAggregateFunction(sum, UInt64),
    batch SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))
ORDER BY (second, service, name, origin, probability)
TTL toDateTime(intDiv(batch, 1000000), 'UTC') + INTERVAL 2 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1;

-- What adaptive sampling computed, one part for each time; the row without a service marks a time at
-- which there was nothing.
CREATE TABLE IF NOT EXISTS {db}.sampling_rates
(
    at UInt64,
    service String,
    operation String,
    probability Float64,
    traces_per_second Float64
)
ENGINE = MergeTree
ORDER BY (at, service, operation)
TTL toDateTime(intDiv(at, 1000000000), 'UTC') + INTERVAL 2 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
