-- Counts and measures of matching spans for each interval and each combination of labels. A span counts
-- as many as it stands for, but for the least and the most.
{with}SELECT {mark}, {interval} AS interval, max({arrays}) AS look_again,
    max(({weight} AS weight) > 1) AS is_estimated, count() AS read,
    sum(weight) AS spans, sumIf(weight, {has}) AS measured, sumIf(weight * {value}, {has}) AS total,
    minIf({value}, {has}) AS least, maxIf({value}, {has}) AS most,
    {more} AS more,
    argMin((trace_id, span_id, start, if({has}, {value}, 1.)), cityHash64(span_id)) AS one{labels}
FROM {db}.spans
WHERE {where}
GROUP BY interval{label_names}
LIMIT {rows_max}
