/** One part of a whole; `name` picks its colour in the style sheet. */
export interface Part {
  name: string;
  count: number;
}

/** Start and length of each part on a scale of 100, without the empty ones. */
export function arcs(parts: readonly Part[]): { name: string; start: number; length: number }[] {
  const total = parts.reduce((sum, part) => sum + part.count, 0);
  let start = 0;
  return parts.filter((part) => part.count > 0).map((part) => {
    const arc = { name: part.name, start, length: (part.count / total) * 100 };
    start += arc.length;
    return arc;
  });
}

/** A ring of parts with the whole in the middle. The figures stand beside it as text, so it is hidden from screen readers. */
export function Donut({ parts, total }: { parts: readonly Part[]; total: number }) {
  return (
    <svg class="donut" viewBox="0 0 120 120" aria-hidden="true" data-testid="chart">
      <circle class="donut-ground" cx="60" cy="60" r="48" />
      {arcs(parts).map(({ name, start, length }) => (
        <circle key={name} class={`donut-part part-${name}`} cx="60" cy="60" r="48" pathLength={100}
          stroke-dasharray={`${length} ${100 - length}`} stroke-dashoffset={-start} transform="rotate(-90 60 60)" />
      ))}
      <text x="60" y="61">{total}</text>
    </svg>
  );
}

/** One bar of parts, side by side. */
export function Bar({ parts }: { parts: readonly Part[] }) {
  return (
    <svg class="stacked" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      {arcs(parts).map(({ name, start, length }) => (
        <rect key={name} class={`part-${name}`} x={start} y="0" width={length} height="10" />
      ))}
    </svg>
  );
}
