// The texts that people read. They come from the page's own data, in one language or in both,
// out of the same catalogues as every page.

let texts = {};
let spoken = "zh";

export function setWords(catalogue, language) {
  texts = catalogue;
  spoken = language;
}

// Marks that differ by language, with the blanks that belong to them.
const MARKS = { zh: { colon: "：", semicolon: "；" }, en: { colon: ": ", semicolon: "; " } };

export const mark = (name) => MARKS[spoken][name];

export const inBrackets = (text) => (spoken === "zh" ? `（${text}）` : ` ${text}`);

// A text with its values filled in. A text that is missing is our own mistake.
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

// A word of the ledger's; where nobody has translated it, the key itself.
export const word = (table, key) => texts[`${table}.${key}`] ?? key.replaceAll("_", " ");

export const has = (key) => texts[key] !== undefined;
