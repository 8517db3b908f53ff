-- The service graph: calls, errors and durations by edge and minute, and by edge and hour (`size` is
-- minutes), so that a week is read as hours and its two ends as minutes. An edge without a source is a
-- node: what came in from outside of it. `batch` as in 0003_rollups.sql; kinds: model/graph.py. Counts
-- are sums of sampling weights, hence no whole numbers.
CREATE TABLE IF NOT EXISTS {db}.graph
(
    source_kind UInt8,
    source LowCardinality(String),
    target_kind UInt8,
    target LowCardinality(String),
    size UInt8,
    slot UInt32 CODEC(Delta(4), ZSTD(1)),
    calls SimpleAggregateFunction(sum, Float64),
    errors SimpleAggregateFunction(sum, Float64),
    duration_sum SimpleAggregateFunction(sum, Float64),
    buckets SimpleAggregateFunction(sumMap, Map(Int16, Float64)),
    spans SimpleAggregateFunction(sum, Int64),
    batch SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))
ORDER BY (size, slot, source_kind, source, target_kind, target)
{ttl_graph}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1,
    index_granularity = 1024;
