/** Writing questions in the search language: completion, the form's way there, what is remembered. */

import { describe, expect, it } from "vitest";

import { readAsked, withRecent, withSaved } from "../src/model/asked.ts";
import { fieldText, placeAt, suggest, written, type Place } from "../src/model/completion.ts";
import { languageOf } from "../src/model/formLanguage.ts";
import { drawnSeries, seriesName } from "../src/model/promSeries.ts";
import { readQuestion, writeQuestion } from "../src/model/question.ts";

/** The place at the bar in a text. */
function at(marked: string): Place {
  const cursor = marked.indexOf("¦");
  return placeAt(marked.replace("¦", ""), cursor);
}

const FIELDS = [
  { scope: "span", name: "http.route" },
  { scope: "resource", name: "service.name" },
  { scope: "resource", name: "service.version" },
  { scope: "span", name: "with space" },
];

describe("what can stand at the cursor", () => {
  it.each([
    ["¦", "spanset", "", ""],
    ["{ ¦", "key", "", ""],
    ["{ span.ht¦", "key", "span.ht", ""],
    ["{ span.http.route ¦", "operator", "", ""],
    ["{ span.http.route = ¦", "value", "", "span.http.route"],
    ['{ span.http.route = "/ca¦', "value", '"/ca', "span.http.route"],
    ["{ duration > ¦ }", "value", "", "duration"],
    ["{ status = err¦ }", "value", "err", "status"],
    ['{ .a = "x" ¦', "join", "", ""],
    ["{ .a = 3 ¦", "join", "", ""],
    ['{ .a = "x" && ¦ }', "key", "", ""],
    ['{ .a = "x" && (¦ }', "key", "", ""],
    ["{ } ¦", "relation", "", ""],
    ["{ } >> ¦", "spanset", "", ""],
    ["{ } | ¦", "stage", "", ""],
    ["{ } | ra¦", "stage", "ra", ""],
    ["{ } | rate() by (¦", "key", "", ""],
    ["{ } | quantile_over_time(dur¦", "key", "dur", ""],
    ['{ name = "a } | b" ¦', "join", "", ""],
  ])("%s: %s", (marked, kind, typed, field) => {
    expect(at(marked)).toMatchObject({ kind, typed, field });
  });

  it("never fails and never points outside of the text, whatever is written", () => {
    const letters = ["{", "}", "(", ")", '"', " ", ".", "a", "=", "&&", "|", "~", ">>", "rate()", "한", ","];
    let seed = 7;
    for (let round = 0; round < 4000; round++) {
      let text = "";
      for (let length = 0; length < round % 12; length++) {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        text += letters[seed % letters.length];
      }
      const cursor = round % (text.length + 1);
      const place = placeAt(text, cursor);
      expect(place.from).toBeLessThanOrEqual(cursor);
      expect(place.to).toBeGreaterThanOrEqual(cursor);
      expect(place.to).toBeLessThanOrEqual(text.length);
      for (const one of suggest(place, FIELDS, [{ type: "string", value: 'a "b"' }])) {
        const next = written(text, place, one);
        expect(next.cursor).toBeLessThanOrEqual(next.text.length);
      }
    }
  });
});

describe("what is offered", () => {
  it("begins with what begins so, and quotes what needs quotes", () => {
    const labels = suggest(at("{ serv¦"), FIELDS, []).map(({ label }) => label);
    expect(labels[0]).toBe("resource.service.name");
    expect(labels).toContain("resource.service.version");
    expect(fieldText(FIELDS[3])).toBe('span."with space"');
  });

  it("writes a value as the language writes it, and goes on behind it", () => {
    const place = at("{ .a = ¦ }");
    const [offer] = suggest(place, [], [{ type: "string", value: 'say "hi"' }]);
    expect(written("{ .a =  }", place, offer).text).toBe('{ .a = "say \\"hi\\"" }');
    expect(suggest(place, [], [{ type: "int", value: "200" }])[0].text.trim()).toBe("200");
  });

  it("replaces the whole word that is being written", () => {
    const place = placeAt("{ sta }", 4);
    const offer = suggest(place, FIELDS, []).find(({ label }) => label === "status");
    expect(offer && written("{ sta }", place, offer).text).toBe("{ status }");
  });
});

describe("the form in the language", () => {
  const of = (address: string): string => languageOf(readQuestion(new URLSearchParams(address)));
  it("asks the same", () => {
    expect(of("service=cart&operation=GET+%2F&minDuration=1.5s&maxDuration=2s")).toBe(
      '{ resource.service.name = "cart" && name = "GET /" && duration >= 1.5s && duration <= 2s }',
    );
    expect(of('tags={"error":"true","http.status_code":"200","a b":"x\\"y"}')).toBe(
      '{ status = error && (.http.status_code = 200 || .http.status_code = "200") && ."a b" = "x\\"y" }',
    );
    expect(of("")).toBe("{ }");
    expect(of("q=%7B+.a+%3D+1+%7D&service=cart")).toBe("{ .a = 1 }");
  });

  it("is kept in the address", () => {
    const question = readQuestion(new URLSearchParams("q=%7B+.a+%3D+1+%7D&limit=5&lookback=1h"));
    expect(writeQuestion(question).get("q")).toBe("{ .a = 1 }");
  });
});

describe("questions of before", () => {
  it("are the newest first, each once", () => {
    let asked = readAsked(null);
    for (const one of ["a", "b", "a"]) asked = withRecent(asked, one);
    expect(asked.recent).toEqual(["a", "b"]);
    asked = withSaved(withSaved(asked, "b", true), "b", true);
    expect(asked.saved).toEqual(["b"]);
    expect(withSaved(asked, "b", false).saved).toEqual([]);
  });

  it("are nothing where what is kept cannot be read", () => {
    for (const text of ["", "null", "7", "[1]", '{"recent":7,"saved":[1,"x"]}']) {
      expect(() => readAsked(text)).not.toThrow();
    }
    expect(readAsked('{"saved":[1,"x"]}').saved).toEqual(["x"]);
  });
});

describe("numbers over time", () => {
  it("are named by what tells them apart", () => {
    expect(seriesName('{__name__="rate"}')).toBe("rate");
    expect(seriesName('{"resource.service.name"="cart"}')).toBe("cart");
    expect(seriesName('{"p"="0.95", "span.http.route"="/a"}')).toBe("p=0.95 http.route=/a");
  });

  it("are drawn from the largest down", () => {
    const one = (name: string, value: number) => ({ promLabels: `{a="${name}"}`, samples: [{ timestampMs: "1000", value }] });
    const drawn = drawnSeries([one("low", 1), one("high", 9), one("none", Number.NaN)]);
    expect(drawn.lines.map(({ name }) => name)).toEqual(["high", "low", "none"]);
    expect(drawn.data).toEqual([[1], [9], [1], [null]]);
  });
});
