import { useCallback, useEffect, useState } from "preact/hooks";

export type Load<T> =
  | { state: "loading"; data: T | null }
  | { state: "ready"; data: T }
  | { state: "failed"; error: unknown };

/**
 * Runs `fetcher` whenever `key` changes and drops answers that come too late.
 * While a further key loads, the data of the last one stays at hand.
 */
export function useLoad<T>(key: string, fetcher: (signal: AbortSignal) => Promise<T>): [Load<T>, () => void] {
  const [load, setLoad] = useState<Load<T>>({ state: "loading", data: null });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setLoad((last) => ({ state: "loading", data: last.state === "failed" ? null : last.data }));
    fetcher(controller.signal).then(
      (data) => !controller.signal.aborted && setLoad({ state: "ready", data }),
      (error: unknown) => !controller.signal.aborted && setLoad({ state: "failed", error }),
    );
    return () => controller.abort();
  }, [key, attempt]);
  return [load, useCallback(() => setAttempt((n) => n + 1), [])];
}
