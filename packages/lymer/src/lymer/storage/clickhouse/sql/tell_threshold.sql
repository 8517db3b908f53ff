-- Tells what the spans of a window stand for whose traces were kept by chance, in their trace states.
-- Bit 16 of `rare` says that it is told: a window that is carried out again changes nothing.
UPDATE {db}.spans
SET trace_state = if(({rate} AS kept_rate) = 1, toString(trace_state), {state}),
    rare = bitOr(rare, 18)
WHERE {window} AND bitAnd(rare, 16) = 0 AND trace_id IN (SELECT trace_id FROM ({rates}))
