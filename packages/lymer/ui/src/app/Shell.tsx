/** The frame around every page: top bar, and the place for the page. */

import { useMantineColorScheme } from "@mantine/core";
import { useState, type FormEvent, type ReactNode } from "react";
import { Link, useLocation } from "wouter";

import { LANGUAGES, useLocale, type Language } from "../i18n/index.ts";
import { Menu } from "../kit/buttons.tsx";
import { LanguageIcon, Logo, SearchIcon, ThemeIcon } from "../kit/icons.tsx";
import { config } from "./config.ts";

export function Shell(props: { readonly children: ReactNode }): ReactNode {
  const { t } = useLocale();
  const [path] = useLocation();
  return (
    <div className="ly-shell">
      <a className="ly-skip" href="#main" onClick={focusMain}>
        {t.common.skipToContent}
      </a>
      <header className="ly-top">
        <Link href="/search" className="ly-brand">
          <Logo />
          <span className="ly-brand-name">lymer</span>
        </Link>
        <nav>
          <Link
            href="/search"
            className="ly-nav"
            {...(path.startsWith("/search") ? { "aria-current": "page" as const } : {})}
          >
            {t.common.search}
          </Link>
        </nav>
        <div className="ly-top-space" />
        <Lookup />
        <Preferences />
      </header>
      <main id="main" className="ly-main" tabIndex={-1}>
        {props.children}
      </main>
    </div>
  );
}

/** A plain `#main` link would leave the page: addresses are relative to the base path. */
function focusMain(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
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
    if (!/^[0-9a-f]{1,32}$/.test(id)) {
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

function Preferences(): ReactNode {
  const { t, language, setLanguage } = useLocale();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
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
        ]}
      />
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
    </>
  );
}
