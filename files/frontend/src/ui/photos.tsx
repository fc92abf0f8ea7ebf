import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatPercent } from "../lib/format";
import { PHOTO_TYPES, type Upload, UploadQueue } from "../lib/uploads";
import { Modal } from "./dialog";
import { AlertIcon, CloseIcon, NextIcon, PhotoIcon, PreviousIcon, RetryIcon } from "./icons";

/** A queue of uploads that lives as long as the component. */
export function useUploads(projectId: string, urls: readonly string[]): UploadQueue {
  const [, setChanges] = useState(0);
  const ref = useRef<UploadQueue | null>(null);
  ref.current ??= new UploadQueue(
    (file, onProgress, signal) => api.uploadPhoto(projectId, file, onProgress, signal),
    urls,
    () => setChanges((n) => n + 1),
  );
  useEffect(() => () => ref.current?.stop(), []);
  return ref.current;
}

/** Picks photos and shows how each one gets on. */
export function PhotoPicker({ queue }: { queue: UploadQueue }) {
  return (
    <div class="field span-6">
      <p class="label" id="photos-label">{t("photos.title")} <span class="optional">{t("field.optional")}</span></p>
      <div class="drop">
        <input type="file" multiple accept={PHOTO_TYPES.join(",")} aria-labelledby="photos-label" aria-describedby="photos-note"
          data-testid="photos-input" onChange={(event) => {
            queue.add(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }} />
        <PhotoIcon />
        <span>{t("photos.pick")}</span>
      </div>
      <p class="note" id="photos-note">{t("photos.hint")}</p>
      {queue.list().length > 0 && (
        <ul class="uploads" data-testid="uploads">
          {queue.list().map((upload, index) => (
            <UploadRow key={upload.key} upload={upload} number={index + 1} queue={queue} />
          ))}
        </ul>
      )}
    </div>
  );
}

function UploadRow({ upload, number, queue }: { upload: Upload; number: number; queue: UploadQueue }) {
  const { key, state, part, url, error } = upload;
  const name = upload.name || t("photos.number", { n: number });
  const underway = state === "waiting" || state === "sending";
  const note = state === "waiting" ? t("photos.waiting")
    : state === "sending" ? (part < 1 ? formatPercent(Math.floor(part * 100), locale) : t("photos.processing"))
    : state === "done" ? t("photos.done")
    : typeof error === "string" ? t(error) : errorText(error, "photos.refused");
  return (
    <li class={`upload upload-${state}`} data-testid={`upload-${state}`}>
      <span class="upload-picture">{url ? <Photo url={url} label={name} /> : state === "failed" ? <AlertIcon /> : <PhotoIcon />}</span>
      <div class="upload-text">
        <p class="upload-name">{name}</p>
        {state === "sending" && <progress class="progress" max={1} value={part} aria-label={name} data-testid="upload-progress" />}
        <p class="upload-note" role={state === "failed" ? "alert" : undefined}>{note}</p>
      </div>
      {error instanceof Error && (
        <button type="button" class="icon-button" onClick={() => queue.retry(key)} data-testid="upload-retry"
          aria-label={t("photos.retry", { name })} title={t("error.retry")}><RetryIcon /></button>
      )}
      <button type="button" class="icon-button" onClick={() => queue.remove(key)} data-testid="upload-remove"
        aria-label={t(underway ? "photos.cancel" : "photos.remove", { name })}
        title={t(underway ? "dialog.cancel" : "photos.removeShort")}><CloseIcon /></button>
    </li>
  );
}

/** A picture; a sign stands in for one that cannot be shown, as after its address has expired. */
function Photo({ url, label }: { url: string; label: string }) {
  const [broken, setBroken] = useState(false);
  useEffect(() => setBroken(false), [url]);
  if (broken) return <span class="photo-broken" role="img" aria-label={`${label}: ${t("photos.broken")}`}><PhotoIcon /></span>;
  return <img src={url} alt={label} loading="lazy" decoding="async" onError={() => setBroken(true)} />;
}

/** Small pictures that open large, one after the other. `label` says what they show. */
export function Gallery({ urls, label }: { urls: readonly string[]; label: string }) {
  const [shown, setShown] = useState<number | null>(null);
  const nameOf = (index: number) => t("photos.of", { label, n: index + 1, total: urls.length });
  return (
    <>
      <ul class="gallery" data-testid="gallery">
        {urls.map((url, index) => (
          <li key={index}>
            <button type="button" onClick={() => setShown(index)} aria-label={nameOf(index)} data-testid="photo">
              <Photo url={url} label={nameOf(index)} />
            </button>
          </li>
        ))}
      </ul>
      {shown !== null && shown < urls.length && (
        <Lightbox url={urls[shown]!} label={nameOf(shown)} close={() => setShown(null)}
          previous={shown > 0 ? () => setShown(shown - 1) : null}
          next={shown < urls.length - 1 ? () => setShown(shown + 1) : null} />
      )}
    </>
  );
}

function Lightbox({ url, label, close, previous, next }: {
  url: string; label: string; close: () => void; previous: (() => void) | null; next: (() => void) | null;
}) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "ArrowLeft") previous?.();
      if (event.key === "ArrowRight") next?.();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
  return (
    <Modal label={label} close={close} testid="lightbox" class="lightbox">
      <Photo url={url} label={label} />
      <div class="lightbox-bar">
        <button type="button" class="icon-button" onClick={() => previous?.()} disabled={previous === null}
          aria-label={t("photos.previous")} data-testid="photo-previous"><PreviousIcon /></button>
        <p aria-live="polite" data-testid="photo-position">{label}</p>
        <button type="button" class="icon-button" onClick={() => next?.()} disabled={next === null}
          aria-label={t("photos.next")} data-testid="photo-next"><NextIcon /></button>
        <button type="button" class="icon-button" onClick={close} aria-label={t("dialog.close")} data-testid="lightbox-close">
          <CloseIcon />
        </button>
      </div>
    </Modal>
  );
}
