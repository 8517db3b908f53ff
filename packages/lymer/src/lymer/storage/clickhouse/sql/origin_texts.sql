-- What some resources or scopes say: one row of each has its text. An aggregate function would write
-- the text of every row out in full.
SELECT {mark}, origin_hash, {said}
FROM
(
    SELECT {column}, cityHash64({column}) AS origin_hash
    FROM {db}.spans
    WHERE ({where}) AND cityHash64({column}) IN ({hashes})
    LIMIT 1 BY origin_hash
)
