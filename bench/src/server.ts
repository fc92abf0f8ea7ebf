// The HTTP layer of both opponents: token, permission, validation, serialisation, one log line per request.
import { randomUUID } from 'node:crypto';
import { Ajv, type AnySchema, type Options } from 'ajv';
import addFormats from 'ajv-formats';
import { createVerifier } from 'fast-jwt';
import fastify, { type FastifyError, type FastifyReply, type FastifyRequest, type FastifySchemaCompiler } from 'fastify';
import { listQuery, projectBody, projectCreated, projectPage } from './schemas.ts';
import { RefusedValue, type Caller, type ListQuery, type ProjectBody, type Store } from './types.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
  }
}

const VIEW = ['ROOT', 'MASTER', 'ENGINEER', 'ADMIN_STAFF', 'CONTRACTOR', 'BROKER', 'VIEWER'];
const PERMISSIONS = new Map<string, ReadonlySet<string>>([
  ['projects:view', new Set(VIEW)],
  ['projects:create', new Set(['ROOT', 'MASTER', 'ENGINEER'])],
]);
const CLOCK_LEEWAY_SECONDS = 5;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** An error with an answer of its own. */
class HttpError extends Error {
  readonly statusCode: number;
  readonly label: string;

  constructor(statusCode: number, label: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.label = label;
  }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** The text of a query is read as the type that its schema names; a body is taken as it is. */
function validators(): FastifySchemaCompiler<AnySchema> {
  const compiler = (options: Options) => {
    const ajv = new Ajv({ useDefaults: true, removeAdditional: true, allowUnionTypes: true, ...options });
    (addFormats as unknown as (ajv: Ajv) => void)(ajv);
    return ajv;
  };
  const query = compiler({ coerceTypes: true });
  const body = compiler({ coerceTypes: false });
  return ({ schema, httpPart }) => (httpPart === 'body' ? body : query).compile(schema);
}

/** Makes the hook that lets in callers with a permission whose session stands. */
function requires(permission: string, secret: string, store: Store) {
  const roles = PERMISSIONS.get(permission) ?? new Set();
  const verify = createVerifier({
    key: secret,
    algorithms: ['HS256'],
    allowedAud: 'enlevohub-api',
    allowedIss: 'enlevohub',
    checkTyp: 'JWT',
    requiredClaims: ['exp', 'iat', 'aud', 'iss'],
  });
  const unauthorized = () => new HttpError(401, 'Unauthorized', 'Token ausente, inválido ou expirado');
  return async (request: FastifyRequest): Promise<void> => {
    const [scheme, token, ...rest] = (request.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || !token || rest.length > 0) throw unauthorized();
    let claims: Record<string, unknown>;
    try {
      claims = verify(token) as Record<string, unknown>;
    } catch {
      throw unauthorized();
    }
    const { typ, role, sid: sessionId, userId, tenantId, contractorId, iat } = claims;
    const late = typeof iat !== 'number' || iat > Date.now() / 1000 + CLOCK_LEEWAY_SECONDS;
    if (typ !== 'access' || late || !isId(sessionId) || !isId(userId) || !isId(tenantId)) throw unauthorized();
    if (typeof role !== 'string' || !VIEW.includes(role)) throw unauthorized();
    const caller = { sessionId, userId, tenantId, role, contractorId: isId(contractorId) ? contractorId : null };
    if (!(await store.stands(caller))) throw unauthorized();
    if (!roles.has(role)) throw new HttpError(403, 'Forbidden', 'Você não tem permissão para esta ação');
    request.caller = caller;
  };
}

function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a route without its hook');
  return request.caller;
}

function onError(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof HttpError) {
    reply.code(error.statusCode).send({ error: error.label, message: error.message });
  } else if (error instanceof RefusedValue || ('validation' in error && error.validation)) {
    const details = 'validation' in error ? error.validation : [];
    reply.code(400).send({ error: 'Validation Error', message: error.message, details });
  } else if ('statusCode' in error && error.statusCode !== undefined && error.statusCode < 500) {
    reply.code(error.statusCode).send({ error: error.name, message: error.message });
  } else {
    request.log.error(error);
    reply.code(500).send({ error: 'Internal Server Error', message: 'Erro interno do servidor' });
  }
}

/** Serves a store until SIGTERM. */
export async function serve(makeStore: (url: string) => Store): Promise<void> {
  const secret = setting('JWT_SECRET');
  const store = makeStore(setting('DATABASE_URL'));
  const app = fastify({
    logger: { level: 'info' },
    disableRequestLogging: true,
    requestIdHeader: 'x-request-id',
    genReqId: () => randomUUID(),
    keepAliveTimeout: 75_000,
    bodyLimit: 1024 * 1024,
  });
  app.setValidatorCompiler(validators());
  app.setErrorHandler(onError);
  app.decorateRequest('caller', null);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const ms = Math.round(reply.elapsedTime * 10) / 10;
    request.log.info({ method: request.method, path: request.url, status: reply.statusCode, ms }, 'request');
    done();
  });

  app.get('/health/live', () => ({ status: 'ok' }));

  app.get<{ Querystring: ListQuery }>(
    '/api/v1/projects',
    {
      onRequest: requires('projects:view', secret, store),
      schema: { querystring: listQuery, response: { 200: projectPage } },
    },
    async (request) => {
      const { page, limit } = request.query;
      const { rows, total } = await store.list(callerOf(request), request.query);
      return { data: rows, pagination: { page, limit, total, totalPages: Math.ceil(total / limit) } };
    },
  );

  app.post<{ Body: ProjectBody }>(
    '/api/v1/projects',
    {
      onRequest: requires('projects:create', secret, store),
      schema: { body: projectBody, response: { 201: projectCreated } },
    },
    async (request, reply) => {
      const project = await store.create(callerOf(request), request.body);
      if (project === null) throw new HttpError(404, 'Not Found', 'Empresa não encontrada');
      reply.code(201);
      return { ...project, evolutions: [], _count: { units: 0, evolutions: 0 } };
    },
  );

  process.once('SIGTERM', () => {
    void app.close().then(() => store.close());
  });
  await app.listen({ host: '127.0.0.1', port: Number(setting('PORT')) });
}
