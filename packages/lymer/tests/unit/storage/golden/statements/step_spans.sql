INSERT INTO {db}.step_spans
SELECT
    cityHash64(trace_id) AS trace,
    cityHash64(trace_id, span_id) AS id,
    if(parent_span_id = toFixedString('', 8), 0, cityHash64(trace_id, parent_span_id)) AS parent_id,
    service,
    bitShiftRight(cityHash64(service), 1) AS number,
    kind IN (2, 5) AS is_callee,
    kind IN (3, 4) AS is_caller,
    (toUInt32(least(intDiv(start, 60000000000), 4294967295)), toInt16(floor(log2(toFloat64(duration) + 1) * 8)), toUInt8(status = 2), if(trace_state = '', 1., least(1 / (1 - reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?th:([0-9a-fA-F]{1,14})(?:[;, \\t]|$)'), 14, '0'))))) / 72057594037927936), 1048576.)), toFloat64(duration)) AS figures,
    seg <= {after} AS was_there
FROM {db}.spans
PREWHERE seg > {lookback} AND seg <= {upto}
    AND (seg > {after} OR cityHash64(trace_id) IN
        (SELECT cityHash64(trace_id) FROM {db}.spans WHERE seg > {after} AND seg <= {upto}))
