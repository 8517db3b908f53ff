-- What is deleted, as rollups counted it: before tail sampling told what its spans stand for (bit 16 of
-- `rare`). Traces are apart by how long they took to arrive.
INSERT INTO {db}.{table}
SELECT seg, trace_id, span_id, parent_span_id, start, duration, service, name, kind, status, attrs,
    links, if((if(bitAnd(rare, 16) = 0, 1., {rate}) AS kept_rate) = 1, toString(trace_state), {state}),
    cityHash64(resource), cityHash64(scope)
FROM {db}.spans
WHERE {within} AND trace_id IN
(
    SELECT trace_id
    FROM {db}.spans
    WHERE {within} AND trace_id IN (SELECT trace_id FROM {db}.deleted_traces)
    GROUP BY trace_id
    HAVING (max(seg) - min(seg) > {lookback_microseconds} OR count() > {spans_max}) = {is_long}
)
