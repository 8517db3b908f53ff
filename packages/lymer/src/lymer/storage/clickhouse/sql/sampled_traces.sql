-- Traces that tail sampling kept in this way.
SELECT trace_id FROM {db}.tail_rates WHERE {meant}
