/** What the API answers, for a component. */

import { useEffect, useState } from "preact/hooks";

/**
 * Loads when the component appears and when one of `inputs` changes; what was loaded stays until
 * there is more, also beside an error.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} inputs
 */
export function useAnswer(load, inputs) {
  const [state, setState] = useState(/** @type {{ value?: T, error?: Error }} */ ({}));
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    load(controller.signal).then(
      (value) => controller.signal.aborted || setState({ value }),
      (error) => controller.signal.aborted || setState(({ value }) => ({ value, error })),
    );
    return () => controller.abort();
  }, [...inputs, attempt]);
  return { ...state, reload: () => setAttempt((n) => n + 1) };
}
