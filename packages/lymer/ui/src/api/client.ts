/** The client of our own server, with errors that say what happened. */

import createClient from "openapi-fetch";

import { serverUrl } from "../app/config.ts";
import { notePartial } from "../app/partial.ts";
import type { paths } from "../model/wire.ts";

/** What the server answered instead of what was asked for. */
export class ApiError extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

interface ErrorBody {
  readonly error?: { readonly message?: string };
  readonly errors?: readonly { readonly msg?: string }[] | null;
}

/** Return the sentence inside an error body: Jaeger's envelope, api_v3's, or plain text. */
function errorText(body: string, status: number): string {
  try {
    const parsed = JSON.parse(body) as ErrorBody;
    const text = parsed.error?.message ?? parsed.errors?.[0]?.msg;
    if (text) return text;
  } catch {
    // not JSON: shown as it is
  }
  return body.trim().slice(0, 300) || `HTTP ${status}`;
}

/** The server could not be reached at all; the browser's own words are English and say nothing. */
export class UnreachableError extends Error {}

async function send(request: Request): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new UnreachableError(String(error));
  }
  if (!response.ok) throw new ApiError(errorText(await response.text(), response.status), response.status);
  notePartial(new URL(request.url).pathname, response.headers.get("lymer-partial") ?? "");
  return response;
}

/** Asks the query API, by path; parameters and answers are typed by its OpenAPI document. */
export const api = createClient<paths>({
  baseUrl: serverUrl("").replace(/\/$/, ""),
  fetch: send,
  headers: { Accept: "application/json" },
});

/** Return what was answered. Whatever is no answer was thrown by `send`. */
export async function told<T>(asked: Promise<{ readonly data?: T }>): Promise<T> {
  return (await asked).data as T;
}
