/* My gift, for who holds the receipt: the seed goes in the header Seed and nowhere else.

   The page works without this file: its form posts the seed and gets the same answers. With
   it, a seed that the scanner's page (/r) left in this tab opens the gift at once, and nothing
   is loaded anew. What the service answers is only ever put in as text, and the code as a
   drawing whose parts are looked at first. */

const form = document.querySelector("form[data-index]");

if (form !== null) {
  const index = form.dataset.index;
  const kept = `shanji.seed.${index}`;
  const input = form.elements.namedItem("seed");
  const texts = document.getElementById("texts").dataset;
  const opened = document.getElementById("opened");
  const code = document.getElementById("own-code");
  const told = document.getElementById("told");
  const forget = document.getElementById("forget");

  /* How often the reader had it forgotten: an answer that was asked for before is not shown. */
  let times = 0;

  const tell = (text) => { told.textContent = text; };
  const labelOf = (name) =>
    texts["field" + name.split("_").map((part) => part[0].toUpperCase() + part.slice(1)).join("")] || name;

  /* One request with the seed; an answer that is no success is told and thrown. */
  const ask = async (path) => {
    const seed = input.value.trim();
    if (seed === "") throw new Error(texts.missing);
    if (!/^[A-Za-z0-9_-]{22}$/.test(seed)) throw new Error(texts.malformed);
    let answer;
    try {
      answer = await fetch(`/v1/entries/${index}/${path}`, { headers: { Seed: seed }, cache: "no-store" });
    } catch {
      throw new Error(texts.failed);
    }
    if (answer.status === 403) throw new Error(texts.wrong);
    if (!answer.ok) throw new Error(texts.failed);
    return answer;
  };

  const show = async () => {
    const before = times;
    const { values } = await (await ask("opening")).json();
    if (times !== before) return;
    const list = document.createElement("dl");
    list.className = "facts";
    for (const [name, value] of Object.entries(values)) {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      const said = document.createElement("dd");
      term.textContent = labelOf(name);
      said.textContent = typeof value === "string" ? value : JSON.stringify(value);
      row.append(term, said);
      list.append(row);
    }
    const about = document.createElement("p");
    about.textContent = texts.opened;
    opened.replaceChildren(about, list);
    forget.hidden = false;
  };

  const save = async (path, name) => {
    const file = URL.createObjectURL(await (await ask(path)).blob());
    const link = document.createElement("a");
    link.href = file;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(file), 60000);
    tell(`${texts.saved} ${name}`);
  };

  const draw = async () => {
    const before = times;
    const drawn = new DOMParser().parseFromString(await (await ask("receipt.svg")).text(), "image/svg+xml");
    if (times !== before) return;
    const picture = drawn.documentElement;
    const parts = [picture, ...picture.querySelectorAll("*")].map((one) => one.localName);
    if (parts.some((name) => name !== "svg" && name !== "path")) throw new Error(texts.failed);
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", texts.alt);
    code.replaceChildren(document.importNode(picture, true));
    code.hidden = false;
    forget.hidden = false;
  };

  const chosen = () => {
    const names = [...form.querySelectorAll("input[name=reveal]:checked")].map((one) => one.value);
    if (names.length === 0) throw new Error(texts.chosen);
    return encodeURIComponent(names.join(","));
  };

  const lang = form.dataset.lang;
  const does = {
    show,
    code: draw,
    proof: () => save("receipt", `${index}.tlog-proof`),
    pdf: () => save(`receipt.pdf?lang=${lang}`, `${index}.pdf`),
    part: async () => save(`receipt?reveal=${chosen()}`, `${index}-part.tlog-proof`),
    part_pdf: async () => save(`receipt.pdf?lang=${lang}&reveal=${chosen()}`, `${index}-part.pdf`),
  };

  const run = async (what) => {
    tell("");
    try {
      await does[what]();
    } catch (error) {
      tell(error.message);
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.submitter === null ? "show" : event.submitter.value);
  });

  forget.querySelector("button").addEventListener("click", () => {
    times += 1;
    sessionStorage.removeItem(kept);
    input.value = "";
    opened.replaceChildren();
    code.replaceChildren();
    code.hidden = true;
    forget.hidden = true;
    tell(texts.forgotten);
    input.focus();
  });

  const seed = sessionStorage.getItem(kept);
  if (seed !== null && input.value === "") {
    input.value = seed;
    run("show");
  }
}
