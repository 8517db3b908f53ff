INSERT INTO {db}.sampling_rates
SELECT {at}, tupleElement(rate, 1), tupleElement(rate, 2), tupleElement(rate, 3),
    tupleElement(rate, 4)
FROM
(
    SELECT arrayJoin(JSONExtract({rates:String},
        'Array(Tuple(String, String, Float64, Float64))')) AS rate
)
