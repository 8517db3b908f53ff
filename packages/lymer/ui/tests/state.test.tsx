// @vitest-environment jsdom
/** State that lives between the page and the address, and the controls people type into. */

import { act, cleanup, fireEvent, render, renderHook, screen } from "@testing-library/react";
import { useState, type ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { useParams } from "../src/app/url.ts";
import { Combobox } from "../src/kit/combobox.tsx";
import { Tabs } from "../src/kit/tabs.tsx";
import { oneOf, text } from "../src/model/params.ts";
import { buildTree } from "../src/model/tree.ts";
import { useViewState } from "../src/pages/trace/useViewState.ts";
import { makeTrace } from "./make.ts";

beforeEach(() => {
  window.history.replaceState(null, "", "/trace/ab");
  HTMLElement.prototype.showPopover = () => undefined;
  HTMLElement.prototype.hidePopover = () => undefined;
  Element.prototype.scrollIntoView = () => undefined;
  vi.stubGlobal("ResizeObserver", class { observe() {} disconnect() {} });
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const SCHEMA = { find: text(), view: oneOf(["timeline", "graph"]) };

describe("parameters of the address", () => {
  test("are shown, whoever writes them", () => {
    const { result } = renderHook(() => useParams(SCHEMA));
    act(() => window.history.pushState(null, "", "/trace/ab?view=graph&find=x"));

    expect(result.current[0]).toEqual({ find: "x", view: "graph" });
    act(() => window.history.pushState(null, "", "/trace/ab?view=nonsense"));
    expect(result.current[0]).toEqual({ find: "", view: "timeline" });
  });

  test("are written beside those of others, as a step or not", () => {
    window.history.replaceState(null, "", "/trace/ab?other=1");
    const steps = window.history.length;
    const { result } = renderHook(() => useParams(SCHEMA));
    act(() => result.current[1]({ find: "a b" }, "replace"));

    expect(window.location.search).toBe("?other=1&find=a+b");
    expect(window.history.length).toBe(steps);
    act(() => result.current[1]({ view: "graph" }));
    expect(window.history.length).toBe(steps + 1);
    act(() => result.current[1]({ view: "graph" }));
    expect(window.history.length).toBe(steps + 1);
  });
});

describe("the view of a trace", () => {
  const trace = makeTrace([{ duration: 1000 }, { parent: 0, duration: 500 }, { parent: 1, duration: 100 }]);
  const tree = buildTree(trace);
  const ids = trace.spanId;

  test("follows the address: a link to a span of the same trace opens it and unfolds what hides it", () => {
    window.history.replaceState(null, "", "/trace/ab?fold=all");
    const { result } = renderHook(() => useViewState(trace, tree));
    expect([...result.current.collapsed]).toEqual([1, 1, 0]);
    act(() => window.history.pushState(null, "", `/trace/ab?span=${ids[2]}&zoom=100-200&uiFind=x`));

    expect(result.current).toMatchObject({ open: [2], range: { from: 100, to: 200 }, find: "x", arrivals: 1 });
    expect([...result.current.collapsed]).toEqual([0, 0, 0]);
  });

  test("is followed by the address, after a pause, and does not fight it", () => {
    vi.useFakeTimers();
    const { result } = renderHook(() => useViewState(trace, tree));
    act(() => result.current.setRange({ from: 10, to: 510 }));
    act(() => result.current.setOpen([1]));
    expect(window.location.search).toBe("");
    act(() => vi.advanceTimersByTime(300));

    expect(new URLSearchParams(window.location.search).get("zoom")).toBe("10-510");
    expect(new URLSearchParams(window.location.search).get("span")).toBe(ids[1]);
    expect(result.current).toMatchObject({ open: [1], arrivals: 0 });
    act(() => window.history.pushState(null, "", "/trace/ab"));
    act(() => vi.advanceTimersByTime(300));
    expect(result.current).toMatchObject({ open: [], range: { from: 0, to: trace.durationNano } });
    expect(window.location.search).toBe("");
  });

  test.each(["zoom=9-1", "zoom=x", "span=zz,,", "fold=9.9.9", "zoom=1e9-2e9", "span=%00"])("survives %s", (query) => {
    window.history.replaceState(null, "", `/trace/ab?${query}`);
    const { result } = renderHook(() => useViewState(trace, tree));

    expect(result.current).toMatchObject({ open: [], range: { from: 0, to: trace.durationNano } });
  });
});

function Services(props: { readonly free?: boolean }): ReactNode {
  const [value, setValue] = useState("cart");
  const options = ["cart", "checkout", "결제"].map((name) => ({ value: name, label: name }));
  return (
    <>
      <Combobox label="Service" value={value} options={options} onChange={setValue} {...(props.free ? { free: true } : {})} />
      <output>{value}</output>
    </>
  );
}

describe("a long list", () => {
  const box = (): HTMLElement => screen.getByRole("combobox", { name: "Service" });
  const chosen = (): string | null => document.querySelector("output")?.textContent ?? null;
  const shown = (): (string | null)[] => screen.queryAllByRole("option", { hidden: true }).map((option) => option.textContent);

  test("is narrowed by typing and chosen from with the keyboard", () => {
    render(<Services />);
    fireEvent.click(box());
    expect(shown()).toEqual(["cart", "checkout", "결제"]);
    fireEvent.change(box(), { target: { value: "check" } });
    expect(shown()).toEqual(["checkout"]);
    fireEvent.keyDown(box(), { key: "Enter" });

    expect(chosen()).toBe("checkout");
    expect(box().getAttribute("aria-expanded")).toBe("false");
  });

  test("takes the end of a Korean syllable for no choice", () => {
    render(<Services />);
    fireEvent.change(box(), { target: { value: "결" } });
    fireEvent.keyDown(box(), { key: "Enter", isComposing: true });
    expect(chosen()).toBe("cart");
    fireEvent.keyDown(box(), { key: "Enter" });

    expect(chosen()).toBe("결제");
  });

  test("keeps what was chosen when one leaves with something else typed", () => {
    render(<Services />);
    fireEvent.change(box(), { target: { value: "nothing like it" } });
    fireEvent.blur(box());

    expect(chosen()).toBe("cart");
    expect(box()).toHaveProperty("value", "cart");
  });

  test("that is free takes what is typed", () => {
    render(<Services free />);
    fireEvent.change(box(), { target: { value: "GET /new" } });
    fireEvent.blur(box());

    expect(chosen()).toBe("GET /new");
  });
});

test("arrow keys walk through tabs and around their ends", () => {
  const seen: string[] = [];
  render(
    <Tabs label="View" panel="p" value="a" tabs={[{ value: "a", label: "A" }, { value: "b", label: "B" }]} onChange={(value) => seen.push(value)} />,
  );
  const tab = screen.getByRole("tab", { name: "A" });
  fireEvent.keyDown(tab, { key: "ArrowRight" });
  fireEvent.keyDown(tab, { key: "ArrowLeft" });
  fireEvent.keyDown(tab, { key: "End" });

  expect(seen).toEqual(["b", "b", "b"]);
});
