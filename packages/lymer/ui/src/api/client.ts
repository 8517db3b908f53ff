/** Fetching JSON from our own server, with errors that say what happened. */

import { serverUrl } from "../app/config.ts";

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

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(serverUrl(path), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new UnreachableError(String(error));
  }
  if (!response.ok) throw new ApiError(errorText(await response.text(), response.status), response.status);
  return response;
}

/** GET `path`, relative to the base path, and parse the answer. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { headers: { Accept: "application/json" }, ...(signal ? { signal } : {}) });
  return (await response.json()) as T;
}

/** GET `path` as bytes. */
export async function getBytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await send(path, signal ? { signal } : {})).arrayBuffer();
}

/** GET `path` as text. */
export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  return (await send(path, signal ? { signal } : {})).text();
}

/** POST a JSON text to `path` and parse the answer. */
export async function postJson<T>(path: string, body: string | null): Promise<T> {
  const headers = { Accept: "application/json", ...(body === null ? {} : { "Content-Type": "application/json" }) };
  return (await (await send(path, { method: "POST", headers, body })).json()) as T;
}
