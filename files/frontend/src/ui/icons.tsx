import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {children}
    </svg>
  );
}

export const PlusIcon = () => <Icon><path d="M12 5v14M5 12h14" /></Icon>;
export const SearchIcon = () => <Icon><circle cx="11" cy="11" r="6.5" /><path d="m20 20-4.2-4.2" /></Icon>;
export const PinIcon = () => (
  <Icon><path d="M12 21s7-6.2 7-11.5A7 7 0 0 0 5 9.5C5 14.8 12 21 12 21z" /><circle cx="12" cy="9.5" r="2.5" /></Icon>
);
export const CheckIcon = () => <Icon><path d="m5 12.5 4.5 4.5L19 7.5" /></Icon>;
export const BackIcon = () => <Icon><path d="M19 12H5m6-6-6 6 6 6" /></Icon>;
export const LogoutIcon = () => <Icon><path d="M15 4h4v16h-4M10 8l-4 4 4 4M6 12h9" /></Icon>;
export const AlertIcon = () => <Icon><circle cx="12" cy="12" r="9" /><path d="M12 7.5v5.5m0 3.2v.1" /></Icon>;
export const BuildingIcon = () => <Icon><path d="M5 20V5h9v15M14 10h5v10M3 20h18M8 9h3m-3 4h3m-3 4h3" /></Icon>;

export const HomeIcon = () => <Icon><path d="M4 20V10l8-6 8 6v10h-5.5v-6h-5v6z" /></Icon>;
export const PeopleIcon = () => (
  <Icon><circle cx="9" cy="8" r="3.5" /><path d="M2.5 20a6.5 6.5 0 0 1 13 0M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.2a6.5 6.5 0 0 1 3.5 5.8" /></Icon>
);
export const SettingsIcon = () => (
  <Icon><path d="M4 7h9m5 0h2M4 17h2m5 0h9" /><circle cx="15.5" cy="7" r="2.5" /><circle cx="8.5" cy="17" r="2.5" /></Icon>
);
export const PersonIcon = () => <Icon><circle cx="12" cy="8" r="4" /><path d="M4.5 20.5a7.5 7.5 0 0 1 15 0" /></Icon>;
export const EditIcon = () => <Icon><path d="M4 20h4L19 9l-4-4L4 16zM13 7l4 4" /></Icon>;
export const TrashIcon = () => <Icon><path d="M4 7h16M9 7V4h6v3m-9 0 1 13h10l1-13M10 11v5m4-5v5" /></Icon>;
export const CloseIcon = () => <Icon><path d="m6 6 12 12M18 6 6 18" /></Icon>;
export const PreviousIcon = () => <Icon><path d="m15 5-7 7 7 7" /></Icon>;
export const NextIcon = () => <Icon><path d="m9 5 7 7-7 7" /></Icon>;
export const PhotoIcon = () => (
  <Icon><rect x="3" y="5" width="18" height="14" rx="2" /><circle cx="8.5" cy="10" r="1.5" /><path d="m3 17 5-4 4 3 4-4 5 5" /></Icon>
);
export const RetryIcon = () => <Icon><path d="M19 12a7 7 0 1 1-2-5l2 2m0-5v5h-5" /></Icon>;
export const MailIcon = () => <Icon><rect x="3" y="5" width="18" height="14" rx="2" /><path d="m4 7 8 6 8-6" /></Icon>;

/** The mark of the product: two towers. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <path class="mark-accent" d="M5 26V14l8-5v17z" />
    <path class="mark-main" d="M15 26V5l12 6v15z" />
    <path class="mark-hole" d="M19 14h4v2.5h-4zm0 5h4v2.5h-4z" />
  </svg>
);

/** Line drawing of a site with a crane, for the brand panel and for empty pages. */
export const SiteArt = () => (
  <svg class="site-art" viewBox="0 0 420 260" fill="none" stroke="currentColor" stroke-width="2"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    <path d="M10 244h400" />
    <path d="M60 244V124h96v120M60 154h96M60 184h96M60 214h96M92 124v120M124 124v120" />
    <path class="art-fill" d="M186 244V84h84v160z" />
    <path d="M186 244V84h84v160M186 116h84M186 148h84M186 180h84M186 212h84" />
    <path d="M206 100h12m20 0h12m-44 32h12m20 0h12m-44 32h12m20 0h12m-44 32h12m20 0h12m-44 32h12m20 0h12" />
    <path d="M322 244V30h18v214M322 60l18-16m-18 48 18-16m-18 48 18-16m-18 48 18-16m-18 48 18-16m-18 48 18-16m-18 48 18-16" />
    <path d="M322 30 150 30m190 0h52v14h-52M331 12 190 30M331 12l56 18M331 12v18M322 42H150V30" />
    <path class="art-accent" d="M210 42v26m-10 8 10-8 10 8m-24 0h28" />
    <path d="M306 244v-8h50v8" />
  </svg>
);
