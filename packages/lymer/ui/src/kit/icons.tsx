/** The icons, drawn on a grid of 16 with one stroke width; decoration, so hidden from readers. */

import type { ReactNode } from "react";

function icon(path: ReactNode): () => ReactNode {
  return function Icon() {
    return (
      <svg
        className="ly-icon"
        width="16"
        height="16"
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        {path}
      </svg>
    );
  };
}

export const SearchIcon = icon(<><circle cx="7" cy="7" r="4.2" /><path d="m10.2 10.2 3.3 3.3" /></>);
export const GoToIcon = icon(<path d="m3 4 3 4-3 4M8.5 12H13" />);
export const StarIcon = icon(<path d="m8 2.2 1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6z" />);
export const StarredIcon = icon(<path fill="currentColor" d="m8 2.2 1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6z" />);
export const HistoryIcon = icon(<><path d="M2.6 8a5.4 5.4 0 1 0 1.6-3.8L2.6 5.8" /><path d="M2.6 2.8v3h3M8 5v3.2l2 1.3" /></>);
export const FormIcon = icon(<><rect x="2.5" y="2.5" width="11" height="4" rx="1" /><rect x="2.5" y="9.5" width="11" height="4" rx="1" /></>);
export const CodeIcon = icon(<path d="M5.5 3C3.8 3 4.8 7 2.8 8c2 1 1 5 2.7 5M10.5 3c1.7 0 .7 4 2.7 5-2 1-1 5-2.7 5" />);
export const CopyIcon = icon(<><rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" /></>);
export const CheckIcon = icon(<path d="m3 8.5 3.2 3.2L13 5" />);
export const CloseIcon = icon(<path d="m4 4 8 8M12 4l-8 8" />);
export const BackIcon = icon(<path d="M13 8H3m4-4L3 8l4 4" />);
export const UpIcon = icon(<path d="m4 10 4-4 4 4" />);
export const DownIcon = icon(<path d="m4 6 4 4 4-4" />);
export const CaretIcon = icon(<path d="m6 4 4 4-4 4" />);
export const MoreIcon = icon(<path d="M3.5 8h.01M8 8h.01M12.5 8h.01" strokeWidth="2.4" />);
export const MenuIcon = icon(<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11" />);
export const ColumnsIcon = icon(<><rect x="2.3" y="3" width="11.4" height="10" rx="1.5" /><path d="M6.2 3v10M10 3v10" /></>);
export const UploadIcon = icon(<path d="M8 10.5V3m-3 3 3-3 3 3M3 10.5V12a1.5 1.5 0 0 0 1.5 1.5h7A1.5 1.5 0 0 0 13 12v-1.5" />);
export const DownloadIcon = icon(<path d="M8 3v7.5m-3-3 3 3 3-3M3 10.5V12a1.5 1.5 0 0 0 1.5 1.5h7A1.5 1.5 0 0 0 13 12v-1.5" />);
export const CompareIcon = icon(<path d="M5.5 3v10M10.5 3v10M5.5 5H2.5v6h3M10.5 5h3v6h-3" />);
export const ArchiveIcon = icon(<><rect x="2.3" y="3" width="11.4" height="3" rx="0.8" /><path d="M3.3 6v6A1.2 1.2 0 0 0 4.5 13.2h7a1.2 1.2 0 0 0 1.2-1.2V6M6.5 8.7h3" /></>);
export const FilterIcon = icon(<path d="M2.5 3.5h11L9.3 8.6v4l-2.6 1v-5Z" />);
export const OutIcon = icon(<path d="M6.5 3.5h-2A1.5 1.5 0 0 0 3 5v6.5A1.5 1.5 0 0 0 4.5 13H11a1.5 1.5 0 0 0 1.5-1.5v-2M9 2.8h4.2V7M13 3 7.5 8.5" />);
export const PlusIcon = icon(<path d="M8 3.5v9M3.5 8h9" />);
export const MinusIcon = icon(<path d="M3.5 8h9" />);
export const FitIcon = icon(<path d="M3 6V3h3M13 6V3h-3M3 10v3h3M13 10v3h-3" />);
export const HelpIcon = icon(<><rect x="1.8" y="4" width="12.4" height="8.5" rx="1.5" /><path d="M4.5 7h.01M7 7h.01M9.5 7h.01M11.7 7h.01M5 9.8h6" /></>);
export const LanguageIcon = icon(<><circle cx="8" cy="8" r="5.7" /><path d="M2.5 8h11M8 2.3c2 2 2.4 3.8 2.4 5.7S10 11.7 8 13.7C6 11.7 5.6 9.9 5.6 8S6 4.3 8 2.3Z" /></>);
export const ThemeIcon = icon(<><circle cx="8" cy="8" r="5.7" /><path d="M8 2.3v11.4A5.7 5.7 0 0 0 8 2.3Z" fill="currentColor" /></>);
export const ErrorIcon = icon(<><circle cx="8" cy="8" r="6" fill="currentColor" stroke="none" /><path d="M8 4.8v3.7M8 11h.01" stroke="var(--ly-surface)" strokeWidth="1.7" /></>);
export const ErrorInsideIcon = icon(<><circle cx="8" cy="8" r="5.3" /><path d="M8 5.2v3.2M8 10.7h.01" /></>);
export const WarningIcon = icon(<><path d="M8 2.3 14.2 13H1.8Z" /><path d="M8 6.3v3M8 11.2h.01" /></>);
export const BrokenIcon = icon(<path d="M6.5 9.5 9.5 6.5M7 4.5l1-1a3 3 0 0 1 4.3 4.3l-1 1M9 11.5l-1 1A3 3 0 0 1 3.7 8.2l1-1M3 3l1.5 1.5M13 13l-1.5-1.5" />);
export const LinkIcon = icon(<path d="M6.5 9.5 9.5 6.5M7 4.5l1-1a3 3 0 0 1 4.3 4.3l-1 1M9 11.5l-1 1A3 3 0 0 1 3.7 8.2l1-1" />);
export const ZoomIcon = icon(<><circle cx="7" cy="7" r="4.2" /><path d="m10.2 10.2 3.3 3.3M5.2 7h3.6M7 5.2v3.6" /></>);
export const ExpandAllIcon = icon(<path d="m4.5 6 3.5-3.5L11.5 6M4.5 10 8 13.5l3.5-3.5" />);
export const CollapseAllIcon = icon(<path d="M4.5 2.5 8 6l3.5-3.5M4.5 13.5 8 10l3.5 3.5" />);
export const ExpandOneIcon = icon(<path d="M3.5 3h9M4.5 7.5 8 11l3.5-3.5" />);
export const CollapseOneIcon = icon(<path d="M3.5 13h9M4.5 8.5 8 5l3.5 3.5" />);

/** The mark of the product: a scent hound, nose down, on a leash. */
export function Logo(): ReactNode {
  return (
    <svg className="ly-logo" width="26" height="26" viewBox="0 0 32 32" fill="none" aria-hidden="true">
      <path
        d="M7 22.5V9.2c3.4 0 4.6 1.9 5.6 4.3h4.2c4.4 0 6.2 2.1 8.2 4.2l1 1c.6.7.2 1.8-.8 1.9l-5.6.5c-1.5 1.9-3.5 2.6-6 2.6H11"
        stroke="currentColor"
        strokeWidth="2.3"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
      <circle cx="19" cy="17" r="1.4" fill="currentColor" />
      <path className="ly-leash" d="M11 23.7c-2.4 0-4.4 1.2-4.4 3.3" strokeWidth="2.3" strokeLinecap="round" />
    </svg>
  );
}
