/** The frame around every page: top bar, and the place for the page. */

import { lazy, Suspense, useEffect, useState, type FormEvent, type ReactNode } from "react";
import { createPortal } from "react-dom";
import { Link, useLocation } from "wouter";

import { LANGUAGES, useLocale, type Dictionary, type Language } from "../i18n/index.ts";
import { IconButton } from "../kit/buttons.tsx";
import { Menu, type MenuEntry } from "../kit/menu.tsx";
import { GoToIcon, LanguageIcon, Logo, MenuIcon, MoreIcon, SearchIcon, ThemeIcon } from "../kit/icons.tsx";
import { opensPalette } from "../model/commands.ts";
import { TRACE_ID } from "../model/question.ts";
import { safeUrl, type MenuGroup, type MenuLink } from "../model/uiConfig.ts";
import { config, settings } from "./config.ts";
import { standaloneHref, useEmbed } from "./embed.ts";
import { useRouteFocus } from "./focus.ts";
import { forgetPartial, usePartial } from "./partial.ts";
import { useSchemeChoice } from "./scheme.ts";
import { TOUR_PARAMS } from "./tour/params.ts";
import { useParams } from "./url.ts";
import { lastSearchHref } from "./lastSearch.ts";

export function Shell(props: { readonly children: ReactNode }): ReactNode {
  const { t } = useLocale();
  const embed = useEmbed();
  useRouteFocus();
  return (
    <div className="ly-shell" data-embedded={embed.embedded}>
      <a className="ly-skip" href="#main" onClick={focusMain}>
        {t.common.skipToContent}
      </a>
      {embed.embedded ? <Standalone /> : <TopBar />}
      <main id="main" className="ly-main" tabIndex={-1}>
        <Partial />
        {props.children}
      </main>
      <OnTour />
    </div>
  );
}

/** Says that an answer on the page is not whole: a trace was too large for it, a shard is away. */
function Partial(): ReactNode {
  const { t } = useLocale();
  const [path] = useLocation();
  const lacks = usePartial();
  useEffect(forgetPartial, [path]);
  return lacks && <p className="ly-series-note" role="status">{t.why.ask.incomplete(lacks)}</p>;
}

const Palette = lazy(() => import("./palette/Palette.tsx"));

/** The command palette, by its button and by Ctrl+K. */
function GoTo({ pages }: { readonly pages: readonly NavPage[] }): ReactNode {
  const { t } = useLocale();
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent): void => {
      if (!opensPalette(event)) return;
      event.preventDefault();
      setOpen((now) => !now);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
  return (
    <>
      <span className="ly-goto">
        <IconButton label={t.why.palette.open} onClick={() => setOpen(true)}>
          <GoToIcon />
        </IconButton>
      </span>
      {open &&
        // Outside of the bar: a dialog is no part of a landmark.
        createPortal(
          <Suspense fallback={null}>
            <Palette pages={pages} onClose={() => setOpen(false)} />
          </Suspense>,
          document.body,
        )}
    </>
  );
}

const Tour = lazy(() => import("./tour/Tour.tsx"));

function OnTour(): ReactNode {
  const [{ tour }] = useParams(TOUR_PARAMS);
  return tour > 0 ? (
    <Suspense fallback={null}>
      <Tour />
    </Suspense>
  ) : null;
}

/** A plain `#main` link would leave the page: addresses are relative to the base path. */
function focusMain(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Standalone(): ReactNode {
  const { t } = useLocale();
  return (
    <a className="ly-standalone" href={standaloneHref()} target="_blank" rel="noreferrer">
      <Logo />
      {t.common.openStandalone}
    </a>
  );
}

function TopBar(): ReactNode {
  const { t } = useLocale();
  const [path, navigate] = useLocation();
  const pages = navigation(t);
  return (
    <header className="ly-top">
      <Link href="/search" className="ly-brand" aria-label={`${t.common.appName}: ${t.common.search}`}>
        <Logo />
        <span className="ly-brand-name">lymer</span>
      </Link>
      <nav className="ly-top-nav" aria-label={t.nav.label}>
        {pages.map(({ href, label, at }) => (
          <Link
            key={at}
            href={href}
            className="ly-nav"
            {...(isAt(path, at) ? { "aria-current": "page" as const } : {})}
          >
            {label}
          </Link>
        ))}
      </nav>
      <div className="ly-top-menu">
        <Menu
          label={t.nav.label}
          icon={<MenuIcon />}
          groups={[
            {
              entries: pages.map(({ href, label, at }) => ({
                label,
                checked: isAt(path, at),
                onClick: () => navigate(href),
              })),
            },
          ]}
        />
      </div>
      <div className="ly-top-space" />
      <Lookup />
      <GoTo pages={pages} />
      <CustomMenus />
      <Preferences />
    </header>
  );
}

interface NavPage {
  readonly href: string;
  readonly label: string;
  /** Beginning of the paths that are this page's. */
  readonly at: string;
}

function isAt(path: string, at: string): boolean {
  return at === "/compare" ? path.includes("...") : path.startsWith(at) && !path.includes("...");
}

function navigation(t: Dictionary): NavPage[] {
  const all: (NavPage & { readonly on: boolean })[] = [
    { href: lastSearchHref(), label: t.common.search, at: "/search", on: true },
    { href: "/diagnose", label: t.nav.diagnose, at: "/diagnose", on: true },
    { href: "/tail", label: t.why.tail.title, at: "/tail", on: true },
    { href: "/trace/...", label: t.nav.compare, at: "/compare", on: true },
    { href: "/dependencies", label: t.nav.map, at: "/dependencies", on: settings.dependencies.menuEnabled },
    { href: "/deep-dependencies", label: t.nav.deep, at: "/deep-dependencies", on: settings.deepDependencies.menuEnabled },
    { href: "/monitor", label: t.nav.monitor, at: "/monitor", on: settings.monitor.menuEnabled },
    {
      href: "/quality-metrics",
      label: settings.qualityMetrics.menuLabel || t.nav.quality,
      at: "/quality-metrics",
      on: settings.qualityMetrics.menuEnabled,
    },
  ];
  return all.filter(({ on }) => on);
}

function Lookup(): ReactNode {
  const { t } = useLocale();
  const [, navigate] = useLocation();
  const [text, setText] = useState("");
  const [bad, setBad] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const id = text.trim().toLowerCase();
    if (id === "") return;
    if (!TRACE_ID.test(id)) {
      setBad(true);
      return;
    }
    setText("");
    navigate(`/trace/${id}`);
  };
  return (
    <form className="ly-lookup" role="search" aria-label={t.common.lookup} onSubmit={submit}>
      <SearchIcon />
      <input
        aria-label={t.common.lookup}
        aria-invalid={bad}
        title={bad ? t.common.lookupBad : t.common.lookup}
        placeholder={t.common.lookupPlaceholder}
        value={text}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => {
          setText(event.currentTarget.value);
          setBad(false);
        }}
      />
      {bad && (
        <span className="ly-lookup-bad" role="alert">
          {t.common.lookupBad}
        </span>
      )}
    </form>
  );
}

function menuEntry(link: MenuLink): MenuEntry {
  return { label: link.label, href: link.url, newPage: link.anchorTarget !== "_self" && !settings.forbidNewPage };
}

/** What a site has put into its configuration: single links and menus. */
function CustomMenus(): ReactNode {
  const { t } = useLocale();
  const safe = settings.menu.map((entry): MenuLink | MenuGroup =>
    "items" in entry ? { ...entry, items: entry.items.filter(({ url }) => safeUrl(url)) } : entry,
  );
  const links = safe.filter((entry): entry is MenuLink => "url" in entry && safeUrl(entry.url));
  const groups = safe.filter((entry): entry is MenuGroup => "items" in entry && entry.items.length > 0);
  if (links.length + groups.length === 0) return null;
  return (
    <Menu
      label={t.nav.more}
      icon={<MoreIcon />}
      groups={[
        ...(links.length > 0 ? [{ entries: links.map(menuEntry) }] : []),
        ...groups.map((group) => ({ title: group.label, entries: group.items.map(menuEntry) })),
      ]}
    />
  );
}

function Preferences(): ReactNode {
  const { t, language, setLanguage } = useLocale();
  const [colorScheme, setColorScheme] = useSchemeChoice();
  const themes = [
    ["light", t.common.themeLight],
    ["dark", t.common.themeDark],
    ["auto", t.common.themeAuto],
  ] as const;
  return (
    <>
      <Menu
        label={t.common.language}
        icon={<LanguageIcon />}
        groups={[
          {
            title: t.common.language,
            entries: (Object.keys(LANGUAGES) as Language[]).map((key) => ({
              label: LANGUAGES[key],
              checked: key === language,
              onClick: () => setLanguage(key),
            })),
          },
          ...(settings.themes.enabled ? [] : [{ title: t.common.version(config.version), entries: [] }]),
        ]}
      />
      {settings.themes.enabled && (
        <Menu
          label={t.common.theme}
          icon={<ThemeIcon />}
          groups={[
            {
              title: t.common.theme,
              entries: themes.map(([key, label]) => ({
                label,
                checked: key === colorScheme,
                onClick: () => setColorScheme(key),
              })),
            },
            { title: t.common.version(config.version), entries: [] },
          ]}
        />
      )}
    </>
  );
}
