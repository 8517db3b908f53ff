-- Rate, errors, durations of operations, from hours, and minutes at both ends. Quantiles are taken of the
-- buckets afterwards: planning them here took as long as adding up (docs/adr/031-what-a-day-of-red-costs.md).
SELECT {mark}, service, name, if(kind BETWEEN 0 AND 5, kind, 0) AS span_kind, sum(red.calls),
    sum(red.errors), sum(red.duration_sum), sum(red.sampled), sumMap(red.buckets)
FROM {rows}
WHERE {where}
GROUP BY service, name, span_kind
