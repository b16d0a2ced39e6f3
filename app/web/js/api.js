/* Asking the server. A refusal becomes an error whose message is the server's own sentence. */

export class Refused extends Error {
  constructor(status, problem) {
    const fields = (problem.errors ?? []).map((error) => `${error.field}: ${error.detail}`);
    super([problem.detail ?? `The server answered ${status}.`, ...fields].join("\n"));
    this.status = status;
    this.generationId = problem.generation_id ?? null;
  }
}

/* The server could not be reached, so nobody knows whether it got the request. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached. Is it running?");
  }
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, options).catch(() => {
    throw new Unreachable();
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

export function post(path, body, headers = {}) {
  if (body instanceof FormData) return ask(path, { method: "POST", body, headers });
  headers = { "Content-Type": "application/json", ...headers };
  return ask(path, { method: "POST", body: JSON.stringify(body), headers });
}
