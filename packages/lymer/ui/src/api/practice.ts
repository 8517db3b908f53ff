/** Demo traffic and incidents to practise on, where this server can start them. */

import { queryOptions } from "@tanstack/react-query";

import type { Shape } from "../model/wire.ts";
import { api, told } from "./client.ts";

export type PracticeState = Shape<"Practice">;

/** How often it is looked while something is being sent, milliseconds. */
const LOOK_MS = 1_500;

export function practiceQuery() {
  return queryOptions({
    queryKey: ["practice"],
    queryFn: async ({ signal }) => told(api.GET("/api/lymer/v1/practice", { signal })),
    refetchInterval: ({ state }) =>
      state.data?.traffic || state.data?.incidents?.some(({ state: sending }) => sending === "sending") ? LOOK_MS : false,
    retry: false,
  });
}

export type Order = { readonly do: "traffic" | "stop" } | { readonly do: "incident"; readonly kind: string };

/** Start or stop something. The header is what a page of another origin cannot send. */
export async function practise(order: Order): Promise<PracticeState> {
  return told(api.POST("/api/lymer/v1/practice", { body: order, headers: { "x-lymer-practice": "1" } }));
}
