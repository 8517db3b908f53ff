/** What the browser keeps for this page; where it may not keep anything, everything works without. */

/** Return what was kept under a name; empty if nothing was. */
export function kept(name: string): string {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return ""; // storage is switched off, or this is a frame that may not use it
  }
}

/** Keep a text, if the browser allows it. */
export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // switched off or full: it is asked again next time
  }
}
