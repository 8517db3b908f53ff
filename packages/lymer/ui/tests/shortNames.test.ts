/** Names are shortened so that they differ on screen, and never into one another. */

import { expect, test } from "vitest";

import { shortNames } from "../src/model/shortNames.ts";

const PREFIX = "payments-platform-authorization-gateway-";

test.each([
  [[`${PREFIX}alpha`, `${PREFIX}beta`], ["payments…alpha", "payments…beta"]],
  [[`${PREFIX}eu-1`, `${PREFIX}eu-2`, "cart"], ["payments…1", "payments…2", "cart"]],
  [["cart-service", "cart-service-v2"], ["cart-service", "cart-service-v2"]],
  [[`${PREFIX}alpha`, "a-name-that-is-alone-and-as-long-as-others"], [`${PREFIX}alpha`, "a-name-that-is-alone-and-as-long-as-others"]],
  [[PREFIX, `${PREFIX}x`], [PREFIX, "payments…x"]],
  [["결제-플랫폼-승인-게이트웨이-서울-운영-클러스터-하나", "결제-플랫폼-승인-게이트웨이-서울-운영-클러스터-둘"], ["결제…하나", "결제…둘"]],
])("%s", (names, shown) => {
  expect(names.map((name) => shortNames(names).get(name))).toEqual(shown);
});

test("no two names become one, whatever they are", () => {
  let seed = 7;
  const next = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 500; round++) {
    const names = Array.from({ length: 8 }, () =>
      Array.from({ length: 3 + next(5) }, () => ["payments", "platform-x", "a", "…", "-", "authorization", "1"][next(7)]).join("-"),
    );
    const shown = shortNames(names);
    expect(new Set(shown.values()).size).toBe(shown.size);
  }
});
