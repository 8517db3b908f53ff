/** Focus from page to page: to the new page, and on the way back to the link one came by. */

import { useEffect, useRef } from "react";
import { useLocation, useSearch } from "wouter";

/** How long a page that comes back may take to show the link, milliseconds. */
const RETURN_MS_MAX = 1500;
/** Address of a page → href of the link that was followed from it. */
const left = new Map<string, string>();

function remember(address: string): void {
  const link = document.activeElement?.closest("a[href], tr[data-href]");
  const href = link?.getAttribute("href") ?? link?.getAttribute("data-href");
  if (href) left.set(address, href);
}

function focusLink(href: string): boolean {
  const link = document.querySelector<HTMLElement>(`main a[href="${CSS.escape(href)}"]`);
  link?.focus();
  return link !== null;
}

/** Move the focus when the path changes; once, in the frame of all pages. */
export function useRouteFocus(): void {
  const [path] = useLocation();
  const search = useSearch();
  const address = `${path}?${search}`;
  const shown = useRef({ path, address });
  // What has the focus is known only before the next page is drawn: note it at each click.
  useEffect(() => {
    const note = (): void => {
      remember(shown.current.address);
    };
    document.addEventListener("focusin", note);
    return () => document.removeEventListener("focusin", note);
  }, []);
  useEffect(() => {
    const changed = shown.current.path !== path;
    shown.current = { path, address };
    if (!changed) return undefined;
    const href = left.get(address);
    document.getElementById("main")?.focus({ preventScroll: true });
    if (!href || focusLink(href)) return undefined;
    const watch = new MutationObserver(() => {
      if (focusLink(href)) watch.disconnect();
    });
    watch.observe(document.body, { childList: true, subtree: true });
    const timer = setTimeout(() => watch.disconnect(), RETURN_MS_MAX);
    return () => {
      watch.disconnect();
      clearTimeout(timer);
    };
  }, [path, address]);
}
