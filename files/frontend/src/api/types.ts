/** Shapes of the REST contract that this client reads. Amounts are BRL, dates are ISO 8601 UTC strings. */

export type Role = "ROOT" | "MASTER" | "ENGINEER" | "ADMIN_STAFF" | "CONTRACTOR" | "BROKER" | "VIEWER";

export const PROJECT_STATUSES = ["PLANNING", "IN_PROGRESS", "PAUSED", "COMPLETED", "CANCELLED"] as const;
export type ProjectStatus = (typeof PROJECT_STATUSES)[number];

export interface User {
  id: string;
  email: string;
  name: string;
  role: Role;
  tenantId: string;
  isApproved: boolean;
}

export interface Tenant {
  id: string;
  name: string;
  plan: string;
}

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

export interface AuthResult {
  user: User;
  tenant: Tenant;
  tokens: Tokens;
}

export interface Registration {
  tenantName: string;
  tenantDocument: string;
  name: string;
  email: string;
  password: string;
}

export interface Address {
  street: string;
  number: string;
  complement?: string;
  neighborhood: string;
  city: string;
  state: string;
  zipCode: string;
}

export interface Evolution {
  id: string;
  date: string;
  percentage: number;
  phase: string;
  notes: string | null;
  user?: { id: string; name: string };
}

export interface Project {
  id: string;
  name: string;
  description: string | null;
  address: Address;
  status: ProjectStatus;
  startDate: string | null;
  expectedEndDate: string | null;
  actualEndDate: string | null;
  budget: number;
  quantidadeUnidades: number;
  evolutions: Evolution[];
  _count: { units: number };
}

export interface NewProject {
  name: string;
  address: Address;
  description?: string;
  status?: ProjectStatus;
  startDate?: string;
  expectedEndDate?: string;
  budget?: number;
  quantidadeUnidades?: number;
}

export const UNIT_STATUSES = ["AVAILABLE", "RESERVED", "SOLD", "BLOCKED"] as const;

/** One project as `GET /projects/:id` gives it: with every unit. */
export interface ProjectDetails extends Project {
  units: { id: string; status: (typeof UNIT_STATUSES)[number] }[];
}

export interface Page<T> {
  data: T[];
  pagination: { page: number; limit: number; total: number; totalPages: number };
}

export interface ProjectQuery {
  page: number;
  limit: number;
  search?: string;
  status?: ProjectStatus;
}
