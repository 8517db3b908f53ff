-- Whether there are arrays under some keys in what was stored since.
SELECT {mark}, {arrays}
FROM {db}.spans
WHERE seg > {segment} AND start BETWEEN {low} AND {high}
