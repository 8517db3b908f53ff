-- As window.sql, where several collectors write: by instant, whosever the segments are.
SELECT {mark},
    minIf(seg, is_fresh AND spans_since >= {window_spans_max}) AS full_end,
    maxIf(seg, NOT is_fresh AND spans_back > {lookback_spans_max}) AS too_far_back
FROM
(
    SELECT seg, {fresh} AS is_fresh,
        sum(if(is_fresh, count(), 0)) OVER (ORDER BY seg) AS spans_since,
        sum(if({before}, count(), 0)) OVER (ORDER BY seg DESC) AS spans_back
    FROM {db}.spans
    WHERE {seen}
    GROUP BY seg
)
