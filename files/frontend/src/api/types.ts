/** Shapes of the REST contract that this client reads. Amounts are BRL, dates are ISO 8601 UTC strings. */

export type Role = "ROOT" | "MASTER" | "ENGINEER" | "ADMIN_STAFF" | "CONTRACTOR" | "BROKER" | "VIEWER";

/** The roles that a user may be given; contractors and brokers register themselves. */
export const STAFF_ROLES = ["ROOT", "MASTER", "ENGINEER", "ADMIN_STAFF", "VIEWER"] as const;

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

/** The signed-in user as `GET /auth/me` gives it. */
export interface Me extends User {
  createdAt: string;
  tenant: Tenant;
}

export interface ContractorRegistration {
  name: string;
  email: string;
  password: string;
  /** Document of the company that the contractor works for. */
  tenantDocument: string;
  document: string;
  specialty: string[];
  contacts: { phone?: string };
}

/** One row of the user list. */
export interface Person {
  id: string;
  email: string;
  name: string;
  role: Role;
  isActive: boolean;
  isApproved: boolean;
  createdAt: string;
  contractor?: { id: string; name: string; document: string; specialty: string[] } | null;
}

export interface NewPerson {
  name: string;
  email: string;
  password: string;
  role: string;
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
  /** Signed addresses; they expire. Null in old rows. */
  photos: string[] | null;
  user?: { id: string; name: string };
}

/** Body of a new progress record. On a change, an absent `photos` keeps the pictures. */
export interface NewEvolution {
  percentage: number;
  phase: string;
  date: string;
  notes: string;
  photos?: string[];
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

/** Body of a change: the dates and the end may be cleared with null. */
export type ProjectChange = Partial<Omit<NewProject, "startDate" | "expectedEndDate">> & {
  startDate?: string | null;
  expectedEndDate?: string | null;
  actualEndDate?: string | null;
};

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
export type UnitStatus = (typeof UNIT_STATUSES)[number];

/** One project as `GET /projects/:id` gives it: with every unit. */
export interface ProjectDetails extends Project {
  units: { id: string; status: UnitStatus }[];
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

export interface DashboardStats {
  projects: { total: number; planning: number; inProgress: number; paused: number; completed: number; cancelled: number };
  units: { total: number; available: number; reserved: number; sold: number; blocked: number };
  recentProjects: Project[];
}

export interface StorageConfig {
  storagePath: string;
  source: "config" | "env" | "default";
}

export interface StorageProbe {
  success: boolean;
  message: string;
  freeGB?: number;
}

export interface Drive {
  letter: string;
  label: string;
  type: "local" | "network" | "removable" | "other";
  totalGB: number;
  freeGB: number;
  usedPercent: number;
}

/** Mail server of a company. The password arrives masked; sending the mask back keeps it. */
export interface Smtp {
  host: string;
  port: number;
  secure: boolean;
  user: string;
  password: string;
  fromName: string;
  fromEmail: string;
}
