/** Opens traces out of files: Jaeger's JSON and OTLP's, one document or one on each line. */

import { useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState, type DragEvent, type ReactNode } from "react";
import { useLocation } from "wouter";

import { transformOtlp } from "../../api/queries.ts";
import { keepUpload } from "../../api/uploads.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { UploadIcon } from "../../kit/icons.tsx";
import { readTraceFile, TraceFileError } from "../../model/upload.ts";

/** Larger files would not fit into the page, bytes. */
const FILE_BYTES_MAX = 512 * 1024 * 1024;

/** What became of one file. */
interface Outcome {
  readonly file: string;
  readonly traces: number;
  readonly fault: string | null;
}

export function Upload(): ReactNode {
  const { t } = useLocale();
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const hint = useId();
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const [outcomes, setOutcomes] = useState<readonly Outcome[]>([]);

  const open = async (file: File): Promise<Outcome> => {
    const failed = (fault: string): Outcome => ({ file: file.name, traces: 0, fault });
    if (file.size > FILE_BYTES_MAX) return failed(t.upload.tooLarge);
    try {
      const { traces, resourceSpans } = readTraceFile(await file.text());
      const all = [...traces, ...(resourceSpans.length > 0 ? await transformOtlp(resourceSpans) : [])];
      if (all.length === 0) return failed(t.upload.empty);
      for (const trace of all) keepUpload(trace);
      return { file: file.name, traces: all.length, fault: null };
    } catch (error) {
      if (error instanceof TraceFileError) {
        return failed(error.message === "0" ? t.upload.notTraces : t.upload.notJson(Number(error.message)));
      }
      return failed(error instanceof Error ? error.message : String(error));
    }
  };
  const take = async (files: readonly File[]): Promise<void> => {
    if (files.length === 0) return;
    setBusy(true);
    const done: Outcome[] = [];
    for (const file of files) done.push(await open(file));
    setBusy(false);
    setOutcomes(done);
    if (done.every(({ fault }) => fault !== null)) return;
    queries.removeQueries({ queryKey: ["trace"] });
    queries.removeQueries({ queryKey: ["span"] });
    await queries.invalidateQueries({ queryKey: ["uploads"] });
    navigate("/search?from=file");
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void take([...event.dataTransfer.files]);
  };
  return (
    <div
      className="ly-upload"
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <p id={hint} className="ly-muted">
        {t.upload.hint}
      </p>
      <input
        ref={input}
        className="ly-hidden"
        type="file"
        accept=".json,.jsonl,.ndjson,application/json"
        multiple
        tabIndex={-1}
        aria-label={t.upload.choose}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = "";
          void take(files);
        }}
      />
      <Button kind="quiet" full busy={busy} icon={<UploadIcon />} onClick={() => input.current?.click()}>
        {t.upload.choose}
      </Button>
      <ul role="status">
        {outcomes.map(({ file, traces, fault }) => (
          <li key={file}>
            <strong>{file}</strong>{" "}
            {fault === null ? t.counts.traces(traces) : <span className="ly-error-text">{fault}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
