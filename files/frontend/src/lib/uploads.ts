import type { MessageKey } from "../i18n";

/** Largest photo that is sent, in bytes: the API's default for UPLOAD_MAX_SIZE. */
export const MAX_PHOTO_BYTES = 50 * 1024 * 1024;

/** Kinds that the API stores. Naming them makes a phone convert its own formats. */
export const PHOTO_TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/** One photo on its way: from the list of waiting ones to an address at the API, or to an error. */
export interface Upload {
  readonly key: number;
  readonly name: string;
  readonly state: "waiting" | "sending" | "done" | "failed";
  /** How much was sent, 0 to 1. */
  readonly part: number;
  /** Address of the stored photo. */
  readonly url: string | null;
  /** Why it failed: a text key for what this client refuses itself, or the error of the call. */
  readonly error: MessageKey | Error | null;
}

type Send = (file: File, onProgress: (part: number) => void, signal: AbortSignal) => Promise<string>;
type Item = { -readonly [K in keyof Upload]: Upload[K] } & { file: File | null; controller: AbortController | null };

/** Sends photos one after the other; each may be cancelled, tried again or removed on its own. */
export class UploadQueue {
  private items: Item[] = [];
  private nextKey = 1;
  private waiters: (() => void)[] = [];
  private stopped = false;

  /** `urls` are photos that are stored already; `changed` is called after every change. */
  constructor(private readonly send: Send, urls: readonly string[], private readonly changed: () => void) {
    this.items = urls.map((url) => this.item({ name: "", state: "done", part: 1, url, file: null }));
  }

  list(): readonly Upload[] {
    return this.items;
  }

  /** Addresses of the stored photos, in the order shown. */
  urls(): string[] {
    return this.items.flatMap((item) => (item.url === null ? [] : [item.url]));
  }

  add(files: Iterable<File>): void {
    for (const file of files) {
      const error: MessageKey | null = !PHOTO_TYPES.includes(file.type) ? "photos.notImage"
        : file.size > MAX_PHOTO_BYTES ? "photos.tooLarge" : null;
      this.items.push(this.item({ name: file.name, file, error, state: error ? "failed" : "waiting" }));
    }
    this.update();
  }

  /** Takes a photo off the list; cancels it when it is on its way. */
  remove(key: number): void {
    this.items.find((item) => item.key === key)?.controller?.abort();
    this.items = this.items.filter((item) => item.key !== key);
    this.update();
  }

  retry(key: number): void {
    const item = this.items.find((one) => one.key === key);
    if (item?.state !== "failed" || !(item.error instanceof Error)) return;
    Object.assign(item, { state: "waiting", part: 0, error: null });
    this.update();
  }

  /** Cancels and forgets all that is not stored, for good. */
  stop(): void {
    this.stopped = true;
    for (const item of this.items) item.controller?.abort();
    this.items = this.items.filter((item) => item.state === "done");
    this.update();
  }

  /** Resolves when nothing is waiting or on its way: with false when the queue was stopped meanwhile. */
  async settled(): Promise<boolean> {
    if (this.busy()) await new Promise<void>((resolve) => this.waiters.push(resolve));
    return !this.stopped;
  }

  private busy(): boolean {
    return this.items.some((item) => item.state === "waiting" || item.state === "sending");
  }

  private item(given: Partial<Item>): Item {
    return {
      key: this.nextKey++, name: "", state: "waiting", part: 0, url: null, error: null, file: null, controller: null,
      ...given,
    };
  }

  /** Starts the next photo when none is on its way, then tells. */
  private update(): void {
    const next = this.items.find((item) => item.state === "waiting");
    if (next && !this.items.some((item) => item.state === "sending")) void this.run(next);
    if (!this.busy()) for (const waiter of this.waiters.splice(0)) waiter();
    this.changed();
  }

  private async run(item: Item): Promise<void> {
    const controller = new AbortController();
    Object.assign(item, { state: "sending", controller });
    const onProgress = (part: number) => {
      item.part = part;
      this.changed();
    };
    try {
      const url = await this.send(item.file!, onProgress, controller.signal);
      Object.assign(item, { state: "done", part: 1, url });
    } catch (error) {
      Object.assign(item, { state: "failed", error: error instanceof Error ? error : new Error(String(error)) });
    }
    item.controller = null;
    this.update();
  }
}
