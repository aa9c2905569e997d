// The progress of an import, without a reload: the same page is asked for again, and its part
// with the id "progress" is put here. When nothing is at work any more, the page is loaded anew.
// Without this script, the page's own link does the same.

// A screen reader tells each change.
const EVERY_MILLISECONDS = 3000;
const FAILURES_MAX = 20;

let failures = 0;

async function look() {
  const here = document.getElementById("progress");
  if (!here) return;
  try {
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("progress");
    if (!found || !("busy" in found.dataset)) {
      location.replace(location.pathname);
      return;
    }
    here.replaceChildren(...found.childNodes);
    failures = 0;
  } catch {
    failures += 1;
  }
  if (failures < FAILURES_MAX) setTimeout(look, EVERY_MILLISECONDS);
}

setTimeout(look, EVERY_MILLISECONDS);
