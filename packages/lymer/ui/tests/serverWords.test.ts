import { expect, test } from "vitest";

import words from "../src/i18n/errors.ko.json";
import { inWords, sentences } from "../src/i18n/serverWords.ts";

const known = sentences(words);

test.each([
  ['there is no "servic"', '"servic"은(는) 없습니다'],
  ["= compares string with status", "=(으)로 string와(과) status을(를) 비교할 수 없습니다"],
  ['"=" is not possible here, expected {, a number', '여기에는 "="을(를) 쓸 수 없습니다. 올 수 있는 것: {, 숫자'],
  [
    '"}" is not possible here, expected (, a duration, a number, a text in quotes',
    '여기에는 "}"을(를) 쓸 수 없습니다. 올 수 있는 것: (, 시간 길이, 숫자, 따옴표로 묶은 문자열',
  ],
  ['"x" is not possible here', '여기에는 "x"을(를) 쓸 수 없습니다'],
  [
    "cannot read the question at line 1, column 3: the number is too large; compare it with something",
    "질의를 읽을 수 없습니다(1번째 줄 3번째 글자): 숫자가 너무 큽니다; 값과 비교하세요",
  ],
  ["what nobody has translated; the number is too large", "what nobody has translated; 숫자가 너무 큽니다"],
  ["", ""],
])("%s", (theirs, ours) => {
  expect(inWords(known, theirs)).toBe(ours);
});
