// Requests about the recording of this page.
const main = document.querySelector("main");
const base = `/recording/${main.dataset.recording}`;

// The address of a part of the recording.
export function address(part, parameters = {}) {
  const query = new URLSearchParams(parameters);
  if (main.dataset.channel) query.set("channel", main.dataset.channel);
  return `${base}/${part}?${query}`;
}

// An answer. Its text is the message where the server refuses.
async function answer(part, parameters, options) {
  const response = await fetch(address(part, parameters), options);
  if (!response.ok) throw new Error(await response.text());
  return response;
}

export async function json(part, parameters, options) {
  return (await answer(part, parameters, options)).json();
}

export async function post(part, body) {
  const headers = { "Content-Type": "application/json" };
  await answer(part, {}, { method: "POST", headers, body: JSON.stringify(body) });
}

// The bytes of a drawing. While the source is decoded, `waiting` is told the share that is, and the request repeated.
export async function bytes(part, parameters, options, waiting) {
  for (;;) {
    const response = await answer(part, parameters, options);
    if (response.status !== 202) return response.arrayBuffer();
    waiting((await response.json()).decoded);
    await new Promise((resume) => setTimeout(resume, 150));
  }
}

// A position: 1:02:03.4 or 2:03.4.
export function position(seconds) {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
