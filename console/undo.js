/** Taking a deletion back. */

import { ApiError, request } from "./api.js";
import { t } from "./i18n.js";
import { linksChanged } from "./selection.js";
import { showToast } from "./toasts.js";

/** How often to look whether a deletion that still runs is complete, in milliseconds. */
const PAUSE = 1000;

/**
 * Restores all links of a soft deletion, or some of them; waits until the deletion is complete.
 * @param {string} deletionId
 * @param {string[]} [ids]
 */
export async function undo(deletionId, ids) {
  for (;;) {
    try {
      const answer = await request("POST", `/deletions/${deletionId}/restore`, {
        body: ids ? { ids } : {},
        once: true,
      });
      linksChanged();
      const n = answer.restoredIds.length;
      showToast(t("toast.restored", { n }));
      if (answer.refused.length > 0) {
        showToast(t("toast.notRestored", { n: answer.refused.length }), { kind: "error" });
      }
      return answer;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}
