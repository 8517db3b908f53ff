-- Spans of some segments by operation, status and both kinds of buckets, with an example of each.
SELECT {mark}, toString(service) AS s, toString(name) AS n, kind, status, classic, native,
    sum(times), sum(times * toFloat64(duration)) / 1000000, any((trace_id, span_id, duration, start))
FROM
(
    SELECT service, name, kind, status, trace_id, span_id, duration, start,
        toUInt8(arrayFirstIndex(bound -> duration <= bound, {bounds})) AS classic,
        toInt16(ceil(log2(greatest(duration, 1) / 1000000) * 8)) AS native,
        if(trace_state = '', 1, toUInt64(floor({weight} +
            cityHash64(trace_id, span_id) / 18446744073709551616))) AS times
    FROM {db}.spans
    WHERE seg > {after} AND seg <= {upto}{ours}
)
GROUP BY s, n, kind, status, classic, native
