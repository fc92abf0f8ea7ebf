// JSON schemas: requests are validated by them, answers are serialised by them.
import { SORT_FIELDS, STATUSES } from './types.ts';

const nullable = (type: string, more: object = {}) => ({ type: [type, 'null'], ...more });
const instant = { type: 'string', format: 'date-time' };
const nullableInstant = nullable('string', { format: 'date-time' });
const text = (minLength: number, maxLength: number) => ({ type: 'string', minLength, maxLength });
const anything = {};

export const listQuery = {
  type: 'object',
  properties: {
    page: { type: 'integer', minimum: 1, maximum: 1_000_000, default: 1 },
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 10 },
    search: { type: 'string', maxLength: 200 },
    status: { type: 'string', enum: STATUSES },
    sortBy: { type: 'string', enum: SORT_FIELDS, default: 'createdAt' },
    sortOrder: { type: 'string', enum: ['asc', 'desc'], default: 'desc' },
  },
};

export const projectBody = {
  type: 'object',
  required: ['name', 'address'],
  properties: {
    name: text(2, 200),
    address: {
      type: 'object',
      required: ['street', 'number', 'neighborhood', 'city', 'state', 'zipCode'],
      additionalProperties: false,
      properties: {
        street: text(2, 300),
        number: text(1, 30),
        neighborhood: text(2, 300),
        city: text(2, 300),
        state: text(2, 2),
        zipCode: text(8, 20),
        complement: text(0, 300),
      },
    },
    description: nullable('string', { maxLength: 10_000 }),
    status: { type: 'string', enum: STATUSES, default: 'PLANNING' },
    startDate: nullableInstant,
    expectedEndDate: nullableInstant,
    budget: nullable('number', { minimum: 0.01, maximum: 9_999_999_999_999.99 }),
    quantidadeUnidades: { type: 'integer', minimum: 1, maximum: 2_147_483_647, default: 1 },
    metadata: nullable('object'),
  },
};

const project = {
  id: { type: 'string' },
  tenantId: { type: 'string' },
  name: { type: 'string' },
  description: nullable('string'),
  address: { type: 'object', additionalProperties: true },
  status: { type: 'string' },
  startDate: nullableInstant,
  expectedEndDate: nullableInstant,
  actualEndDate: nullableInstant,
  budget: { type: 'number' },
  schedulingMode: nullable('string'),
  holidays: anything,
  metadata: anything,
  quantidadeUnidades: { type: 'integer' },
  createdAt: instant,
  updatedAt: instant,
};

const evolution = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    projectId: { type: 'string' },
    date: instant,
    percentage: { type: 'number' },
    phase: { type: 'string' },
    photos: anything,
    notes: nullable('string'),
    reportedBy: { type: 'string' },
    createdAt: instant,
    updatedAt: instant,
  },
};

const counts = (...names: string[]) => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'integer' }])),
});

export const projectPage = {
  type: 'object',
  properties: {
    data: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          ...project,
          evolutions: { type: 'array', items: evolution },
          _count: counts('units', 'evolutions', 'activities'),
        },
      },
    },
    pagination: counts('page', 'limit', 'total', 'totalPages'),
  },
};

export const projectCreated = {
  type: 'object',
  properties: {
    ...project,
    evolutions: { type: 'array', items: evolution },
    _count: counts('units', 'evolutions'),
  },
};
