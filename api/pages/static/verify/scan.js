// QR codes from the camera or from a picture: by the browser's BarcodeDetector where there is
// one, else by jsQR, which is fetched from this site when it is first needed.

import { element } from "./dom.js";

const PAUSE_MS = 200;
const SIDE_MAX = 1600;
let reader = null;

class ReaderError extends Error {}

// A function from a picture (image, video or canvas) to the text of its QR code, or null.
async function readerOf(jsqrAddress) {
  if ("BarcodeDetector" in globalThis) {
    try {
      const formats = await BarcodeDetector.getSupportedFormats();
      if (formats.includes("qr_code")) {
        const detector = new BarcodeDetector({ formats: ["qr_code"] });
        return async (picture) => (await detector.detect(picture))[0]?.rawValue ?? null;
      }
    } catch {
      // It is there in name only; jsQR reads instead.
    }
  }
  await loadScript(jsqrAddress);
  return async (picture) => {
    const { data, width, height } = pixels(picture);
    return globalThis.jsQR(data, width, height)?.data ?? null;
  };
}

function loadScript(address) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src: address });
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new ReaderError("the QR reader did not load")));
    document.head.append(script);
  });
}

function pixels(picture) {
  const full = [picture.videoWidth || picture.width, picture.videoHeight || picture.height];
  const scale = Math.min(1, SIDE_MAX / Math.max(...full));
  const [width, height] = full.map((one) => Math.max(1, Math.round(one * scale)));
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

// Why a camera does not scan, as the page's words name it.
export function whyNot(error) {
  const reasons = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "none", OverconstrainedError: "none" };
  if (error instanceof ReaderError) return "reader";
  return reasons[error.name] ?? "busy";
}

export const canScan = () => Boolean(navigator.mediaDevices?.getUserMedia);

// The text of the QR code in a picture file, or null.
export async function readPicture(file, jsqrAddress) {
  reader ??= await readerOf(jsqrAddress);
  const picture = await createImageBitmap(file);
  return reader(picture);
}

// Shows the camera in a video until a code is read; `stopped()` ends it. Null where it ended so.
// The reader is fetched first: a camera that is on and read by nothing would only alarm.
export async function scanCamera(video, jsqrAddress, stopped) {
  reader ??= await readerOf(jsqrAddress);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  try {
    video.srcObject = stream;
    await video.play();
    while (!stopped()) {
      const text = video.videoWidth ? await reader(video) : null;
      if (text) return text;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}
