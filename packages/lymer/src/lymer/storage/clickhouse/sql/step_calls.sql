-- What a step changes in the calls between spans: the numbers of two services, the figures of the span
-- below, and 1 or -1. In most traces every id is one span's: children meet parents, one of whom is new.
-- In the others (`step_shared`, step_calls_shared.sql) the calls known now are counted, less those known
-- before the step; a step without such traces is asked without them.
SELECT callers.number AS parent, called.number AS child, is_callee, figures, toInt8(1) AS change
FROM
(
    SELECT parent_id, number, is_callee, figures, was_there
    FROM {db}.step_spans
    WHERE parent_id != 0{alone}
) AS called
LEFT ANY JOIN
(
    SELECT id, number, was_there
    FROM {db}.step_spans
    WHERE id != 0{alone}
) AS callers ON called.parent_id = callers.id
WHERE callers.number != 0 AND NOT (called.was_there AND callers.was_there)
{shared}
