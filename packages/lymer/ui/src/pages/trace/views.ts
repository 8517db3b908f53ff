/** The ways to look at a trace, and what of them the browser remembers. */

import { useLocalStorage } from "@mantine/hooks";

import { settings } from "../../app/config.ts";
import { oneOf } from "../../model/params.ts";

export const VIEWS = ["timeline", "graph", "statistics", "spans", "flame", "logs", "json"] as const;
export type View = (typeof VIEWS)[number];

export const VIEW_PARAM = { view: oneOf(VIEWS) };

/** Views this site offers. */
export function offeredViews(): readonly View[] {
  return settings.disableJsonView ? VIEWS.filter((view) => view !== "json") : VIEWS;
}

export interface TimelinePrefs {
  readonly critical: boolean;
  readonly panel: boolean;
}

/** Whether details stand beside the timeline, and whether the critical path is drawn. */
export function useTimelinePrefs(): readonly [TimelinePrefs, (patch: Partial<TimelinePrefs>) => void] {
  const [prefs, setPrefs] = useLocalStorage<TimelinePrefs>({
    key: "lymer.timeline",
    defaultValue: {
      critical: true,
      panel: settings.traceTimeline.defaultDetailPanelMode === "sidepanel",
    },
    getInitialValueInEffect: false,
  });
  const shown = {
    critical: settings.criticalPathEnabled && prefs.critical,
    panel: settings.traceTimeline.enableSidePanel && prefs.panel,
  };
  return [shown, (patch) => setPrefs({ ...prefs, ...patch })];
}
