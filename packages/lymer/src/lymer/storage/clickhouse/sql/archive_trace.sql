-- Copies of a trace's spans, but those that the archive has: what was archived twice is there once,
-- and what came in between is added. Spans of a segment that are alike come and go together.
INSERT INTO {db}.archive ({columns})
SELECT {columns}
FROM {db}.spans
WHERE {where} AND (seg, span_id, parent_span_id, start, duration, kind) NOT IN
(
    SELECT seg, span_id, parent_span_id, start, duration, kind
    FROM {db}.archive
    WHERE {where}
)
