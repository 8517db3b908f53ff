-- p0 = 'shop'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
SELECT {mark}, service, name, kind, calls, errors, durations,
    toUInt64(round(exp2((keys[least(length(keys),
        arrayFirstIndex(count -> count >= 0.5 * calls, cumulated))] + 0.5) / 8) - 1)) AS p50,
    toUInt64(round(exp2((keys[least(length(keys),
        arrayFirstIndex(count -> count >= 0.95 * calls, cumulated))] + 0.5) / 8) - 1)) AS p95,
    toUInt64(round(exp2((keys[least(length(keys),
        arrayFirstIndex(count -> count >= 0.99 * calls, cumulated))] + 0.5) / 8) - 1)) AS p99,
    are_sampled
FROM
(
    SELECT service, name, if(kind BETWEEN 0 AND 5, kind, 0) AS kind,
        sum(red.calls) AS calls,
        sum(red.errors) AS errors,
        sum(duration_sum) AS durations,
        sum(red.sampled) != 0 AS are_sampled,
        sumMap(red.buckets) AS counts,
        mapKeys(counts) AS keys,
        arrayCumSum(mapValues(counts)) AS cumulated
    FROM
    (
        SELECT service, name, kind, minute, calls, errors, duration_sum, buckets, sampled
FROM {db}.red
WHERE minute BETWEEN 0 AND 0 AND calls > 0 AND service = {p0:String}
    ) AS red
    GROUP BY service, name, kind
    HAVING calls > 0
)
