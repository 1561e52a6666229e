// Requests to the server: JSON in and out, and failures in its words.

/** The path below which all of the review lies. */
export const base = document.documentElement.dataset.root;

export class ApiError extends Error {
  constructor(status, message, current = null) {
    super(message);
    this.status = status;
    this.current = current;
  }
}

/** The JSON that the server answers; `url` is a path below `base`, `version` is the one that a change is made to. */
export async function request(method, url, { body, version } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  let response;
  try {
    response = await fetch(base + url, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "the server does not answer: is dartblur review still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new ApiError(response.status, answer.error ?? `the server said ${response.status}`, answer.current);
  }
  return answer;
}
