// What the HTTP layer and a store of projects say to each other.

export interface Caller {
  sessionId: string;
  userId: string;
  tenantId: string;
  role: string;
  contractorId: string | null;
}

export const STATUSES = ['PLANNING', 'IN_PROGRESS', 'PAUSED', 'COMPLETED', 'CANCELLED'] as const;
export const SORT_FIELDS = ['name', 'createdAt', 'updatedAt', 'status', 'budget'] as const;

export interface ListQuery {
  page: number;
  limit: number;
  search?: string;
  status?: (typeof STATUSES)[number];
  sortBy: (typeof SORT_FIELDS)[number];
  sortOrder: 'asc' | 'desc';
}

export interface ProjectBody {
  name: string;
  address: Record<string, string>;
  description?: string | null;
  status: string;
  startDate?: string | null;
  expectedEndDate?: string | null;
  budget?: number | null;
  quantidadeUnidades: number;
  metadata?: Record<string, unknown> | null;
}

export interface Project {
  id: string;
  tenantId: string;
  name: string;
  description: string | null;
  address: unknown;
  status: string;
  startDate: Date | null;
  expectedEndDate: Date | null;
  actualEndDate: Date | null;
  budget: number;
  schedulingMode: string | null;
  holidays: unknown;
  metadata: unknown;
  quantidadeUnidades: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface Evolution {
  id: string;
  projectId: string;
  date: Date;
  percentage: number;
  phase: string;
  photos: unknown;
  notes: string | null;
  reportedBy: string;
  createdAt: Date;
  updatedAt: Date;
}

export interface ProjectRow extends Project {
  evolutions: Evolution[];
  _count: { units: number; evolutions: number; activities: number };
}

export interface Store {
  /** Tells whether the caller's session is open and its account is usable and still what the token says. */
  stands(caller: Caller): Promise<boolean>;
  list(caller: Caller, query: ListQuery): Promise<{ rows: ProjectRow[]; total: number }>;
  /** Gives null when the caller's tenant does not exist. */
  create(caller: Caller, body: ProjectBody): Promise<Project | null>;
  close(): Promise<void>;
}

/** A value that the database does not take, such as a NUL character in a text. */
export class RefusedValue extends Error {}

/** Makes the pattern of a substring search; the text's own wildcards mean themselves. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
