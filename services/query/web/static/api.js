// The service's own HTTP interface. Every failure becomes a Failure whose message a person can act on.

export class Failure extends Error {
  constructor(code, message, request = "") {
    super(message);
    Object.assign(this, { code, request });
  }
}

export async function call(path, body, signal, method = body === undefined ? "GET" : "POST") {
  const options = body === undefined ? { method, signal } : {
    method, headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal,
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("UNREACHABLE", "Hilum does not answer. Is it still running? Start it with “hilum up” and try again.");
  }
  const text = await answer.text();
  let read;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Failure("UNREADABLE", `The server answered with something else (${answer.status}). Reload the page.`);
  }
  if (!answer.ok) {
    const told = read.error ?? {};
    const message = told.message ?? `The server refused (${answer.status}).`;
    throw new Failure(told.code ?? "", message.charAt(0).toUpperCase() + message.slice(1) + ".", told.request_id);
  }
  return read;
}

export async function base64(file) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Failure("UNREADABLE", "The file could not be read from your disk."));
    reader.readAsDataURL(file);
  });
  return url.slice(url.indexOf(",") + 1);
}

// A film's file as a picture that browsers show: its address, or nothing where it cannot be read.
export async function picture(data) {
  try {
    const { results } = await call("/v1/images:picture", { images: [data] });
    const [{ picture: jpeg }] = results;
    if (!jpeg) return "";
    const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  } catch { return ""; } // the search itself says what is wrong
}
