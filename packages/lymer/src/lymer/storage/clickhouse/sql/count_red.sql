-- Rate, errors and durations of a step, by minute or hour. A span counts as many as it stands for: a whole number, which is on average its weight, and the same
-- whenever the span is counted. Buckets are counted first and gathered into maps after: a map per span would cost ten times that.
INSERT INTO {db}.{table}
SELECT service, name, kind, slot, toUInt64({minus}sum(calls)), toUInt64({minus}sum(errors)),
    toUInt64({minus}sum(durations)),
    mapFromArrays(groupArray(bucket), groupArray(toUInt64({minus}calls))),
    toUInt64({minus}sum(sampled)), {batch}
FROM
(
    SELECT service, name, kind, {slot} AS slot,
        toInt16(floor(log2(toFloat64(duration) + 1) * 8)) AS bucket,
        sum(if(trace_state = '', 1, toUInt64(floor(({weight} AS weight) +
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
