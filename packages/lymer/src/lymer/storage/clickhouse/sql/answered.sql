-- Spans that a server or consumer answers: its parent, or the caller whose id it shares.
SELECT parent_id
FROM {db}.step_spans
WHERE is_callee AND parent_id != 0
{shared}
