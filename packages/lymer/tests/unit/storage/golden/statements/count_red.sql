INSERT INTO {db}.red
SELECT service, name, kind, minute, sum(calls), sum(errors), sum(durations),
    mapFromArrays(groupArray(bucket), groupArray(calls)), {upto}
FROM
(
    SELECT service, name, kind, toUInt32(least(intDiv(start, 60000000000), 4294967295)) AS minute,
        toInt16(floor(log2(duration + 1) * 8)) AS bucket,
        count() AS calls,
        countIf(status = 2) AS errors,
        sum(toUInt64(duration)) AS durations
    FROM {db}.spans
    WHERE seg > {after} AND seg <= {upto}
    GROUP BY service, name, kind, minute, bucket
)
GROUP BY service, name, kind, minute
UNION ALL
SELECT '', '', 0, 0, 0, 0, 0, CAST(map(), 'Map(Int16, UInt64)'), {upto}
