-- Where the next window behind segment {after} ends, if it is full, else 0; and from where spans
-- before it are looked at.
SELECT {mark},
    minIf(seg, seg > {after} AND spans_since >= {window_spans_max}) AS full_end,
    maxIf(seg, seg <= {after} AND spans_back > {lookback_spans_max}) AS too_far_back
FROM
(
    SELECT seg,
        sum(if(seg > {after}, count(), 0)) OVER (ORDER BY seg) AS spans_since,
        sum(if(seg <= {after}, count(), 0)) OVER (ORDER BY seg DESC) AS spans_back
    FROM {db}.spans
    WHERE seg > {lookback} AND seg <= {upto}
    GROUP BY seg
)
