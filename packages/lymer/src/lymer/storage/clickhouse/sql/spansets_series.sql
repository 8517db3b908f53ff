-- Counts and measures of matching spans for each interval and each combination of labels.
{with}SELECT {mark}, {interval} AS interval, max({arrays}) AS look_again, count() AS spans,
    countIf({has}) AS measured, sumIf({value}, {has}) AS total,
    minIf({value}, {has}) AS least, maxIf({value}, {has}) AS most,
    {more} AS more,
    argMin((trace_id, span_id, start, if({has}, {value}, 1.)), cityHash64(span_id)) AS one{labels}
FROM {db}.spans
WHERE {where}
GROUP BY interval{label_names}
LIMIT {rows_max}
