// Reads a verdict aloud, where the browser has a voice for the page's language.
//
//   import { offer, offerIn } from "./aloud.js";
//   offer(panel);            // adds a button to a .verdict panel, or to any element
//   offerIn(place);          // the same to every verdict that comes to stand in a place
//
// Without a voice there is no button. What is read is the text of the panel's elements with
// data-aloud, or of the whole panel. The words of the button come from the panel's
// data-read and data-stop, or from those of the page's <body>.

const LOADING_MILLISECONDS = 1500;

// Voices come late in some browsers: wait for the first list, but not for ever.
function voices() {
  const synthesis = window.speechSynthesis;
  const here = synthesis.getVoices();
  if (here.length) return Promise.resolve(here);
  return new Promise((resolve) => {
    const done = () => resolve(synthesis.getVoices());
    synthesis.addEventListener("voiceschanged", done, { once: true });
    setTimeout(done, LOADING_MILLISECONDS);
  });
}

function suits(voice, language) {
  return voice.lang.toLowerCase().split(/[-_]/)[0] === language.toLowerCase().split("-")[0];
}

function words(panel) {
  const parts = [...panel.querySelectorAll(".word, [data-aloud]")];
  const texts = (parts.length ? parts : [panel]).map((one) => {
    const copy = one.cloneNode(true);
    for (const quiet of copy.querySelectorAll("[aria-hidden=true], button")) quiet.remove();
    return copy.textContent.replace(/\s+/g, " ").trim();
  });
  return texts.filter(Boolean).join("。 ");
}

export async function offer(panel) {
  if (!("speechSynthesis" in window) || panel.querySelector("button.aloud")) return null;
  const language = panel.closest("[lang]")?.lang || "zh";
  const voice = (await voices()).find((one) => suits(one, language));
  if (!voice || panel.querySelector("button.aloud")) return null;
  const say = panel.dataset.read || document.body.dataset.read;
  const stop = panel.dataset.stop || document.body.dataset.stop;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button second aloud";
  button.textContent = say;
  button.addEventListener("click", () => {
    const reading = button.textContent === stop;
    window.speechSynthesis.cancel();
    button.textContent = say;
    if (reading) return;
    const speech = new SpeechSynthesisUtterance(words(panel));
    speech.lang = language;
    speech.voice = voice;
    speech.onend = speech.onerror = () => { button.textContent = say; };
    button.textContent = stop;
    window.speechSynthesis.speak(speech);
  });
  panel.append(button);
  return button;
}

// A verdict that goes away is read no further.
export function offerIn(place) {
  if (!("speechSynthesis" in window)) return;
  new MutationObserver((changes) => {
    const gone = changes.some((one) => [...one.removedNodes].some((node) => node.nodeType === Node.ELEMENT_NODE && node.matches(".verdict")));
    if (gone) window.speechSynthesis.cancel();
    for (const panel of place.querySelectorAll(".verdict")) offer(panel);
  }).observe(place, { childList: true, subtree: true });
}
