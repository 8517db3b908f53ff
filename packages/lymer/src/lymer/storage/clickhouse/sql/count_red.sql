-- A span counts as many as it stands for: a whole number, which is on average its weight, and the same
-- whenever the span is counted. Buckets are counted first and gathered into maps after: a map per span would cost ten times that.
INSERT INTO {db}.red
SELECT service, name, kind, minute, sum(calls), sum(errors), sum(durations),
    mapFromArrays(groupArray(bucket), groupArray(calls)), {upto}
FROM
(
    SELECT service, name, kind, {minute} AS minute,
        toInt16(floor(log2(duration + 1) * 8)) AS bucket,
        sum(if(trace_state = '', 1, toUInt64(floor({weight} +
            cityHash64(trace_id, span_id) / 18446744073709551616))) AS times) AS calls,
        sumIf(times, status = 2) AS errors,
        sum(times * toUInt64(duration)) AS durations
    FROM {db}.spans
    WHERE seg > {after} AND seg <= {upto}
    GROUP BY service, name, kind, minute, bucket
)
GROUP BY service, name, kind, minute
UNION ALL
SELECT '', '', 0, 0, 0, 0, 0, CAST(map(), 'Map(Int16, UInt64)'), {upto}
