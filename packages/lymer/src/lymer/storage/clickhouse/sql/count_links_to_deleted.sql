-- Takes back the edges of links that lead from spans which stay to spans which are deleted.
INSERT INTO {db}.graph
SELECT source_kind, source, target_kind, target, size, slot, {minus}sum(calls), {minus}sum(errors),
    {minus}sum(durations), mapFromArrays(groupArray(bucket), groupArray({minus}calls)),
    toInt64({minus}round(sum(spans))), {batch}
FROM
(
    SELECT source_kind, source, target_kind, target, size, bucket,
        toUInt32(intDiv(minute, size) * size) AS slot, sum(calls) AS calls, sum(errors) AS errors,
        sum(durations) AS durations, sum(spans) AS spans
    FROM
    (
        {links}
    )
    ARRAY JOIN [1::UInt8, 60::UInt8] AS size
    GROUP BY source_kind, source, target_kind, target, size, slot, bucket
)
GROUP BY source_kind, source, target_kind, target, size, slot
UNION ALL
SELECT 255, '{note}', 0, '', 0, {minute_of_arrival}, 0, 0, 0, CAST(map(), 'Map(Int16, Float64)'), 0, {batch}
