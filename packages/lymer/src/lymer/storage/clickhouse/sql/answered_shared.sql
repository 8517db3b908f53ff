-- Of traces that hold an id twice, behind answered.sql: the caller whose id a callee shares.
SELECT id
FROM {db}.step_shared
WHERE is_callee
