-- What is counted of each edge of the service graph by the minute; calls and links together.
-- Bucket b holds durations d with floor(8 * log2(d + 1)) = b.
SELECT {mark}, cityHash64(source_kind, source, if(target_kind = 4, 0, target_kind), target) AS series,
    slot, sum(r.calls), sum(r.errors),
    sum(arraySum((bucket, count) -> (bucket + 0.5) / 8 * count, mapKeys(r.buckets),
        mapValues(r.buckets)))
FROM {db}.graph AS r
WHERE {where}
GROUP BY series, slot
