-- Spans that may show their trace's rate: roots, and where none is stored, any.
(parent_span_id = toFixedString('', 8) OR trace_id NOT IN
    (SELECT trace_id FROM {db}.spans
    WHERE parent_span_id = toFixedString('', 8)
        AND trace_id IN (SELECT trace_id FROM {db}.tail_rates)))
