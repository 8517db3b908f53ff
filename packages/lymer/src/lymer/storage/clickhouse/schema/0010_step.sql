-- What a step of the rollups of calls looks at, while it is counted: the spans of its segments, and those
-- before them in the same traces; `step_shared` holds each span once of traces in which ids are shared or
-- spans were delivered twice (docs/adr/034-service-graph.md). Empty after a start; nothing lasting is here.
CREATE TABLE IF NOT EXISTS {db}.step_spans
(
    trace UInt64,
    id UInt64,
    parent_id UInt64,
    service LowCardinality(String),
    number UInt64,
    is_callee UInt8,
    is_caller UInt8,
    figures Tuple(minute UInt32, bucket Int16, failed UInt8, weight Float64, duration Float64),
    was_there UInt8
)
ENGINE = Memory;

CREATE TABLE IF NOT EXISTS {db}.step_shared
(
    trace UInt64,
    id UInt64,
    parent_id UInt64,
    number UInt64,
    is_callee UInt8,
    is_caller UInt8,
    figures Tuple(minute UInt32, bucket Int16, failed UInt8, weight Float64, duration Float64),
    was_there UInt8
)
ENGINE = Memory;
