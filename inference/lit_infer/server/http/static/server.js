// Asking the server. The key, where one is needed, lives as long as the tab does.

const PLACE = "lit-serve key";
let key = sessionStorage.getItem(PLACE) ?? "";
let isAskedFor = key !== "";

/** What the server refused, in its words. `status` 0: there was no answer. */
export class Refused extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

/** Keep a key for this tab; an empty one is forgotten. */
export function useKey(text) {
  key = text;
  if (key) sessionStorage.setItem(PLACE, key);
  else sessionStorage.removeItem(PLACE);
}

/** Whether the server has asked for a key. */
export const needsKey = () => isAskedFor;

/** The answer to a request, or Refused. `init` is that of fetch. */
export async function ask(path, init = {}) {
  const headers = { ...init.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let answer;
  try {
    answer = await fetch(path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("the server does not answer", 0);
  }
  if (answer.ok) return answer;
  if (answer.status === 401) noteRefusedKey();
  throw new Refused(await reason(answer), answer.status);
}

/** The JSON that the server answers. */
export const askJson = async (path, init) => (await ask(path, init)).json();

function noteRefusedKey() {
  isAskedFor = true;
  document.dispatchEvent(new CustomEvent("key-refused", { detail: { wasGiven: key !== "" } }));
}

async function reason(answer) {
  try {
    return String((await answer.json()).error);
  } catch {
    return `the server answers with status ${answer.status}`;
  }
}
