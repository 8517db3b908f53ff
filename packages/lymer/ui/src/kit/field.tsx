/** What every field has around its control: a label, a hint, and what is wrong. */

import { useId, type ReactNode } from "react";

export interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string | undefined;
  readonly description?: string | undefined;
  readonly error?: string | null | undefined;
  readonly disabled?: boolean | undefined;
}

/** What ties a control to its label, hint and fault. */
export interface ControlProps {
  readonly id: string;
  readonly "aria-invalid"?: true;
  readonly "aria-describedby"?: string;
}

export function Field(props: {
  readonly label: string;
  readonly description: string | undefined;
  readonly error: string | null | undefined;
  readonly children: (control: ControlProps) => ReactNode;
}): ReactNode {
  const id = useId();
  const { label, description, error } = props;
  const control: ControlProps = {
    id,
    ...(error ? { "aria-invalid": true as const } : {}),
    ...(error || description ? { "aria-describedby": `${id}-hint` } : {}),
  };
  return (
    <div className="ly-field">
      <label htmlFor={id}>{label}</label>
      <div className="ly-field-control">{props.children(control)}</div>
      {(error || description) && (
        <div id={`${id}-hint`} className="ly-field-hint">
          {error && <p className="ly-field-error">{error}</p>}
          {description && <p>{description}</p>}
        </div>
      )}
    </div>
  );
}
