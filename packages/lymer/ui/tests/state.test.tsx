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
  window.history.pushState(null, "", "/trace/ab"); // what an earlier test could go forward to is gone
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

describe("Back undoes each step", () => {
  const steps = (change: () => void): number => {
    const before = window.history.length;
    act(change);
    return window.history.length - before;
  };

  test("what is typed or dragged at one go is one of them", () => {
    vi.useFakeTimers();
    const { result } = renderHook(() => useParams(SCHEMA));
    const type = (find: string): number => steps(() => result.current[1]({ find }, "run"));
    expect([type("a"), type("ab"), type("abc")]).toEqual([1, 0, 0]);
    expect(window.location.search).toBe("?find=abc");
    vi.advanceTimersByTime(2000);
    expect(type("abcd")).toBe(1);
    expect(steps(() => result.current[1]({ view: "graph" }))).toBe(1);
    expect(type("abc")).toBe(1);
  });

  test("what is typed after Back is a step of its own", async () => {
    const { result } = renderHook(() => useParams(SCHEMA));
    act(() => result.current[1]({ find: "a" }, "run"));
    const gone = new Promise((resolve) => window.addEventListener("popstate", resolve, { once: true }));
    window.history.back();
    await act(() => gone);
    const at = window.history.length;
    act(() => result.current[1]({ find: "b" }, "run"));
    // It takes the place of the step that was undone, beside where Back led.
    expect(window.history.length).toBe(at);
    expect(window.location.search).toBe("?find=b");
    const back = new Promise((resolve) => window.addEventListener("popstate", resolve, { once: true }));
    window.history.back();
    await act(() => back);
    expect(result.current[0].find).toBe("");
  });
});

describe("the view of a trace", () => {
  const trace = makeTrace([{ duration: 1000 }, { parent: 0, duration: 500 }, { parent: 1, duration: 100 }]);
  const tree = buildTree(trace);
  const ids = [0, 1, 2].map((span) => trace.spanId.at(span));

  test("follows the address: a link to a span of the same trace opens it and unfolds what hides it", () => {
    window.history.replaceState(null, "", "/trace/ab?fold=all");
    const { result } = renderHook(() => useViewState(trace, tree));
    expect([...result.current.collapsed]).toEqual([1, 1, 0]);
    act(() => window.history.pushState(null, "", `/trace/ab?span=${ids[2]}&zoom=100-200&uiFind=x`));

    expect(result.current).toMatchObject({ open: [2], range: { from: 100, to: 200 }, find: "x", arrivals: 1 });
    expect([...result.current.collapsed]).toEqual([0, 0, 0]);
  });

  test("is followed by the address and does not fight it", () => {
    vi.useFakeTimers();
    const { result } = renderHook(() => useViewState(trace, tree));
    const steps = window.history.length;
    act(() => result.current.setFind("x"));
    expect(window.location.search).toBe("?uiFind=x");
    act(() => result.current.setFind("xy"));
    expect(window.location.search).toBe("?uiFind=x");
    act(() => vi.advanceTimersByTime(300));
    expect(window.location.search).toBe("?uiFind=xy");
    act(() => result.current.setFind(""));
    act(() => vi.advanceTimersByTime(300));
    expect(window.history.length).toBe(steps + 1);
    for (const to of [700, 600, 510]) act(() => result.current.setRange({ from: 10, to }));
    expect(window.history.length).toBe(steps + 2);
    act(() => result.current.setOpen([1]));

    expect(new URLSearchParams(window.location.search).get("zoom")).toBe("10-510");
    expect(new URLSearchParams(window.location.search).get("span")).toBe(ids[1]);
    expect(result.current).toMatchObject({ open: [1], arrivals: 0 });
    act(() => window.history.pushState(null, "", "/trace/ab"));
    act(() => vi.advanceTimersByTime(300));
    expect(result.current).toMatchObject({ open: [], range: { from: 0, to: trace.durationNano } });
    expect(window.location.search).toBe("");
  });

  test("each detail is a step, however fast one is: Back closes it, in the first second of a page too", async () => {
    const back = async (): Promise<void> => {
      const gone = new Promise((resolve) => window.addEventListener("popstate", resolve, { once: true }));
      window.history.back();
      await act(() => gone);
    };
    const { result } = renderHook(() => useViewState(trace, tree));
    act(() => result.current.setOpen([1]));
    act(() => result.current.setOpen([1, 2]));
    await back();
    expect(result.current.open).toEqual([1]);
    act(() => result.current.setOpen([]));
    await back();
    expect(result.current.open).toEqual([1]);
    await back();

    expect(result.current.open).toEqual([]);
    expect(window.location.pathname + window.location.search).toBe("/trace/ab");
  });

  test("folding is a step; unfolding what hides a match is none", () => {
    vi.useFakeTimers();
    const { result } = renderHook(() => useViewState(trace, tree));
    const steps = window.history.length;
    act(() => result.current.setCollapsed(Uint8Array.of(1, 1, 0)));
    expect(window.location.search).toBe("?fold=all");
    expect(window.history.length).toBe(steps + 1);
    act(() => vi.advanceTimersByTime(5000));
    act(() => result.current.reveal(2));
    act(() => vi.advanceTimersByTime(300));
    expect([...result.current.collapsed]).toEqual([0, 0, 0]);
    expect(window.location.search).toBe("");
    expect(window.history.length).toBe(steps + 1);
  });

  test("an address that says it in other words is left as it is, so Back passes it", async () => {
    vi.useFakeTimers();
    window.history.replaceState(null, "", `/trace/ab?span=zz,${ids[2].replace(/^0+/, "")}&fold=all&zoom=0-9e9`);
    const said = window.location.search;
    const steps = window.history.length;
    const { result } = renderHook(() => useViewState(trace, tree));
    act(() => vi.advanceTimersByTime(5000));
    expect(result.current.open).toEqual([2]);
    expect(window.location.search).toBe(said);
    expect(window.history.length).toBe(steps);
    act(() => result.current.setOpen([]));
    expect(new URLSearchParams(window.location.search).get("span")).toBe(null);
    expect(window.history.length).toBe(steps + 1);
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
