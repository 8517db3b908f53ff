-- Destinations of messages; and whom nobody was seen to answer, less whom nobody had been seen to
-- answer before the step. Which spans those are is known before attributes are read.
SELECT if(kind = 5, leaf.1, 0), if(kind = 5, leaf.2, service), if(kind = 5, 0, leaf.1),
    if(kind = 5, service, leaf.2), figures.1, figures.2, sum(change * figures.4),
    sum(change * figures.4 * figures.3), sum(change * figures.4 * figures.5),
    toFloat64(sum(change))
FROM
(
    SELECT service, kind, {leaf} AS leaf, figures,
        toInt64(multiIf(leaf.1 = 2, is_first, leaf.1 = 0, 0, opened)) AS change
    FROM
    (
        SELECT service, kind, {texts} AS texts, figures, is_first, opened
        FROM
        (
            SELECT cityHash64(trace_id, span_id) AS id, toString(service) AS service, kind,
                {leaf_attributes} AS named, {figures} AS figures,
                (id, kind = 5) NOT IN (
                    SELECT id, is_callee FROM {db}.step_spans WHERE was_there) AS is_first,
                toInt8(id NOT IN (
                    {answered}
                )) AS is_open,
                is_open - (NOT is_first AND id NOT IN (
                    {answered_before}
                )) AS opened
            FROM {db}.spans
            PREWHERE seg > {lookback} AND seg <= {upto} AND kind IN (3, 4, 5)
                AND (seg > {after} OR id IN (
                    {answered}
                ))
            WHERE kind != 3 OR opened != 0
            LIMIT 1 BY id, service, kind
        )
        WHERE notEmpty(named)
    )
)
WHERE change != 0
GROUP BY ALL
