/** Five steps through the pages; which one stands in the address, so Back goes one back. */

import { useEffect, useRef, type ReactNode } from "react";
import { useLocation } from "wouter";

import "../../styles/tour.css";

import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { useParams } from "../url.ts";
import { TOUR_PARAMS } from "./params.ts";

/** Where each step is shown, and what it points at there. */
const STEPS = [
  { href: "/search?tour=1", at: ".ly-query, .ly-first header" },
  { href: "/search?tour=2", at: ".ly-heatmap, .ly-practise, .ly-first-head" },
  { href: "/diagnose?tour=3", at: ".ly-diagnose" },
  { href: "/diagnose?view=profile&tour=4", at: ".ly-diagnose" },
  { href: "/dependencies?tour=5", at: ".ly-page-body" },
] as const;
const MARK = "data-toured";
const LOOK_MS = 300;

export default function Tour(): ReactNode {
  const { t } = useLocale();
  const [{ tour }, setParams] = useParams(TOUR_PARAMS);
  const [, navigate] = useLocation();
  const title = useRef<HTMLHeadingElement>(null);
  const step = STEPS[tour - 1];
  useEffect(() => {
    title.current?.focus({ preventScroll: true });
    // What the step points at may come later than the step.
    let marked: Element | null = null;
    const look = (): void => {
      const found = step ? document.querySelector(step.at) : null;
      if (found === marked) return;
      marked?.removeAttribute(MARK);
      found?.setAttribute(MARK, "");
      found?.scrollIntoView({ block: "nearest" });
      marked = found;
    };
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => {
      clearInterval(timer);
      marked?.removeAttribute(MARK);
    };
  }, [step]);
  if (!step) return null;
  const last = tour === STEPS.length;
  return (
    <aside className="ly-tour" aria-labelledby="ly-tour-title">
      <div aria-live="polite">
        <h2 id="ly-tour-title" ref={title} tabIndex={-1}>
          {t.why.tour.title(tour)}
        </h2>
        <p>{t.why.tour.steps[tour - 1]}</p>
      </div>
      <div className="ly-practise-row">
        <Button onClick={() => (last ? setParams({ tour: 0 }) : navigate(STEPS[tour].href))}>{last ? t.why.tour.done : t.why.tour.next}</Button>
        {!last && (
          <Button kind="quiet" onClick={() => setParams({ tour: 0 })}>
            {t.why.tour.skip}
          </Button>
        )}
      </div>
    </aside>
  );
}
