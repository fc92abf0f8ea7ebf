// Projects by Prisma Client without the Rust engine, over its adapter for the driver `pg`.
import { PrismaPg } from '@prisma/adapter-pg';
import { Prisma, PrismaClient } from '../generated/client.ts';
import { serve } from './server.ts';
import {
  escapeLike,
  RefusedValue,
  STATUSES,
  type Caller,
  type ListQuery,
  type Project,
  type ProjectBody,
  type ProjectRow,
  type Store,
} from './types.ts';

const include = {
  evolutions: { orderBy: [{ date: 'desc' }, { createdAt: 'desc' }, { id: 'asc' }], take: 1 },
  _count: { select: { units: true, evolutions: true } },
} satisfies Prisma.ProjectInclude;

type Found = Prisma.ProjectGetPayload<{ include: typeof include }>;

function toRow(project: Found): ProjectRow {
  return {
    ...project,
    budget: project.budget.toNumber(),
    evolutions: project.evolutions.map((item) => ({ ...item, percentage: item.percentage.toNumber() })),
    _count: { ...project._count, activities: 0 },
  };
}

class PrismaStore implements Store {
  readonly #client: PrismaClient;
  /** Names of prepared statements by their text. */
  readonly #names = new Map<string, string>();

  constructor(url: string) {
    const statementNameGenerator = ({ sql }: { sql: string }) => {
      let name = this.#names.get(sql);
      if (name === undefined) this.#names.set(sql, (name = `s${this.#names.size}`));
      return name;
    };
    this.#client = new PrismaClient({
      adapter: new PrismaPg({ connectionString: url, max: 10, idleTimeoutMillis: 0 }, { statementNameGenerator }),
    });
  }

  async stands({ sessionId, userId, tenantId, role }: Caller): Promise<boolean> {
    const sessions = { some: { id: sessionId, revokedAt: null } };
    const user = await this.#client.user.findUnique({
      where: { id: userId, tenantId, role, isActive: true, isApproved: true, sessions },
      select: { id: true },
    });
    return user !== null;
  }

  async list(caller: Caller, query: ListQuery): Promise<{ rows: ProjectRow[]; total: number }> {
    const { search, status, sortBy, sortOrder, page, limit } = query;
    const where: Prisma.ProjectWhereInput = { tenantId: caller.tenantId };
    if (caller.role === 'CONTRACTOR') where.contractors = { some: { contractorId: caller.contractorId ?? '' } };
    if (search) {
      const matches = { contains: escapeLike(search), mode: 'insensitive' } as const;
      where.OR = [{ name: matches }, { description: matches }];
    }
    if (status) where.status = status;
    const skip = (page - 1) * limit;
    const [rows, total] = await refuse(
      Promise.all([
        sortBy === 'status'
          ? this.#byStatus(where, sortOrder, skip, limit)
          : this.#client.project.findMany({
              relationLoadStrategy: 'join',
              where,
              include,
              orderBy: [{ [sortBy]: sortOrder }, { id: 'asc' }],
              skip,
              take: limit,
            }),
        this.#client.project.count({ where }),
      ]),
    );
    return { rows: rows.map(toRow), total };
  }

  /** A status is a text in the database, and Prisma cannot sort a text in the order of a list: sort the ids here. */
  async #byStatus(where: Prisma.ProjectWhereInput, order: 'asc' | 'desc', skip: number, limit: number) {
    const all = await this.#client.project.findMany({ where, select: { id: true, status: true }, orderBy: { id: 'asc' } });
    const rank = (item: { status: string }) => STATUSES.findIndex((status) => status === item.status);
    const sign = order === 'asc' ? 1 : -1;
    const ids = all.sort((a, b) => sign * (rank(a) - rank(b))).map((item) => item.id).slice(skip, skip + limit);
    const found = await this.#client.project.findMany({ where: { id: { in: ids } }, include });
    return found.sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
  }

  async create(caller: Caller, body: ProjectBody): Promise<Project | null> {
    try {
      const project = await refuse(
        this.#client.project.create({
          data: {
            tenantId: caller.tenantId,
            name: body.name,
            description: body.description ?? null,
            address: body.address,
            status: body.status,
            startDate: body.startDate ?? null,
            expectedEndDate: body.expectedEndDate ?? null,
            budget: body.budget ?? 0,
            quantidadeUnidades: body.quantidadeUnidades,
            metadata: (body.metadata as Prisma.InputJsonObject | null | undefined) ?? Prisma.DbNull,
          },
        }),
      );
      return { ...project, budget: project.budget.toNumber() };
    } catch (error) {
      const noTenant = error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2003';
      if (noTenant) return null;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#client.$disconnect();
  }
}

/** Class 22 is PostgreSQL's name for data that it does not take; Prisma keeps the code in the error's details. */
async function refuse<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Prisma.PrismaClientKnownRequestError) {
      if (/"originalCode":"22/.test(JSON.stringify(error.meta))) throw new RefusedValue('a value is not accepted');
    }
    throw error;
  }
}

await serve((url) => new PrismaStore(url));
