// The receipt of an entry from this site: by its index, with the seed in a header where there is
// one, so that no address and no log ever holds it.

import { undecided } from "./refusal.js";

const WHY = { 403: "wrong_seed", 404: "no_entry" };

// { bytes, opened }: `opened` is false where the personal fields were erased.
export async function fetchReceipt(index, seed) {
  const found = await ask(index, seed);
  if (found.ok) return { bytes: new Uint8Array(await found.arrayBuffer()), opened: true };
  if (seed === null) throw undecided(WHY[found.status] ?? "not_fetched", "not_fetched");
  // Erased: its seed is no longer known here, and the entry proves itself without it.
  const bare = await ask(index, null);
  if (!bare.ok) throw undecided(WHY[bare.status] ?? "not_fetched", "not_fetched");
  return { bytes: new Uint8Array(await bare.arrayBuffer()), opened: false };
}

async function ask(index, seed) {
  const headers = seed === null ? {} : { Seed: seed };
  try {
    return await fetch(`/v1/entries/${index}/receipt`, { headers, credentials: "omit", cache: "no-store" });
  } catch {
    throw undecided("not_fetched", "not_fetched");
  }
}
