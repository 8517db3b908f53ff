INSERT INTO {db}.red
SELECT service, name, kind, slot, toUInt64({minus}sum(calls)), toUInt64({minus}sum(errors)),
    toUInt64({minus}sum(durations)),
    mapFromArrays(groupArray(bucket), groupArray(toUInt64({minus}calls))),
    toUInt64({minus}sum(sampled)), {batch}
FROM
(
    SELECT service, name, kind, toUInt32(least(intDiv(start, 60000000000), 4294967295)) AS slot,
        toInt16(floor(log2(toFloat64(duration) + 1) * 8)) AS bucket,
        sum(if(trace_state = '', 1, toUInt64(floor((if(trace_state = '', 1., least(1 / (1 - reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?th:([0-9a-fA-F]{1,14})(?:[;, \\t]|$)'), 14, '0'))))) / 72057594037927936), 1048576.)) AS weight) +
            cityHash64(trace_id, span_id) / 18446744073709551616))) AS times) AS calls,
        countIf(trace_state != '' AND weight > 1) AS sampled,
        sumIf(times, status = 2) AS errors,
        sum(times * toUInt64(duration)) AS durations
    FROM {db}.spans
    WHERE seg > {after} AND seg <= {upto}
    GROUP BY service, name, kind, slot, bucket
)
GROUP BY service, name, kind, slot
UNION ALL
SELECT '', '{note}', 0, 0, 0, 0, 0, CAST(map(), 'Map(Int16, UInt64)'), 0, {batch}
