SELECT
    cityHash64(trace_id, span_id) AS id,
    if(parent_span_id = toFixedString('', 8), 0, cityHash64(trace_id, parent_span_id)) AS parent_id,
    {number} AS service,
    kind IN (2, 5) AS is_callee,
    kind IN (3, 4) AS is_caller,
    min({figures}) AS figures,
    max(seg <= {after}) AS was_there
FROM {db}.spans
PREWHERE seg > {lookback} AND seg <= {upto}
    AND cityHash64(trace_id) IN (SELECT arrayJoin(special))
GROUP BY id, parent_id, service, kind
