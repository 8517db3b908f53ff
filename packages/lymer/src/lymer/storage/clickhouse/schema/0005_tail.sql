-- Tail sampling (docs/adr/018-tail-sampling-in-the-store.md). Spans that come late follow the
-- decision on their trace (tail.REMEMBERED_SECONDS; rows are removed later, with their partition);
-- what was kept by chance keeps its rate as long as its spans. `batch` is the last segment of the window a decision was made for. The row without a
-- trace says how far deciding has come, in one part with the decisions; tail_progress says it when
-- they are forgotten.
CREATE TABLE IF NOT EXISTS {db}.tail_decisions
(
    trace_id FixedString(16) CODEC(NONE),
    kept UInt8,
    rate Float32,
    policy LowCardinality(String),
    batch UInt64 CODEC(Delta(8), ZSTD(1)),
    decided DateTime('UTC') DEFAULT now('UTC') CODEC(Delta(4), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toStartOfTenMinutes(decided)
ORDER BY trace_id
TTL decided + INTERVAL 1 HOUR
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS {db}.tail_progress
(
    one UInt8,
    batch UInt64
)
ENGINE = ReplacingMergeTree(batch)
ORDER BY one
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS {db}.tail_rates
(
    trace_id FixedString(16) CODEC(NONE),
    rate Float32,
    policy LowCardinality(String),
    batch UInt64 CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))
ORDER BY trace_id
{ttl_tail_rates}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1;
