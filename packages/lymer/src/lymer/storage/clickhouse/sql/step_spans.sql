-- The spans of a step, and those of the lookback in the same traces. Traces, spans and services are
-- hashes, a service's of 63 bits; 0 is no parent.
INSERT INTO {db}.step_spans
SELECT
    cityHash64(trace_id) AS trace,
    cityHash64(trace_id, span_id) AS id,
    if(parent_span_id = toFixedString('', 8), 0, cityHash64(trace_id, parent_span_id)) AS parent_id,
    service,
    {number} AS number,
    kind IN (2, 5) AS is_callee,
    kind IN (3, 4) AS is_caller,
    ({minute}, {bucket}, toUInt8(status = 2), {weight}, toFloat64(duration)) AS figures,
    seg <= {after} AS was_there
FROM {db}.spans
PREWHERE seg > {lookback} AND seg <= {upto}
    AND (seg > {after} OR cityHash64(trace_id) IN
        (SELECT cityHash64(trace_id) FROM {db}.spans WHERE seg > {after} AND seg <= {upto}))
