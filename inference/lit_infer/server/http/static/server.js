// Requests to the server. The API key, if one is needed, is kept until the tab is closed.

const STORAGE_KEY = "lit-serve key";
let key = sessionStorage.getItem(STORAGE_KEY) ?? "";
let isAskedFor = key !== "";

/** An error answer, with the server's message. `status` 0: there was no answer. */
export class Refused extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

/** Keep a key for this tab; an empty string removes it. */
export function useKey(text) {
  key = text;
  if (key) sessionStorage.setItem(STORAGE_KEY, key);
  else sessionStorage.removeItem(STORAGE_KEY);
}

/** Whether the server has asked for a key. */
export const needsKey = () => isAskedFor;

/** The response to a request. Throws Refused. `init` is as for fetch. */
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
    return `the server answered with status ${answer.status}`;
  }
}
