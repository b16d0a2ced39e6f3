/* Following a generation. A lost stream is taken up again where it broke off: the browser sends the last id it saw. */

const ENDS = ["generation.completed", "generation.failed", "generation.cancelled"];
const NAMES = [
  "generation.created",
  "turn.completed",
  "tool.started",
  "tool.progress",
  "tool.completed",
  "tool.failed",
  "asset.created",
  ...ENDS,
];
const PAUSE_MS = 3000;

/* Calls `onEvent(name, data)` for each event up to the one that ends it, and `onConnection(open)`. Returns a stop. */
export function follow(id, onEvent, onConnection) {
  let source;
  let pause;

  function connect() {
    source = new EventSource(`generations/${id}/events`);
    source.onopen = () => onConnection(true);
    source.onerror = () => {
      onConnection(false);
      // The browser has given up by itself (an answer that was no stream), so start anew: from the first event.
      if (source.readyState === EventSource.CLOSED) pause = setTimeout(connect, PAUSE_MS);
    };
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        if (ENDS.includes(name)) source.close();
        onEvent(name, JSON.parse(event.data));
      });
    }
  }

  connect();
  return () => {
    clearTimeout(pause);
    source.close();
  };
}
