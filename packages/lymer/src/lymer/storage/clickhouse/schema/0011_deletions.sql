-- Traces that somebody had deleted (deletion.py). `deletions` is the audit log: who, when, by which
-- question, how many; it is never dropped. state: 1 begun, 2 done. The other tables hold what is being
-- deleted while it is, one deletion at a time, so that a crash in the middle is carried on.
CREATE TABLE IF NOT EXISTS {db}.deletions
(
    id UInt64,
    who String,
    question String,
    traces UInt64,
    spans UInt64,
    archived UInt64,
    upto UInt64,
    state UInt8
)
ENGINE = ReplacingMergeTree(state)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS {db}.deleted_traces
(
    trace_id FixedString(16)
)
ENGINE = MergeTree
ORDER BY trace_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 20,
    cleanup_delay_period = 10, max_cleanup_delay_period = 20;

-- Their spans, as rollups count them; those of traces that took longer to arrive than rollups look back
-- lie apart, as they are taken back in short steps.
CREATE TABLE IF NOT EXISTS {db}.deleted_spans
(
    seg UInt64,
    trace_id FixedString(16),
    span_id FixedString(8),
    parent_span_id FixedString(8),
    start UInt64,
    duration Int64,
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32,
    status Int32,
    attrs Map(LowCardinality(String), String),
    links Array(Tuple(
        trace_id String,
        span_id String,
        trace_state String,
        attributes Map(LowCardinality(String), String),
        dropped_attributes_count UInt32,
        flags UInt32)),
    trace_state LowCardinality(String),
    resource_hash UInt64,
    scope_hash UInt64
)
ENGINE = MergeTree
ORDER BY seg
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 20,
    cleanup_delay_period = 10, max_cleanup_delay_period = 20;

CREATE TABLE IF NOT EXISTS {db}.deleted_long_spans AS {db}.deleted_spans;

-- An archive of old is a large part: what is deleted from it must not lie beside it for minutes.
ALTER TABLE {db}.archive MODIFY SETTING old_parts_lifetime = 20, cleanup_delay_period = 10,
    max_cleanup_delay_period = 20
