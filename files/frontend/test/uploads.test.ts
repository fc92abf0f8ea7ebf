import { describe, expect, test } from "vitest";
import { MAX_PHOTO_BYTES, UploadQueue } from "../src/lib/uploads";

const photo = (name: string, type = "image/jpeg") => new File(["x"], name, { type });

/** A queue whose uploads end when the test says so. */
function manual(urls: string[] = []) {
  const running: { name: string; signal: AbortSignal; progress: (part: number) => void; done: (url: string) => void; fail: (e: unknown) => void }[] = [];
  let changes = 0;
  const queue = new UploadQueue((file, progress, signal) => new Promise((done, fail) => {
    signal.addEventListener("abort", () => fail(signal.reason));
    running.push({ name: file.name, signal, progress, done, fail });
  }), urls, () => changes++);
  return { queue, running, changes: () => changes, states: () => queue.list().map((upload) => upload.state) };
}

const soon = () => new Promise((resolve) => setTimeout(resolve));

describe("upload queue", () => {
  test("one photo at a time, in the order picked", async () => {
    const { queue, running, states } = manual();
    queue.add([photo("a.jpg"), photo("b.jpg")]);
    expect(states()).toEqual(["sending", "waiting"]);
    running[0]?.done("/a");
    await soon();
    expect(states()).toEqual(["done", "sending"]);
    running[1]?.done("/b");
    await soon();
    expect(queue.urls()).toEqual(["/a", "/b"]);
  });

  test("progress is told", () => {
    const { queue, running, changes } = manual();
    queue.add([photo("a.jpg")]);
    const before = changes();
    running[0]?.progress(0.25);
    expect(queue.list()[0]?.part).toBe(0.25);
    expect(changes()).toBe(before + 1);
  });

  test("a failure keeps its reason, lets the next one start, and may be tried again", async () => {
    const { queue, running, states } = manual();
    queue.add([photo("a.jpg"), photo("b.jpg")]);
    running[0]?.fail(new Error("no"));
    await soon();
    expect(states()).toEqual(["failed", "sending"]);
    expect(queue.list()[0]?.error).toEqual(new Error("no"));
    queue.retry(queue.list()[0]!.key);
    expect(states()).toEqual(["waiting", "sending"]);
    running[1]?.done("/b");
    await soon();
    running[2]?.done("/a");
    await soon();
    expect(running.map(({ name }) => name)).toEqual(["a.jpg", "b.jpg", "a.jpg"]);
    expect(queue.urls()).toEqual(["/a", "/b"]);
  });

  test("removing the photo on its way cancels it and starts the next", async () => {
    const { queue, running, states } = manual();
    queue.add([photo("a.jpg"), photo("b.jpg")]);
    queue.remove(queue.list()[0]!.key);
    await soon();
    expect(running[0]?.signal.aborted).toBe(true);
    expect(states()).toEqual(["sending"]);
  });

  test("removing a stored photo takes its address off the list", () => {
    const { queue } = manual(["/a", "/b"]);
    queue.remove(queue.list()[0]!.key);
    expect(queue.urls()).toEqual(["/b"]);
  });

  test("stop cancels all that is not stored", async () => {
    const { queue, running } = manual(["/a"]);
    queue.add([photo("b.jpg"), photo("c.jpg")]);
    queue.stop();
    await soon();
    expect(running.map(({ signal }) => signal.aborted)).toEqual([true]);
    expect(queue.urls()).toEqual(["/a"]);
    expect(queue.list()).toHaveLength(1);
  });

  test("settled waits for the last photo, also when it fails", async () => {
    const { queue, running } = manual();
    let settled = false;
    queue.add([photo("a.jpg"), photo("b.jpg")]);
    void queue.settled().then(() => (settled = true));
    running[0]?.done("/a");
    await soon();
    expect(settled).toBe(false);
    running[1]?.fail(new Error("no"));
    await soon();
    expect(settled).toBe(true);
    expect(await queue.settled()).toBe(true);
  });

  test("settled is false when the queue is stopped while photos are on their way", async () => {
    const { queue } = manual();
    queue.add([photo("a.jpg")]);
    const settled = queue.settled();
    queue.stop();
    expect(await settled).toBe(false);
  });

  test.each([
    [photo("notes.txt", "text/plain"), "photos.notImage"],
    [photo("heavy.heic", ""), "photos.notImage"],
    [Object.defineProperty(photo("huge.jpg"), "size", { value: MAX_PHOTO_BYTES + 1 }), "photos.tooLarge"],
  ])("$name is refused before it is sent", (file, error) => {
    const { queue, running } = manual();
    queue.add([file]);
    expect(queue.list()[0]).toMatchObject({ state: "failed", error });
    queue.retry(queue.list()[0]!.key);
    expect(running).toHaveLength(0);
  });
});
