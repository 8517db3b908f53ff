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

/** GET `path`, relative to the base path, and parse the answer. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(serverUrl(path), {
    headers: { Accept: "application/json" },
    ...(signal ? { signal } : {}),
  });
  if (!response.ok) throw new ApiError(errorText(await response.text(), response.status), response.status);
  return (await response.json()) as T;
}
