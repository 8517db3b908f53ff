/** A modal dialog on the browser's own `<dialog>`: focus is kept inside, Escape closes. */

import { useEffect, useId, useRef, type ReactNode } from "react";

import { useLocale } from "../i18n/index.ts";
import { IconButton } from "./buttons.tsx";
import { CloseIcon } from "./icons.tsx";

export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}): ReactNode {
  const { t } = useLocale();
  const box = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    if (!box.current?.open) box.current?.showModal();
  }, []);
  return (
    <dialog
      ref={box}
      className="ly-dialog"
      aria-labelledby={titleId}
      onClose={props.onClose}
      onClick={(event) => {
        if (event.target === box.current) box.current?.close();
      }}
    >
      <div className="ly-dialog-body">
        <header>
          <h2 id={titleId}>{props.title}</h2>
          <IconButton label={t.common.close} onClick={() => box.current?.close()}>
            <CloseIcon />
          </IconButton>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
