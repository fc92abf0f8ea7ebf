// Projects by plain SQL: named prepared statements over a pool of the driver `pg`.
import pg from 'pg';
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

const NUMERIC = 1700;
const BIGINT = 20;
pg.types.setTypeParser(NUMERIC, Number);
pg.types.setTypeParser(BIGINT, Number);

const COLUMNS = `p.id, p.tenant_id as "tenantId", p.name, p.description, p.address, p.status,
  p.start_date as "startDate", p.expected_end_date as "expectedEndDate", p.actual_end_date as "actualEndDate", p.budget,
  p.scheduling_mode as "schedulingMode", p.holidays, p.metadata, p.quantidade_unidades as "quantidadeUnidades",
  p.created_at as "createdAt", p.updated_at as "updatedAt"`;

const SORT: Record<ListQuery['sortBy'], string> = {
  name: 'p.name',
  createdAt: 'p.created_at',
  updatedAt: 'p.updated_at',
  status: `array_position(array['${STATUSES.join("','")}'], p.status)`,
  budget: 'p.budget',
};

const STANDS = {
  name: 'stands',
  text: `select 1 from sessions s join users u on u.id = s.user_id
    where s.id = $1 and s.revoked_at is null and u.id = $2 and u.tenant_id = $3 and u.role = $4
      and u.is_active and u.is_approved`,
};

const INSERT = {
  name: 'create',
  text: `insert into projects as p (tenant_id, name, description, address, status, start_date, expected_end_date, budget,
      quantidade_unidades, metadata)
    select t.id, $2, $3, $4, $5, $6, $7, $8, $9, $10 from tenants t where t.id = $1 returning ${COLUMNS}`,
};

interface Row extends Project {
  eId: string | null;
  eDate: Date;
  ePercentage: number;
  ePhase: string;
  ePhotos: unknown;
  eNotes: string | null;
  eReportedBy: string;
  eCreatedAt: Date;
  eUpdatedAt: Date;
  unitCount: number;
  evolutionCount: number;
}

function toRow(row: Row): ProjectRow {
  const { id: projectId } = row;
  const evolutions =
    row.eId === null
      ? []
      : [
          {
            id: row.eId,
            projectId,
            date: row.eDate,
            percentage: row.ePercentage,
            phase: row.ePhase,
            photos: row.ePhotos,
            notes: row.eNotes,
            reportedBy: row.eReportedBy,
            createdAt: row.eCreatedAt,
            updatedAt: row.eUpdatedAt,
          },
        ];
  // The answer's schema picks the fields, so the row is extended and not copied.
  return Object.assign(row, {
    evolutions,
    _count: { units: row.unitCount, evolutions: row.evolutionCount, activities: 0 },
  });
}

class PgStore implements Store {
  readonly #pool: pg.Pool;
  /** The two queries of a list, by which conditions and which order it has. */
  readonly #lists = new Map<string, { page: string; count: string }>();

  constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: 10, idleTimeoutMillis: 0 });
  }

  async stands(caller: Caller): Promise<boolean> {
    const values = [caller.sessionId, caller.userId, caller.tenantId, caller.role];
    const { rowCount } = await this.#pool.query({ ...STANDS, values });
    return rowCount === 1;
  }

  async list(caller: Caller, query: ListQuery): Promise<{ rows: ProjectRow[]; total: number }> {
    const { search, status, sortBy, sortOrder, page, limit } = query;
    const contractor = caller.role === 'CONTRACTOR';
    const name = `${contractor}-${Boolean(search)}-${Boolean(status)}-${sortBy}-${sortOrder}`;
    const values: unknown[] = [caller.tenantId];
    if (contractor) values.push(caller.contractorId);
    if (search) values.push(`%${escapeLike(search)}%`);
    if (status) values.push(status);
    let texts = this.#lists.get(name);
    if (texts === undefined) {
      texts = listTexts(contractor, Boolean(search), Boolean(status), `${SORT[sortBy]} ${sortOrder}, p.id`);
      this.#lists.set(name, texts);
    }
    const [rows, count] = await refuse(
      Promise.all([
        this.#pool.query<Row>({ name: `page-${name}`, text: texts.page, values: [...values, limit, (page - 1) * limit] }),
        this.#pool.query<{ count: number }>({ name: `count-${name}`, text: texts.count, values }),
      ]),
    );
    return { rows: rows.rows.map(toRow), total: count.rows[0]?.count ?? 0 };
  }

  async create(caller: Caller, body: ProjectBody): Promise<Project | null> {
    const values = [
      caller.tenantId,
      body.name,
      body.description ?? null,
      body.address,
      body.status,
      body.startDate ?? null,
      body.expectedEndDate ?? null,
      body.budget ?? 0,
      body.quantidadeUnidades,
      body.metadata ?? null,
    ];
    const { rows } = await refuse(this.#pool.query<Project>({ ...INSERT, values }));
    return rows[0] ?? null;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

function listTexts(contractor: boolean, search: boolean, status: boolean, order: string) {
  let last = 1;
  const conditions = ['p.tenant_id = $1'];
  if (contractor) {
    conditions.push(
      `exists (select 1 from project_contractors c where c.project_id = p.id and c.contractor_id = $${++last})`,
    );
  }
  if (search) conditions.push(`(p.name ilike $${++last} or p.description ilike $${last})`);
  if (status) conditions.push(`p.status = $${++last}`);
  const where = conditions.join(' and ');
  const page = `select ${COLUMNS}, e.id as "eId", e.date as "eDate", e.percentage as "ePercentage", e.phase as "ePhase",
      e.photos as "ePhotos", e.notes as "eNotes", e.reported_by as "eReportedBy", e.created_at as "eCreatedAt",
      e.updated_at as "eUpdatedAt",
      (select count(*) from units u where u.project_id = p.id) as "unitCount",
      (select count(*) from evolutions v where v.project_id = p.id) as "evolutionCount"
    from (select * from projects p where ${where} order by ${order} limit $${last + 1} offset $${last + 2}) p
    left join lateral (
      select * from evolutions e where e.project_id = p.id order by e.date desc, e.created_at desc, e.id limit 1
    ) e on true
    order by ${order}`;
  return { page, count: `select count(*) from projects p where ${where}` };
}

/** Class 22 is PostgreSQL's name for data that it does not take. */
async function refuse<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code?.startsWith('22')) throw new RefusedValue(error.message);
    throw error;
  }
}

await serve((url) => new PgStore(url));
