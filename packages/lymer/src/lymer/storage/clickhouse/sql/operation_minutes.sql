-- What is counted of each operation by the minute; `operation_minutes_names` says who a number is.
-- Bucket b holds durations d with floor(8 * log2(d + 1)) = b.
SELECT {mark}, cityHash64(service, name) AS series, minute, toFloat64(sum(r.calls)),
    toFloat64(sum(r.errors)),
    sum(arraySum((bucket, count) -> (bucket + 0.5) / 8 * count, mapKeys(r.buckets),
        mapValues(r.buckets)))
FROM {db}.red AS r
WHERE {where}
GROUP BY series, minute
