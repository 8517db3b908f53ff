/** Which services of the trace are shown: Jaeger's `svcFilter`. */

import type { ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { FilterIcon } from "../../kit/icons.tsx";
import { Popover } from "../../kit/popover.tsx";
import { Swatch } from "../../kit/service.tsx";
import { text } from "../../model/params.ts";
import { decodeServices, encodeServices } from "../../model/serviceFilter.ts";
import { useShownTrace } from "./context.ts";

const FILTER_PARAMS = { svcFilter: text() };

export function ServiceFilter(): ReactNode {
  const { t, number } = useLocale();
  const { whole, colors } = useShownTrace();
  const [{ svcFilter }, setParams] = useParams(FILTER_PARAMS);
  if (whole.services.length < 2) return null;
  const shown = decodeServices(whole.services, svcFilter) ?? new Set(whole.services);
  const counts = new Int32Array(whole.services.length);
  for (const service of whole.service) counts[service]++;
  const show = (next: ReadonlySet<string>): void => {
    setParams({ svcFilter: encodeServices(whole.services, next) });
  };
  const toggle = (name: string): void => {
    const next = new Set(shown);
    if (!next.delete(name)) next.add(name);
    if (next.size > 0) show(next);
  };
  const order = whole.services.map((_, at) => at).toSorted((a, b) => whole.services[a].localeCompare(whole.services[b]));
  const all = shown.size === whole.services.length;
  return (
    <Popover
      label={all ? t.trace.serviceFilter : t.trace.serviceFilterOf(shown.size, whole.services.length)}
      icon={<FilterIcon />}
      active={!all}
    >
      <fieldset className="ly-checks">
        <legend className="ly-hidden">{t.trace.serviceFilter}</legend>
        {order.map((at) => {
          const name = whole.services[at];
          return (
            <div key={name} className="ly-check">
              <label>
                <input type="checkbox" checked={shown.has(name)} onChange={() => toggle(name)} />
                <Swatch index={colors[at]} />
                <span className="ly-check-name">{name || t.common.unnamed}</span>
                <span className="ly-count">{number(counts[at])}</span>
              </label>
              <button type="button" className="ly-only" onClick={() => show(new Set([name]))} aria-label={t.trace.onlyService(name)}>
                {t.trace.only}
              </button>
            </div>
          );
        })}
      </fieldset>
      <Button kind="quiet" full disabled={all} onClick={() => show(new Set(whole.services))}>
        {t.trace.allServices}
      </Button>
    </Popover>
  );
}
