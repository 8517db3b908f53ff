INSERT INTO {db}.step_shared
SELECT any(trace), id, parent_id, number, is_callee, is_caller, min(figures), max(was_there)
FROM {db}.step_spans
WHERE trace IN
(
    SELECT trace
    FROM {db}.step_spans
    GROUP BY trace
    HAVING count() > uniqExact(id)
)
GROUP BY id, parent_id, number, is_callee, is_caller
