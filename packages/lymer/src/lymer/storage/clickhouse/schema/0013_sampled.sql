-- How many of the spans in a sum stand for several, so that the answer says of itself that it is an estimate
-- (docs/sampling.md). Of what was counted before, the service graph knows it, by the minute: calls that are
-- more than spans.
ALTER TABLE {db}.red ADD COLUMN IF NOT EXISTS
    sampled SimpleAggregateFunction(sum, UInt64) AFTER buckets;
ALTER TABLE {db}.red_hours ADD COLUMN IF NOT EXISTS
    sampled SimpleAggregateFunction(sum, UInt64) AFTER buckets;
ALTER TABLE {db}.dependencies ADD COLUMN IF NOT EXISTS
    sampled SimpleAggregateFunction(sum, UInt64) AFTER calls;
ALTER TABLE {db}.red UPDATE sampled = 1 WHERE calls > 0 AND minute IN
    (SELECT slot FROM {db}.graph WHERE size = 1 AND calls > spans * 1.000001)
SETTINGS mutations_sync = 2;
ALTER TABLE {db}.red_hours UPDATE sampled = 1 WHERE calls > 0 AND hour IN
    (SELECT intDiv(slot, 60) FROM {db}.graph WHERE size = 60 AND calls > spans * 1.000001)
SETTINGS mutations_sync = 2;
ALTER TABLE {db}.dependencies UPDATE sampled = 1 WHERE parent != '' AND minute IN
    (SELECT slot FROM {db}.graph WHERE size = 1 AND calls > spans * 1.000001)
SETTINGS mutations_sync = 2
